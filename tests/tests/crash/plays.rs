//! What happens on a ward, as plays that can be interrupted anywhere and begun again from the start: a
//! nurse's shift, a newcomer's first day, a device that was revoked, one that was wiped.
//!
//! Every text is its own idempotency key, so that a play that is begun again says nothing twice.

use std::time::Duration;

use wardline::{Draft, EscalationTier, OpenItems, Recipient};
use wardline_tests::{
    Phone,
    crash::orders::{Order, To},
    files,
};

use crate::{
    puppet::{Outcome, Puppet},
    stage::Hospital,
};

/// A doctor in this process, for others to write to.
pub(crate) struct Ward<'a> {
    pub(crate) hospital: &'a mut Hospital,
    pub(crate) doctor: &'a Phone,
}

/// Which play reaches a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Play {
    /// A known device is opened, receives while locked, is unlocked, sends and reads.
    Shift,
    /// A device is enrolled, offers keys, writes to somebody for the first time, is answered.
    Newcomer,
    /// A device is opened that the organization has revoked.
    Revoked,
    /// A device is opened that is to erase itself, with a message that nobody has.
    Wiped,
}

impl Ward<'_> {
    /// Prepares what a play needs that happens once.
    pub(crate) async fn prepare(&mut self, play: Play, number: usize) {
        match play {
            Play::Shift => {
                // A new directory, and something that waits.
                self.hospital.hire(&format!("EXTRA-{number}")).await;
                self.doctor_says(NURSE, &text("doctor", number)).await;
            }
            Play::Newcomer => self.hospital.hire(&person("NEW", number)).await,
            Play::Revoked | Play::Wiped => {
                let person = person("OLD", number);
                self.hospital.hire(&person).await;
                drop(self.hospital.device(&person, &person).await);
                if play == Play::Wiped {
                    self.hospital.order_wipes(&person).await;
                } else {
                    self.hospital.revoke(&person).await;
                }
            }
        }
    }

    /// Plays it, to the end or until `stop_at` is reached and the device is killed there. Answers the
    /// process if it lives.
    pub(crate) async fn play(
        &mut self,
        play: Play,
        number: usize,
        stop_at: Option<&str>,
    ) -> Option<Puppet> {
        match play {
            Play::Shift => self.shift(number, stop_at).await,
            Play::Newcomer => self.newcomer(number, stop_at).await,
            Play::Revoked => self.revoked(number, stop_at).await,
            Play::Wiped => self.wiped(number, stop_at).await,
        }
    }

    /// What must be true when it was played to its end.
    pub(crate) async fn check(&self, play: Play, number: usize, mut device: Puppet) {
        let person = match play {
            Play::Shift => NURSE.to_owned(),
            Play::Newcomer => person("NEW", number),
            Play::Wiped => return self.check_wiped(number, device).await,
            Play::Revoked => {
                assert!(device.warnings().contains(&"DeviceRevoked"));
                assert_eq!(device.look(&[]).await.broken_audit, None);
                return;
            }
        };
        // Both ways once more, through the sessions there are.
        self.doctor_says(&person, &text("again", number)).await;
        device.must(send(DOCTOR, &text("again to", number))).await;
        device.must(Order::Sync).await;
        device.must(Order::Events).await;
        self.doctor.client.sync_once().await.unwrap();
        device.must(Order::Sync).await;

        let mut expected = Vec::new();
        let said = match play {
            Play::Shift => ["doctor", "nurse", "again", "again to"],
            _ => ["welcome", "new", "again", "again to"],
        };
        expected.extend(said.map(|who| text(who, number)));
        expected.sort_unstable();
        let of_this_play = |texts: Vec<String>| {
            let mut texts: Vec<String> = texts
                .into_iter()
                .filter(|text| text.ends_with(&format!(" {number:03}")))
                .collect();
            texts.sort_unstable();
            texts
        };
        let seen = device.look(&[to(DOCTOR)]).await;
        assert_eq!(seen.broken_audit, None);
        assert_eq!(seen.undelivered, 0, "a receipt was lost");
        let texts = seen.texts.into_iter().flatten().map(|(_, text)| text);
        assert_eq!(of_this_play(texts.collect()), expected);
        let texts = self.doctor.texts(self.doctor.with(&person)).await;
        assert_eq!(of_this_play(texts), expected);
        assert!(self.doctor.refusals().await.is_empty());
        assert_eq!(self.doctor.client.check_audit().await.unwrap(), None);
        if play == Play::Shift {
            let awaited = self.doctor.client.open_items(OpenItems::Awaited, 100).await;
            let awaited = awaited.unwrap().into_iter().map(|message| message.text);
            let unanswered: Vec<String> =
                awaited.filter(|text| text.starts_with("doctor")).collect();
            assert!(unanswered.is_empty(), "an answer was lost: {unanswered:?}");
        }
        let refused = |warning: &&&str| warning.starts_with("WL-OPEN");
        let warnings = device.warnings();
        assert_eq!(warnings.iter().find(refused), None);
    }

    async fn shift(&self, number: usize, stop_at: Option<&str>) -> Option<Puppet> {
        let mut nurse = Puppet::device(&self.hospital.site, NURSE);
        let mut orders = vec![(Order::Open, DONE)];
        let point = stop_at.unwrap_or_default();
        if point.contains("head_refused") {
            orders.push((Order::SyncDeceived, "WL-DIRECTORY-REFUSED"));
        }
        if point.contains("shown") {
            orders.push((Order::Notify, DONE));
        }
        orders.push((Order::Sync, DONE));
        if point.contains("unlock_failed") {
            orders.push((Order::UnlockWrongly, "WL-VAULT-PASSPHRASE"));
        }
        orders.extend([
            (Order::Unlock, DONE),
            (send(DOCTOR, &text("nurse", number)), DONE),
            (send(NURSE, "to myself"), "WL-SEND-ONLY-SELF"),
            (Order::Draft(to(DOCTOR)), DONE),
            (
                Order::Reach {
                    person: DOCTOR.to_owned(),
                },
                DONE,
            ),
            (Order::Sync, DONE),
            (Order::Events, DONE),
            (Order::Accept, DONE),
            (Order::Sync, DONE),
            (send(DOCTOR, &text("slip", number)), DONE),
            (Order::Sync, DONE),
            (
                Order::Correct {
                    to: to(DOCTOR),
                    beginning: text("slip", number),
                },
                DONE,
            ),
            (Order::Sync, DONE),
            (
                Order::Export {
                    to: to(DOCTOR),
                    beginning: text("slip", number),
                },
                DONE,
            ),
            (
                Order::TakeBack {
                    to: to(DOCTOR),
                    beginning: text("slip", number),
                },
                DONE,
            ),
            (Order::Sync, DONE),
        ]);
        if point.contains("remind") {
            let (to, text) = (to(DOCTOR), format!("ask-{number}"));
            orders.extend([(Order::Ask { to, text }, DONE), (Order::Sync, DONE)]);
        }
        if point.contains("expire") || point.contains("lifetime") {
            let (to, text) = (to(DOCTOR), format!("brief-{number}"));
            orders.extend([(Order::Brief { to, text }, DONE), (Order::Sync, DONE)]);
        }
        if point.contains("access") {
            orders.push((Order::ChangePassphrase, DONE));
        }
        if point.contains("rekey") {
            orders.push((Order::Rekey, DONE));
        }
        perform(&mut nurse, stop_at, orders).await.then_some(nurse)
    }

    async fn newcomer(&mut self, number: usize, stop_at: Option<&str>) -> Option<Puppet> {
        let person = person("NEW", number);
        let mut device = Puppet::device(&self.hospital.site, &person);
        let ticket = self.hospital.ticket(&person);
        let enroll = Order::Enroll {
            person: person.clone(),
            ticket,
        };
        if !perform(&mut device, stop_at, vec![(enroll, DONE)]).await {
            return None;
        }
        self.hospital.publish().await;
        let greet = vec![
            (Order::Sync, DONE),
            (Order::RegisterPush, DONE),
            (send(DOCTOR, &text("new", number)), DONE),
            (Order::Sync, DONE),
        ];
        if !perform(&mut device, None, greet).await {
            return None;
        }
        self.doctor_says(&person, &text("welcome", number)).await;
        let read = vec![
            (Order::Sync, DONE),
            (Order::Events, DONE),
            (Order::Sync, DONE),
        ];
        perform(&mut device, None, read).await.then_some(device)
    }

    async fn revoked(&self, number: usize, stop_at: Option<&str>) -> Option<Puppet> {
        let mut device = Puppet::device(&self.hospital.site, &person("OLD", number));
        let orders = vec![
            (Order::Open, DONE),
            (Order::Unlock, DONE),
            (Order::Sync, "WL-RELAY-REVOKED"),
            (Order::Events, DONE),
        ];
        perform(&mut device, stop_at, orders)
            .await
            .then_some(device)
    }

    /// Opened again after it was killed, the device is as it was or gone.
    async fn wiped(&self, number: usize, stop_at: Option<&str>) -> Option<Puppet> {
        let person = person("OLD", number);
        let mut device = Puppet::device(&self.hospital.site, &person);
        let marked = self.hospital.site.device_folder(&person).join("wiped");
        let orders = if marked.exists() {
            vec![(Order::Open, "WL-WIPED")]
        } else {
            vec![
                (Order::Open, DONE),
                (Order::Unlock, DONE),
                (send(DOCTOR, &text("lost", number)), DONE),
                (Order::Sync, "WL-WIPED"),
                (Order::Unlock, "WL-WIPED"),
            ]
        };
        let lived = perform(&mut device, stop_at, orders).await;
        lived.then_some(device)
    }

    /// Nothing is left, nothing opens, and the organization knows.
    async fn check_wiped(&self, number: usize, mut device: Puppet) {
        let folder = self.hospital.site.device_folder(&person("OLD", number));
        let left = files(&folder)
            .into_iter()
            .chain(files(&folder.with_extension("keys")));
        for (path, bytes) in left {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let spent = name == "wiped" || name == "attempts";
            assert!(spent || bytes.is_empty(), "{name} is left");
        }
        assert_eq!(self.hospital.last_receipt().await, Some(1));
        let opened = device.obey(&Order::Open).await;
        assert_eq!(opened, Outcome::Failed("WL-WIPED".to_owned()));
    }

    /// The doctor fetches, and says something that waits at the relay then.
    async fn doctor_says(&self, person: &str, text: &str) {
        let client = &self.doctor.client;
        client.sync_once().await.unwrap();
        let user: wardline_org::UserId = person.parse().unwrap();
        // Held for the same person once more: accepting it stops that.
        let tier = EscalationTier::after(Duration::from_secs(3600)).person(user.clone());
        let draft = Draft::new(Recipient::Person(user), text)
            .escalate(tier)
            .answer_within(Duration::from_secs(3600))
            .idempotency_key(text);
        client.send(draft).await.unwrap();
        client.sync_once().await.unwrap();
    }
}

/// Gives orders one after the other; each is done, or fails as expected. Answers whether the device lived
/// to the end; otherwise it had reached the point, and was killed.
async fn perform(
    device: &mut Puppet,
    stop_at: Option<&str>,
    orders: Vec<(Order, &'static str)>,
) -> bool {
    if let Some(point) = stop_at {
        device.must(Order::StopAt(point.to_owned())).await;
    }
    for (order, expected) in orders {
        match device.obey(&order).await {
            Outcome::Done => assert_eq!(expected, DONE, "{order:?}"),
            Outcome::Failed(code) => assert_eq!(code, expected, "{order:?}"),
            Outcome::Reached(_) => {
                device.kill().await;
                return false;
            }
        }
    }
    true
}

fn send(person: &str, text: &str) -> Order {
    let texts = vec![text.to_owned()];
    Order::Send {
        to: to(person),
        texts,
    }
}

fn to(person: &str) -> To {
    To::Person(person.to_owned())
}

fn text(who: &str, number: usize) -> String {
    format!("{who} {number:03}")
}

fn person(kind: &str, number: usize) -> String {
    format!("{kind}-{number}")
}

pub(crate) const NURSE: &str = "NS-1";
pub(crate) const DOCTOR: &str = "DR-1";
const DONE: &str = "done";
