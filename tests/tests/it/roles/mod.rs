//! Writing to a role: who gets it, who may speak for it, and that nothing is lost when its holder changes.

mod attack;
mod custody;
mod sending;

use std::{sync::Arc, time::Duration};

use wardline::{Client, Draft, Message, MessageId, Recipient};
use wardline_org::{
    ManualClock, RoleId, Timestamp,
    team::{Assignment, RoleLine},
};
use wardline_tests::{Phone, Ward, settle};

/// A nurse who writes to cardiology on call, two doctors who hold it in turn, and the desk that keeps it.
struct Clinic {
    ward: Ward,
    clock: Arc<ManualClock>,
    nurse: Phone,
    day: Phone,
    night: Phone,
    desk: Phone,
    other: Phone,
}

impl Clinic {
    /// It is an hour before the night doctor takes over from the day doctor.
    async fn open() -> Self {
        let clock = Arc::new(ManualClock::new(START));
        let people = ["NS-1", "DR-DAY", "DR-NIGHT", "DESK", "DR-X"];
        let mut ward = Ward::open_at(&people, Arc::clone(&clock) as _).await;
        let line = line(&TURNS, Some("DESK"));
        ward.authority().upsert_role(line).unwrap();
        let mut phones = Vec::new();
        for person in people {
            phones.push(ward.phone(person).await);
        }
        let [nurse, day, night, desk, other] = phones.try_into().ok().unwrap();
        let clinic = Self {
            ward,
            clock,
            nurse,
            day,
            night,
            desk,
            other,
        };
        clinic.settle().await;
        clinic
    }

    fn everybody(&self) -> [&Phone; 5] {
        [&self.nurse, &self.day, &self.night, &self.desk, &self.other]
    }

    /// Everybody sends and fetches until everybody knows.
    async fn settle(&self) {
        settle(&self.everybody(), 3).await;
    }

    /// The organization plans other turns.
    async fn plan(&mut self, turns: &[(&str, Timestamp, Timestamp)], custodian: Option<&str>) {
        let line = line(turns, custodian);
        self.ward.authority().upsert_role(line).unwrap();
        self.ward.publish().await;
        self.pass(Duration::from_secs(90));
    }

    /// Time passes.
    fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// The nurse asks whoever holds the role.
    async fn ask(&self, text: &str) -> MessageId {
        let draft = Draft::new(role(), text).answer_within(Duration::from_secs(7200));
        self.nurse.client.send(draft).await.unwrap()
    }
}

fn line(turns: &[(&str, Timestamp, Timestamp)], custodian: Option<&str>) -> RoleLine {
    RoleLine {
        role: role_id(),
        display_name: "Cardiology on call".into(),
        assignments: turns
            .iter()
            .map(|(user, from, until)| Assignment {
                user: user.parse().unwrap(),
                from: *from,
                until: *until,
            })
            .collect(),
        custodian: custodian.map(|user| user.parse().unwrap()),
    }
}

fn role_id() -> RoleId {
    "cardiology-on-call".parse().unwrap()
}

fn role() -> Recipient {
    Recipient::Role(role_id())
}

/// As whoever holds the role, to the person who has written to it.
fn caller(person: &Phone) -> Recipient {
    Recipient::Caller {
        role: role_id(),
        person: person.user.clone(),
    }
}

/// What a phone has of what somebody has written to the role, and what was said to them.
async fn shown(phone: &Phone, by: &Phone) -> Vec<Message> {
    let with = if phone.user == by.user {
        role()
    } else {
        caller(by)
    };
    phone.messages(phone.client.conversation(&with)).await
}

async fn texts(phone: &Phone, by: &Phone) -> Vec<String> {
    let shown = shown(phone, by).await;
    shown.into_iter().map(|message| message.text).collect()
}

/// The code with which a draft is refused.
async fn refused(client: &Client, draft: Draft) -> String {
    client.send(draft).await.unwrap_err().code()
}

const START: Timestamp = Timestamp::from_millis(1_795_000_000_000);
const HOUR: Duration = Duration::from_secs(3600);
const CHANGE: Timestamp = after(1);
const TURNS: [(&str, Timestamp, Timestamp); 2] = [
    ("DR-DAY", after(-11), CHANGE),
    ("DR-NIGHT", CHANGE, after(13)),
];

const fn after(hours: i64) -> Timestamp {
    Timestamp::from_millis(START.as_millis() + hours * 3_600_000)
}
