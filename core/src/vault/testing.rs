//! What every [`KeyStore`] must do, as one function that runs against any of them.
//!
//! Hosts run it on the device or emulator, through the bindings too: it returns what is wrong and
//! never panics. It uses the key store up: afterwards its keys are erased and its counter is zero.

use std::{sync::Arc, thread};

use super::key_store::{KeyPurpose, KeyStore, KeyStoreError, MAX_WRAPPED};
use super::secret::Secret;

/// A promise of [`KeyStore`] that the implementation does not keep.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{purpose:?}: {promise}; got {outcome}")]
pub struct Broken {
    /// The purpose it was tried with; `None` for the attempt counter.
    pub purpose: Option<KeyPurpose>,
    /// What must hold.
    pub promise: &'static str,
    /// What came instead, without any secret in it.
    pub outcome: String,
}

/// Tries every promise of [`KeyStore`] with each of `purposes`. `reopened` gives a fresh handle on the
/// same keys at every call, as a process does that starts again.
///
/// Give [`KeyPurpose::ALL`], or leave [`KeyPurpose::Presence`] out where each of some hundred calls
/// would prompt.
///
/// # Errors
///
/// The first promise that is [`Broken`].
pub fn check_key_store(
    purposes: &[KeyPurpose],
    reopened: &dyn Fn() -> Arc<dyn KeyStore>,
) -> Result<(), Broken> {
    for purpose in purposes {
        let check = Check::new(*purpose, purposes);
        check.wraps_and_opens(reopened)?;
        check.refuses_what_is_not_its_own(&*reopened())?;
    }
    for purpose in purposes {
        Check::new(*purpose, purposes).erases_one_purpose(reopened)?;
    }
    counts_attempts(reopened)
}

struct Check {
    purpose: KeyPurpose,
    others: Vec<KeyPurpose>,
}

impl Check {
    fn new(purpose: KeyPurpose, purposes: &[KeyPurpose]) -> Self {
        let others = purposes
            .iter()
            .copied()
            .filter(|other| *other != purpose)
            .collect();
        Self { purpose, others }
    }

    fn wraps_and_opens(&self, reopened: &dyn Fn() -> Arc<dyn KeyStore>) -> Result<(), Broken> {
        let (first, second) = (self.secret()?, self.secret()?);
        let store = reopened();
        let wrapped_first = self.wrap(&*store, &first)?;
        let wrapped_second = self.wrap(&*store, &second)?;
        let shown = wrapped_first
            .windows(first.len())
            .any(|window| window == first);
        self.holds(
            !shown,
            "a wrapped secret does not show the secret",
            "the secret in it",
        )?;
        self.opens(&*store, &wrapped_first, &first, "a wrapped secret opens")?;
        self.opens(
            &*store,
            &wrapped_first,
            &first,
            "a wrapped secret opens again",
        )?;
        self.opens(
            &*reopened(),
            &wrapped_first,
            &first,
            "it opens after a restart",
        )?;
        self.opens(
            &*reopened(),
            &wrapped_second,
            &second,
            "wrapping another one loses none",
        )
    }

    fn refuses_what_is_not_its_own(&self, store: &dyn KeyStore) -> Result<(), Broken> {
        let wrapped = self.wrap(store, &self.secret()?)?;
        for other in &self.others {
            // The other purpose has a key of its own, so that the refusal is not for want of one.
            self.wrap_for(store, *other, &self.secret()?)?;
            let outcome = store.open(*other, &wrapped);
            self.refused(
                outcome,
                "what is wrapped for one purpose opens for no other",
            )?;
        }
        // A sample of places: a platform's key may need tens of milliseconds for each.
        for place in (0..wrapped.len()).step_by(wrapped.len().div_ceil(SAMPLES)) {
            let mut changed = wrapped.clone();
            if let Some(byte) = changed.get_mut(place) {
                *byte ^= 1 << (place % 8);
            }
            self.refused(
                store.open(self.purpose, &changed),
                "a changed bit is noticed",
            )?;
            let short = wrapped.get(..place).unwrap_or_default();
            self.refused(
                store.open(self.purpose, short),
                "what is cut short is noticed",
            )?;
        }
        let longer = [wrapped.as_slice(), &[0]].concat();
        self.refused(
            store.open(self.purpose, &longer),
            "what is appended is noticed",
        )
    }

    fn erases_one_purpose(&self, reopened: &dyn Fn() -> Arc<dyn KeyStore>) -> Result<(), Broken> {
        let store = reopened();
        let secret = self.secret()?;
        let wrapped = self.wrap(&*store, &secret)?;
        let mut kept = Vec::new();
        for other in &self.others {
            kept.push((*other, self.wrap_for(&*store, *other, &secret)?));
        }
        self.done(store.erase(self.purpose), "a key can be erased")?;
        let opened = store.open(self.purpose, &wrapped);
        self.refused(opened, "nothing opens after its key is erased")?;
        let opened = reopened().open(self.purpose, &wrapped);
        self.refused(opened, "an erased key stays erased after a restart")?;
        self.done(reopened().erase(self.purpose), "erasing twice is fine")?;
        let again = self.wrap(&*store, &secret)?;
        self.opens(
            &*reopened(),
            &again,
            &secret,
            "wrapping works after erasing",
        )?;
        let opened = store.open(self.purpose, &wrapped);
        self.refused(opened, "a new key does not open what the old one did")?;
        for (purpose, wrapped) in kept {
            let other = Self {
                purpose,
                others: Vec::new(),
            };
            other.opens(
                &*store,
                &wrapped,
                &secret,
                "erasing one purpose spares the others",
            )?;
        }
        self.done(store.erase(self.purpose), "a key can be erased")
    }

    fn secret(&self) -> Result<Vec<u8>, Broken> {
        let secret = Secret::random();
        let secret = secret.map_err(|error| self.broken("random bytes can be had", error))?;
        Ok(secret.expose().to_vec())
    }

    fn wrap(&self, store: &dyn KeyStore, secret: &[u8]) -> Result<Vec<u8>, Broken> {
        self.wrap_for(store, self.purpose, secret)
    }

    fn wrap_for(
        &self,
        store: &dyn KeyStore,
        purpose: KeyPurpose,
        secret: &[u8],
    ) -> Result<Vec<u8>, Broken> {
        let wrapped = store.wrap(purpose, secret);
        let wrapped = wrapped.map_err(|error| self.broken("32 bytes can be wrapped", error))?;
        let fits = (1..=MAX_WRAPPED).contains(&wrapped.len());
        self.holds(fits, "a wrapped secret has 1 to 4096 bytes", wrapped.len())?;
        Ok(wrapped)
    }

    fn opens(
        &self,
        store: &dyn KeyStore,
        wrapped: &[u8],
        secret: &[u8],
        promise: &'static str,
    ) -> Result<(), Broken> {
        match store.open(self.purpose, wrapped) {
            Ok(opened) => self.holds(opened.as_slice() == secret, promise, "another secret"),
            Err(error) => Err(self.broken(promise, error)),
        }
    }

    fn refused<T>(
        &self,
        outcome: Result<T, KeyStoreError>,
        promise: &'static str,
    ) -> Result<(), Broken> {
        match outcome {
            Err(KeyStoreError::NotMine) => Ok(()),
            Err(error) => Err(self.broken(promise, error)),
            Ok(_) => Err(self.broken(promise, "a secret")),
        }
    }

    fn done(
        &self,
        outcome: Result<(), KeyStoreError>,
        promise: &'static str,
    ) -> Result<(), Broken> {
        outcome.map_err(|error| self.broken(promise, error))
    }

    fn holds(
        &self,
        holds: bool,
        promise: &'static str,
        outcome: impl ToString,
    ) -> Result<(), Broken> {
        if holds {
            Ok(())
        } else {
            Err(self.broken(promise, outcome))
        }
    }

    fn broken(&self, promise: &'static str, outcome: impl ToString) -> Broken {
        Broken {
            purpose: Some(self.purpose),
            promise,
            outcome: outcome.to_string(),
        }
    }
}

fn counts_attempts(reopened: &dyn Fn() -> Arc<dyn KeyStore>) -> Result<(), Broken> {
    let store = reopened();
    done(store.reset_attempts(), "the counter can be reset")?;
    counted(store.attempts(), 0, "the counter is zero after a reset")?;
    counted(store.count_attempt(), 1, "counting tells the new count")?;
    counted(
        reopened().count_attempt(),
        2,
        "the counter outlives a restart",
    )?;
    counted(reopened().attempts(), 2, "reading does not count")?;
    done(store.erase(KeyPurpose::Reading), "a key can be erased")?;
    counted(
        store.attempts(),
        2,
        "erasing a key leaves the counter alone",
    )?;
    let stores: Vec<_> = (0..PARALLEL).map(|_| reopened()).collect();
    thread::scope(|scope| {
        for store in &stores {
            // What each thread is told does not matter; the sum is read below.
            scope.spawn(move || store.count_attempt());
        }
    });
    counted(
        store.attempts(),
        2 + PARALLEL,
        "attempts made at once are all counted",
    )?;
    done(reopened().reset_attempts(), "the counter can be reset")?;
    counted(store.attempts(), 0, "a reset reaches every handle")
}

fn done(outcome: Result<(), KeyStoreError>, promise: &'static str) -> Result<(), Broken> {
    outcome.map_err(|error| broken_counter(promise, error))
}

fn counted(
    outcome: Result<u32, KeyStoreError>,
    expected: u32,
    promise: &'static str,
) -> Result<(), Broken> {
    match outcome {
        Ok(count) if count == expected => Ok(()),
        Ok(count) => Err(broken_counter(promise, count)),
        Err(error) => Err(broken_counter(promise, error)),
    }
}
fn broken_counter(promise: &'static str, outcome: impl ToString) -> Broken {
    Broken {
        purpose: None,
        promise,
        outcome: outcome.to_string(),
    }
}

/// Places in a wrapped secret at which it is changed and cut.
const SAMPLES: usize = 32;
/// Attempts counted at once.
const PARALLEL: u32 = 4;
