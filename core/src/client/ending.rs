//! The end of a device: the organization has revoked it, or ordered it to erase itself.
//!
//! Both come as the relay's refusal of whatever is asked. That a device is revoked is the relay's word, and
//! is told to the app; an order to erase is obeyed only when the organization signed it for this device. It
//! is obeyed in this order, so that a process killed anywhere leaves a device that is intact or wiped:
//!
//! 1. one transaction: the order verified, what is unsent counted, the receipt signed, and the mark beside
//!    the store written ([`store::wipe`]). No process commits anything after it;
//! 2. keys in memory dropped, the store closed, the vault erased, the files removed;
//! 3. the receipt posted, again and again until the relay has it.
//!
//! Whoever finds the mark goes on with 2.

use std::{path::Path, sync::Arc};

use tokio::runtime::Handle;
use wardline_org::{
    Hash, Refusal, Request, Response, Transport,
    connect::RelayCode,
    transport::CallError,
    wipe::{SignedWipeReceipt, WipeReceipt},
};
use wardline_proto::{Message as _, v1};

use super::{Client, Config, blocking, carry};
use crate::{
    audit::Action,
    engine::{
        event::Event,
        outbox,
        points::{Beside, Call, Commit},
    },
    error::Error,
    store::wipe::{self, Mark},
    vault::Vault,
};

impl Client {
    /// Whether the organization had this device erased. Every call answers [`Error::Wiped`] then, on
    /// every clone and in every process; [`Client::open`] on the folder does so too.
    pub fn is_wiped(&self) -> bool {
        self.inner.store.is_wiped()
    }

    /// Looks at an answer before anybody takes it in: obeys an order to erase, and says so with
    /// [`Error::Wiped`]. An order that the organization did not give to this device is reported once, and
    /// the answer is a refusal like others.
    pub(super) async fn heed(&self, answer: &Response) -> Result<(), Error> {
        if answer.status == 200 {
            return Ok(());
        }
        let refusal = Refusal::from_response(answer);
        if refusal.code != RelayCode::Wipe {
            return Ok(());
        }
        let notice = refusal.wipe.map(|notice| *notice).unwrap_or_default();
        if !self.mark(notice).await? {
            return Ok(());
        }
        if let Err(error) = self.finish_wipe().await {
            tracing::warn!(code = %error.code(), "a wipe is not over yet");
        }
        Err(Error::Wiped)
    }

    /// Writes the mark if the order is to be obeyed; reports it, once, if not.
    async fn mark(&self, notice: v1::WipeNotice) -> Result<bool, Error> {
        let folder = self.inner.folder.clone();
        let shown = Hash::of(&notice.encode_to_vec());
        let marked = self.look(move |view| {
            let us = view.us();
            let trust = view.memory.directory.trust(view.connection)?;
            let order = match trust.verify_wipe(&notice, us) {
                Ok(order) => order,
                Err(refused) => {
                    tracing::warn!(%refused, "the relay shows a wipe order that is not believed");
                    return Ok(false);
                }
            };
            let receipt = WipeReceipt {
                org: view.context.identity.organization.clone(),
                device: us,
                order: order.hash(),
                wiped_at: view.now(),
                unsent_messages: outbox::unsent(view.connection)?,
            };
            let receipt = SignedWipeReceipt::sign(receipt, &view.context.identity);
            Beside::Wipe.before();
            Mark::new(&order, &receipt).write(&folder)?;
            Beside::Wipe.after();
            Ok(true)
        });
        let marked = match marked.await {
            // Another process has obeyed meanwhile.
            Err(Error::Wiped) => true,
            marked => marked?,
        };
        if !marked && self.inner.line().tells_of(shown) {
            let code = NOT_BELIEVED;
            self.step(Commit::HeadRefused, move |step| {
                step.audit(Action::DirectoryRefused, code.as_bytes())?;
                let code = code.to_owned();
                step.emit(&Event::DirectoryRefused { code })
            })
            .await?;
        }
        Ok(marked)
    }

    /// Erases what the mark has condemned, if that is not done yet. Nothing of this client can be used
    /// whatever comes of it.
    pub(super) async fn finish_wipe(&self) -> Result<(), Error> {
        let mut erased = self.inner.erased.lock().await;
        if *erased {
            return Ok(());
        }
        self.lock();
        self.inner.store.end().await;
        // Whoever follows a view looks once more, and is told.
        self.inner.announce_everything();
        let client = self.clone();
        blocking(move || {
            // Without the mark it was done elsewhere, and the folder may be another device's by now. With
            // it nobody can take the folder before the end of this.
            match Mark::hold(&client.inner.folder)? {
                Some(_held) => erase(&client.inner.vault, &client.inner.folder),
                None => Ok(()),
            }
        })
        .await?;
        *erased = true;
        Ok(())
    }

    /// Goes on with what a wipe has left to do; answers whether nothing is left.
    pub(super) async fn settle_wipe(&self) -> bool {
        let settled = async {
            self.finish_wipe().await?;
            let inner = &self.inner;
            post(&inner.folder, &inner.transport, inner.runtime.as_ref()).await
        };
        settled.await.unwrap_or_else(|error| {
            tracing::warn!(code = %error.code(), "a wipe is not over yet");
            false
        })
    }

    /// The receipt and its number, for a host that carries calls itself; [`Error::Wiped`] when the relay
    /// has it.
    pub(super) async fn receipt_to_post(&self) -> Result<(u64, Request), Error> {
        self.finish_wipe().await?;
        let folder = self.inner.folder.clone();
        let mark = blocking(move || Ok(Mark::read(&folder)?)).await?;
        let call = mark.and_then(|mark| mark.to_post()).ok_or(Error::Wiped)?;
        Ok((wipe::number(&call), Request::new(&call)))
    }

    /// Takes in what the relay said to a receipt that a host has carried. It may have been an earlier one,
    /// of a device that was in the folder before.
    pub(super) async fn receipt_posted(&self, receipt: u64, answer: Response) -> Result<(), Error> {
        note_posted(&self.inner.folder, receipt, answer).await
    }

    /// Tells the app, once, that the relay refuses this device.
    pub(super) async fn note_revocation(&self, error: &CallError) -> Result<(), Error> {
        let revoked = error
            .refusal()
            .is_some_and(|refusal| refusal.code == RelayCode::Revoked);
        if revoked && !std::mem::replace(&mut self.inner.line().revocation_told, true) {
            self.step(Commit::Revoked, |step| step.emit(&Event::DeviceRevoked))
                .await?;
        }
        Ok(())
    }
}

/// Refuses a folder whose device was wiped; whatever was left to do is done first.
pub(super) async fn refuse_wiped(config: &Config) -> Result<(), Error> {
    match resume_wipe(config).await? {
        None => Ok(()),
        Some(_) => Err(Error::Wiped),
    }
}

/// Frees a folder whose device was wiped for another device, once the relay has the receipt.
pub(super) async fn leave_wiped(config: &Config) -> Result<(), Error> {
    match resume_wipe(config).await? {
        None => Ok(()),
        Some(false) => Err(Error::Wiped),
        Some(true) => {
            let folder = config.folder.clone();
            let free = blocking(move || match Mark::hold(&folder)? {
                Some(held) => Ok(held.remove_if_posted()?),
                None => Ok(true),
            });
            if free.await? {
                Ok(())
            } else {
                Err(Error::Wiped)
            }
        }
    }
}

/// Goes on with a wipe that the folder is marked with: erases, then posts. Answers whether the relay has the
/// receipt; `None` when there is no mark.
async fn resume_wipe(config: &Config) -> Result<Option<bool>, Error> {
    let vault = Vault::at(&config.folder, Arc::clone(&config.key_store));
    let folder = config.folder.clone();
    let erased = blocking(move || {
        let Some(_held) = Mark::hold(&folder)? else {
            return Ok(None);
        };
        Ok(Some(erase(&vault, &folder)))
    });
    let posted = match erased.await? {
        None => return Ok(None),
        // Nothing is told to the organization that is not so.
        Some(Err(error)) => Err(error),
        Some(Ok(())) => post(&config.folder, &config.transport, config.runtime.as_ref()).await,
    };
    // That a key store or the network refuses changes nothing of what the app must know.
    Ok(Some(posted.unwrap_or_else(|error| {
        tracing::warn!(code = %error.code(), "a wipe is not over yet");
        false
    })))
}

/// Makes everything that the device had unreadable, then removes it. Goes on to the end whatever fails.
fn erase(vault: &Vault, folder: &Path) -> Result<(), Error> {
    Beside::WipeKeys.before();
    let keys = vault.erase();
    Beside::WipeKeys.after();
    Beside::WipeFiles.before();
    let files = wipe::erase(folder);
    Beside::WipeFiles.after();
    keys?;
    Ok(files?)
}

/// Posts the receipt, unless the relay has it; answers whether it has it now.
async fn post(
    folder: &Path,
    transport: &Arc<dyn Transport>,
    runtime: Option<&Handle>,
) -> Result<bool, Error> {
    let place = folder.to_owned();
    let mark = blocking(move || Ok(Mark::read(&place)?)).await?;
    let Some(call) = mark.and_then(|mark| mark.to_post()) else {
        return Ok(true);
    };
    Call::ConfirmWipe.before();
    let answer = carry(transport, runtime, Request::new(&call)).await?;
    Call::ConfirmWipe.after();
    note_posted(folder, wipe::number(&call), answer).await?;
    Ok(true)
}

async fn note_posted(folder: &Path, receipt: u64, answer: Response) -> Result<(), Error> {
    answer.decode::<v1::ConfirmWipeRequest>()?;
    let folder = folder.to_owned();
    blocking(move || {
        if let Some(held) = Mark::hold(&folder)? {
            Beside::WipePosted.before();
            held.note_posted(receipt)?;
            Beside::WipePosted.after();
        }
        Ok(())
    })
    .await
}

/// The code that an order which is not believed is reported under.
pub(crate) const NOT_BELIEVED: &str = "WL-DIRECTORY-BAD-WIPE-ORDER";
