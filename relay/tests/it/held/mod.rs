//! What is held: given to others at its time, unless somebody answers first.

mod answer;
mod deposit;
mod faults;
mod release;

use std::time::Duration;

use wardline_org::{
    EnvelopeId, Hash, Refusal, Timestamp,
    team::{Assignment, RoleLine},
};
use wardline_proto::{
    Bytes,
    v1::{self, envelope::Notice},
};
use wardline_relay::Config;

use crate::{
    hospital::Device,
    world::{World, sealed_key, submission},
};

/// Ada raises an alarm to Ben; Cara and Dan come later, Eve keeps the role. `zoe` is none of them.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) ada: Device,
    pub(crate) ben: Device,
    pub(crate) cara: Device,
    pub(crate) dan: Device,
    pub(crate) eve: Device,
    pub(crate) zoe: Device,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(configure: impl FnOnce(&mut Config)) -> Self {
        let [ada, ben, cara, dan, eve, zoe] = [
            ("ada", 1),
            ("ben", 2),
            ("cara", 3),
            ("dan", 4),
            ("eve", 5),
            ("zoe", 6),
        ]
        .map(|(user, seed)| Device::new("mercy", user, seed));
        let devices = [&ada, &ben, &cara, &dan, &eve, &zoe];
        let world = World::with_devices(&devices, configure).await;
        Self {
            world,
            ada,
            ben,
            cara,
            dan,
            eve,
            zoe,
        }
    }

    /// From now on these hold the role, each for an hour from now; Eve keeps it.
    pub(crate) async fn holds(&mut self, holders: &[&Device]) {
        let now = self.world.now();
        let turns = holders.iter().map(|device| Assignment {
            user: device.user().clone(),
            from: now,
            until: now + HOUR,
        });
        let role = RoleLine {
            role: ROLE.parse().unwrap(),
            display_name: "Cardiology on call".into(),
            assignments: turns.collect(),
            custodian: Some(self.eve.user().clone()),
        };
        let request = self.world.hospital.request_role(role, now);
        self.world.publish_request(&request).await.unwrap();
    }

    /// Ada's message to Ben with these tiers behind it.
    pub(crate) async fn raise(&self, tiers: Vec<v1::HeldTier>) -> v1::Submission {
        let mut message = submission("stat", &[&self.ben]);
        message.deposit = Some(deposit(tiers));
        let outcome = self.world.send(&self.ada, message.clone()).await.unwrap();
        assert!(outcome.refused.is_empty());
        message
    }

    /// Time passes, and what is due then is released.
    pub(crate) async fn pass(&self, time: Duration) {
        self.world.advance(time);
        self.world.relay.release_due().await.unwrap();
    }

    /// The contents of what a device was given, notices apart.
    pub(crate) async fn given(&self, device: &Device) -> Vec<Bytes> {
        let envelopes = self.world.receive(device).await.unwrap().envelopes;
        let sealed = envelopes.into_iter().filter(|e| e.notice.is_none());
        sealed.map(|envelope| envelope.content).collect()
    }

    /// What the relay itself told a device.
    pub(crate) async fn notices(&self, device: &Device) -> Vec<Notice> {
        let envelopes = self.world.receive(device).await.unwrap().envelopes;
        let notices = envelopes.into_iter().filter_map(|envelope| {
            let notice = envelope.notice?;
            assert_eq!(envelope.sender_device, self.ada.id().to_vec());
            assert!(envelope.key.is_none() && envelope.content.is_empty());
            Some(notice)
        });
        notices.collect()
    }

    pub(crate) async fn cancel(
        &self,
        device: &Device,
        answer: v1::Submission,
    ) -> Result<v1::CancelResponse, Refusal> {
        self.world.ask(device, &self.cancel_call(answer)).await
    }

    pub(crate) fn cancel_call(&self, answer: v1::Submission) -> v1::CancelRequest {
        v1::CancelRequest {
            deposit_id: DEPOSIT.to_vec(),
            sender_device: self.ada.id().to_vec(),
            stop_secret: SECRET.to_vec(),
            acknowledgement: Some(answer),
            checkpoint: 3,
        }
    }

    pub(crate) async fn advance(
        &self,
        device: &Device,
        tier: u32,
        answer: v1::Submission,
    ) -> Result<v1::AdvanceResponse, Refusal> {
        let call = v1::AdvanceRequest {
            deposit_id: DEPOSIT.to_vec(),
            sender_device: self.ada.id().to_vec(),
            stop_secret: SECRET.to_vec(),
            tier,
            acknowledgement: Some(answer),
            checkpoint: 3,
        };
        self.world.ask(device, &call).await
    }
}

pub(crate) fn deposit(tiers: Vec<v1::HeldTier>) -> v1::Deposit {
    v1::Deposit {
        deposit_id: DEPOSIT.to_vec(),
        stop_hash: Hash::of(&SECRET).as_bytes().to_vec(),
        content: b"held content".to_vec(),
        tiers,
    }
}

/// A tier for these people, sealed for their devices.
pub(crate) fn tier(wait: Duration, people: &[&Device]) -> v1::HeldTier {
    v1::HeldTier {
        user_ids: people.iter().map(|d| d.user().to_string()).collect(),
        ..sealed(wait, people)
    }
}

/// A tier for whoever holds the role, sealed for these devices.
pub(crate) fn role_tier(wait: Duration, devices: &[&Device]) -> v1::HeldTier {
    v1::HeldTier {
        role_ids: vec![ROLE.into()],
        ..sealed(wait, devices)
    }
}

fn sealed(wait: Duration, devices: &[&Device]) -> v1::HeldTier {
    v1::HeldTier {
        envelope_id: submission("", &[]).envelope_id,
        wait_ms: wait.as_millis().try_into().unwrap(),
        keys: devices.iter().map(|device| hold_key(device)).collect(),
        ..Default::default()
    }
}

pub(crate) fn hold_key(device: &Device) -> v1::SealedKey {
    v1::SealedKey {
        suite: v1::Suite::HpkeHold.into(),
        olm_type: 0,
        ciphertext: Bytes::from_static(b"an encapsulated key is 32 bytes, and then what is sealed"),
        ..sealed_key(device)
    }
}

/// An answer for these devices.
pub(crate) fn answer(to: &[&Device]) -> v1::Submission {
    submission("answer", to)
}

pub(crate) fn released(tier: u32, at: Timestamp, to: &[&Device]) -> v1::Released {
    v1::Released {
        deposit_id: DEPOSIT.to_vec(),
        tier,
        at_ms: at.as_millis(),
        device_ids: to.iter().map(|device| device.id().to_vec()).collect(),
        advanced: false,
        due_role_ids: Vec::new(),
    }
}

/// A name that follows from a number.
pub(crate) fn envelope(number: u16, at: Timestamp) -> Vec<u8> {
    let mut id = EnvelopeId::generate(at).unwrap().to_vec();
    id[14..].copy_from_slice(&number.to_be_bytes());
    id
}

pub(crate) const DEPOSIT: [u8; 16] = [7; 16];
pub(crate) const SECRET: [u8; 32] = [8; 32];
pub(crate) const ROLE: &str = "cardiology-on-call";
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);
