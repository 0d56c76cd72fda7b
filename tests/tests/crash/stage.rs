//! An organization around a relay in a process of its own.

use std::{sync::Arc, time::Duration};

use tempfile::TempDir;
use wardline::{Client, vault::Passphrase};
use wardline_org::{
    Clock, SystemClock, UserId,
    authority::{Authority, PersonDetails, Secrets},
    publisher::Publisher,
    team::{CareTeam, TeamMember},
};
use wardline_tests::{
    Faults, Phone,
    crash::{Site, orders::Order},
};

use crate::puppet::Puppet;

/// The organization and its relay.
pub(crate) struct Stage {
    pub(crate) relay: Puppet,
    pub(crate) hospital: Hospital,
}

/// The organization's side: its authority, and the folder that everything is in.
pub(crate) struct Hospital {
    pub(crate) site: Site,
    publisher: Publisher,
    _folder: TempDir,
}

impl Stage {
    /// A stage for these people, all of them on the care team.
    pub(crate) async fn open(people: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let site = Site::at(folder.path());
        let secrets = Secrets::generate(1).unwrap();
        let mut authority = Authority::found("mercy".parse().unwrap(), 1, &secrets).unwrap();
        for person in people {
            authority.upsert_person(details(person)).unwrap();
        }
        authority.upsert_team(care_team(people)).unwrap();
        site.found(authority.pin(), authority.signed_root().unwrap());
        let relay = Puppet::relay(&site).await;
        let name = "relay.mercy.example".parse().unwrap();
        let publisher = Publisher::new(authority, name, site.line(), Arc::new(())).unwrap();
        let mut hospital = Hospital {
            site,
            publisher,
            _folder: folder,
        };
        hospital.publish().await;
        Self { relay, hospital }
    }

    /// Kills the relay and starts it again on its file.
    pub(crate) async fn restart_relay(&mut self) {
        self.relay.kill().await;
        self.relay = Puppet::relay(&self.hospital.site).await;
    }
}

impl Hospital {
    /// Admits who asked and publishes what changed.
    pub(crate) async fn publish(&mut self) {
        self.publisher
            .publish_once(SystemClock.now())
            .await
            .unwrap();
    }

    /// Publishes a directory with one person more.
    pub(crate) async fn hire(&mut self, person: &str) {
        self.publisher
            .authority_mut()
            .upsert_person(details(person))
            .unwrap();
        self.publish().await;
    }

    /// Lets everybody write long texts.
    pub(crate) async fn allow_texts_of(&mut self, bytes: usize) {
        let authority = self.publisher.authority_mut();
        let mut policy = authority.policy().clone();
        policy.version += 1;
        policy.max_text_bytes = bytes.try_into().unwrap();
        authority.set_policy(&policy).unwrap();
        self.publish().await;
    }

    /// A one-use ticket for a person.
    pub(crate) fn ticket(&self, person: &str) -> String {
        let issuer = self.publisher.authority().ticket_issuer().unwrap();
        let valid = Duration::from_secs(900);
        issuer
            .mint(&person.parse().unwrap(), valid, SystemClock.now())
            .unwrap()
    }

    /// Enrolls the device of this name in a process of its own, which has offered its keys then.
    pub(crate) async fn device(&mut self, name: &str, person: &str) -> Puppet {
        let mut device = Puppet::device(&self.site, name);
        let ticket = self.ticket(person);
        let person = person.to_owned();
        device.must(Order::Enroll { person, ticket }).await;
        self.publish().await;
        device.must(Order::Sync).await;
        device
    }

    /// Enrolls a device in this process, which has offered its keys then.
    pub(crate) async fn phone(&mut self, name: &str, person: &str) -> Phone {
        let faults = Arc::new(Faults::new(self.site.line()));
        let config = self.site.config(name, Arc::clone(&faults) as Arc<_>);
        let user: UserId = person.parse().unwrap();
        let ticket = self.ticket(person);
        let client = Client::enroll(config, user.clone(), "phone", &ticket, passphrase())
            .await
            .unwrap();
        self.publish().await;
        client.sync_once().await.unwrap();
        Phone {
            client,
            user,
            folder: self.site.device_folder(name),
            faults,
        }
    }

    /// Orders every device of a person to erase itself.
    pub(crate) async fn order_wipes(&mut self, person: &str) {
        let person: UserId = person.parse().unwrap();
        let listed = self.publisher.authority().person(&person).unwrap();
        let devices: Vec<_> = listed.devices.iter().map(|device| device.id()).collect();
        for device in devices {
            let (now, reason) = (SystemClock.now(), "lost".parse().unwrap());
            let ordered = self.publisher.order_wipe(&person, device, reason, now);
            ordered.await.unwrap();
        }
        self.publish().await;
    }

    /// How many messages were lost with the device of a person that was wiped last.
    pub(crate) async fn last_receipt(&self) -> Option<u64> {
        let wipes = self.publisher.wipes(SystemClock.now()).await.unwrap();
        let receipt = wipes.last()?.receipt.as_ref()?;
        Some(receipt.receipt().unsent_messages)
    }

    /// Takes every device of a person off the directory.
    pub(crate) async fn revoke(&mut self, person: &str) {
        let authority = self.publisher.authority_mut();
        let person: UserId = person.parse().unwrap();
        let listed = authority.person(&person).unwrap();
        let devices: Vec<_> = listed.active_devices().map(|device| device.id()).collect();
        for device in devices {
            let now = SystemClock.now();
            authority.revoke_device(&person, device, now).unwrap();
        }
        self.publish().await;
    }
}

pub(crate) fn passphrase() -> Passphrase {
    Passphrase::new("correct horse battery staple").unwrap()
}

fn details(person: &str) -> PersonDetails {
    PersonDetails::new(person.parse().unwrap(), format!("Person {person}"))
}

fn care_team(people: &[&str]) -> CareTeam {
    let members = people.iter().map(|person| TeamMember {
        user: person.parse().unwrap(),
        role: String::new(),
    });
    CareTeam {
        team: "team-1".parse().unwrap(),
        display_name: "Care team".into(),
        fhir_references: Vec::new(),
        members: members.collect(),
        active: true,
    }
}
