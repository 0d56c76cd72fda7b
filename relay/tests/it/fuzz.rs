//! Body of the fuzz target of the relay: calls as a hostile device, a careless authority or a stranger
//! may make them. It stands here, beside the hospital whose keys are at hand, so that `cargo test` replays
//! the corpus in `fuzz/corpus` with the same code that the fuzzer runs.

use wardline_org::{Refusal, Request, transport::SERVICE_PATH};
use wardline_proto::{Bytes, Message, v1};

use crate::{
    hospital::Device,
    world::{Cast, RELAY, World, cast},
};

/// Every call there is.
pub(crate) const METHODS: [&str; 20] = [
    "Enroll",
    "Head",
    "Entries",
    "Enrollments",
    "PublishHead",
    "UploadKeys",
    "ClaimKeys",
    "Send",
    "Receive",
    "Acknowledge",
    "Withdraw",
    "Checkpoint",
    "OrderWipe",
    "Wipes",
    "ConfirmWipe",
    "RegisterPush",
    "Cancel",
    "Advance",
    "SetAvailability",
    "Reachability",
];

/// Some calls, one after the other: each is a caller, a method, a length of two bytes, and a body.
pub(crate) fn relay_calls(data: &[u8]) {
    thread_local!(static TARGET: Target = Target::new());
    TARGET.with(|target| {
        let mut rest = data;
        for _ in 0..MOST_CALLS {
            let Some((&[caller, method, high, low], after)) = rest.split_first_chunk() else {
                return;
            };
            let length = usize::from(u16::from_be_bytes([high, low])).min(after.len());
            let (body, after) = after.split_at(length);
            let method = METHODS[usize::from(method) % METHODS.len()];
            // A decoded `Receive` may ask to wait: not while fuzzing.
            target.call(caller, method, body, Some("50"));
            rest = after;
        }
    });
}

/// One runtime and one relay for all cases: opening one costs more than the case.
pub(crate) struct Target {
    pub(crate) world: World,
    pub(crate) ada: Device,
    ben: Device,
    runtime: tokio::runtime::Runtime,
}

impl Target {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let Cast { ada, ben, .. } = cast();
        let world = runtime.block_on(World::with_devices(&[&ada, &ben], |config| {
            config.quotas.device = wardline_relay::Rate::new(u32::MAX, u32::MAX);
            config.quotas.organization = wardline_relay::Rate::new(u32::MAX, u32::MAX);
            config.quotas.enrollments = wardline_relay::Rate::new(u32::MAX, u32::MAX);
        }));
        Self {
            world,
            ada,
            ben,
            runtime,
        }
    }

    /// The status of an answer, which is a Connect error of ours if it is none of success.
    pub(crate) fn answer(&self, request: Request) -> u16 {
        let relay = &self.world.relay;
        let answer = self.runtime.block_on(relay.handle(request));
        if answer.status != 200 && !answer.body.is_empty() {
            let refusal = Refusal::from_response(&answer);
            assert!(refusal.code.as_str().starts_with("WL-RELAY-"));
        }
        answer.status
    }

    /// A call in the name of somebody.
    fn call(&self, caller: u8, method: &str, body: &[u8], patience_ms: Option<&str>) -> u16 {
        let mut request = plain(method, self.with_epoch(caller, method, body));
        let hospital = &self.world.hospital;
        let signer = match caller % 4 {
            NOBODY => None,
            ADA => Some(self.ada.calls(RELAY)),
            BEN => Some(self.ben.calls(RELAY)),
            _ => Some(hospital.calls(RELAY)),
        };
        if let Some(signer) = &signer {
            signer.sign(&mut request, self.world.now()).unwrap();
        }
        if let Some(patience) = patience_ms {
            request
                .headers
                .push(("connect-timeout-ms".into(), patience.into()));
        }
        let status = self.answer(request);
        assert!(
            status < 500 || status == 501 || status == 504,
            "{method} breaks the relay: {status}"
        );
        let for_authority = ["Enrollments", "PublishHead", "OrderWipe", "Wipes"].contains(&method);
        let entitled = match caller % 4 {
            NOBODY => false,
            ADA | BEN => !for_authority,
            _ => for_authority || ["Head", "Entries"].contains(&method),
        };
        // No ticket was ever minted here, so nobody enrolls; and no device obeyed an order.
        assert!(
            status != 200 || entitled && !["Enroll", "ConfirmWipe"].contains(&method),
            "{method} is carried out for somebody who may not"
        );
        status
    }

    /// The same body, with the caller's real epoch for the word `now`: no fuzzer guesses one.
    fn with_epoch(&self, caller: u8, method: &str, body: &[u8]) -> Bytes {
        let device = if caller % 4 == ADA {
            &self.ada
        } else {
            &self.ben
        };
        if method == "Acknowledge"
            && let Ok(mut call) = v1::AcknowledgeRequest::decode(body)
            && call.epoch == b"now"
        {
            let mailbox = self.runtime.block_on(self.world.receive(device));
            call.epoch = mailbox.unwrap().epoch;
            return call.encode_to_vec().into();
        }
        Bytes::copy_from_slice(body)
    }
}

/// An unsigned request.
pub(crate) fn plain(method: &str, body: Bytes) -> Request {
    Request {
        path: format!("{SERVICE_PATH}{method}"),
        headers: vec![
            ("content-type".into(), "application/proto".into()),
            ("connect-protocol-version".into(), "1".into()),
        ],
        body,
    }
}

const MOST_CALLS: usize = 8;
const NOBODY: u8 = 0;
const ADA: u8 = 1;
const BEN: u8 = 2;
#[cfg(test)]
const AUTHORITY: u8 = 3;

#[cfg(test)]
mod tests {
    use wardline_org::{EnvelopeId, prekey::PrekeyKind, transport::RelayCall};

    use super::*;
    use crate::{
        hospital::{away, start},
        world::sealed_key,
    };

    include!("../../../fuzz/replay.rs");

    #[test]
    fn corpus_replays() {
        replay("relay_calls", relay_calls);
    }

    /// The fuzzer starts from calls that are carried out. When a form changes on purpose, run this once
    /// with `WARDLINE_WRITE_CORPUS=1`, and keep the old inputs under other names.
    #[test]
    fn good_calls_are_in_the_corpus() {
        let target = Target::new();
        let ben = &target.ben;
        let id = EnvelopeId::generate(start()).unwrap();
        // The same every time: a name is made of a time and of chance.
        let name = [&id.to_vec()[..6], &[0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 1]].concat();
        let submission = v1::Submission {
            envelope_id: name.clone(),
            content: Bytes::from_static(b"sealed content"),
            keys: vec![sealed_key(ben)],
            wake: 1,
            deposit: None,
        };
        let send = v1::SendRequest {
            submissions: vec![submission],
            checkpoint: 1,
        };
        let upload = v1::UploadKeysRequest {
            one_time_keys: vec![ben.prekey(PrekeyKind::OneTime, 7)],
            fallback_key: Some(ben.prekey(PrekeyKind::Fallback, 8)),
            hold_key: Some(ben.prekey(PrekeyKind::Hold, 9)),
            replace: true,
        };
        let claim = v1::ClaimKeysRequest {
            device_ids: vec![ben.id().to_vec()],
            hold_device_ids: Vec::new(),
        };
        let query = |key: &str| v1::EntryQuery {
            key: key.to_owned(),
            known_hash: Vec::new(),
        };
        let entries = v1::EntriesRequest {
            head_version: 1,
            queries: vec![query("person/ada"), query("team/none")],
        };
        let acknowledge = v1::AcknowledgeRequest {
            up_to: 1,
            epoch: b"now".to_vec(),
            checkpoint: 3,
        };
        let withdraw = v1::WithdrawRequest {
            envelope_id: name.clone(),
        };
        let another = |last: u8| [&name[..15], &[last]].concat();
        let tiers = [2, 3].map(|number| v1::HeldTier {
            envelope_id: another(number),
            wait_ms: 60_000,
            user_ids: vec!["ben".into()],
            role_ids: vec!["on-call".into()],
            keys: vec![crate::held::hold_key(ben)],
            wake: 2,
            ..Default::default()
        });
        let held = v1::SendRequest {
            submissions: vec![v1::Submission {
                envelope_id: another(4),
                keys: vec![sealed_key(ben)],
                deposit: Some(v1::Deposit {
                    tiers: tiers.to_vec(),
                    ..crate::held::deposit(Vec::new())
                }),
                ..Default::default()
            }],
            checkpoint: 4,
        };
        let answer = |last: u8| v1::Submission {
            envelope_id: another(last),
            content: Bytes::from_static(b"answer"),
            keys: vec![sealed_key(&target.ada)],
            ..Default::default()
        };
        let cancel = v1::CancelRequest {
            deposit_id: crate::held::DEPOSIT.to_vec(),
            sender_device: target.ada.id().to_vec(),
            stop_secret: crate::held::SECRET.to_vec(),
            acknowledgement: Some(answer(5)),
            checkpoint: 5,
        };
        let advance = v1::AdvanceRequest {
            deposit_id: cancel.deposit_id.clone(),
            sender_device: cancel.sender_device.clone(),
            stop_secret: cancel.stop_secret.clone(),
            tier: 0,
            acknowledgement: Some(answer(6)),
            checkpoint: 6,
        };
        let hold_keys = v1::ClaimKeysRequest {
            device_ids: Vec::new(),
            hold_device_ids: vec![ben.id().to_vec()],
        };
        let push = v1::RegisterPushRequest {
            token: "740f4707".into(),
            topic: "apns:example.mercy.ward".into(),
        };
        let availability = ben.says(away(start(), "ada"), start());
        let reachability = v1::ReachabilityRequest {
            user_ids: vec!["ben".into(), "nobody".into()],
        };
        let next = target.world.hospital.request(&[], &[], target.world.now());
        let calls = [
            ("head", call(ADA, &v1::HeadRequest::default())),
            ("entries", call(BEN, &entries)),
            (
                "enrollments",
                call(AUTHORITY, &v1::EnrollmentsRequest::default()),
            ),
            ("keys", [call(BEN, &upload), call(ADA, &claim)].concat()),
            ("send", call(ADA, &send)),
            (
                "receive",
                [call(ADA, &send), call(BEN, &v1::ReceiveRequest::default())].concat(),
            ),
            (
                "acknowledge",
                [
                    call(BEN, &v1::ReceiveRequest::default()),
                    call(BEN, &acknowledge),
                ]
                .concat(),
            ),
            (
                "withdraw",
                [call(ADA, &send), call(ADA, &withdraw)].concat(),
            ),
            (
                "checkpoint",
                call(ADA, &v1::CheckpointRequest { counter: 2 }),
            ),
            (
                "held",
                [
                    call(ADA, &hold_keys),
                    call(ADA, &held),
                    call(BEN, &advance),
                    call(BEN, &cancel),
                    call(ADA, &v1::ReceiveRequest::default()),
                ]
                .concat(),
            ),
            ("push", call(BEN, &push)),
            (
                "reach",
                [call(BEN, &availability), call(ADA, &reachability)].concat(),
            ),
            ("publish", call(AUTHORITY, &next)),
            ("enroll", call(NOBODY, &v1::EnrollRequest::default())),
        ];
        let folder =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/relay_calls");
        for (name, bytes) in calls {
            if std::env::var_os("WARDLINE_WRITE_CORPUS").is_some() {
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(folder.join(name), &bytes).unwrap();
            }
            assert!(std::fs::read(folder.join(name)).unwrap() == bytes, "{name}");
            let mut rest = &bytes[..];
            while let Some((&[caller, method, high, low], after)) = rest.split_first_chunk() {
                let (body, after) = after.split_at(u16::from_be_bytes([high, low]).into());
                let method = METHODS[usize::from(method)];
                // However long a busy machine takes.
                let status = target.call(caller, method, body, None);
                assert!(
                    (status == 200) == (method != "Enroll"),
                    "{name}: {method} {status}"
                );
                rest = after;
            }
        }
    }

    fn call<C: RelayCall>(caller: u8, call: &C) -> Vec<u8> {
        let body = call.encode_to_vec();
        let method = METHODS.iter().position(|method| *method == C::METHOD);
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        let head = [caller, u8::try_from(method.unwrap()).unwrap()];
        [&head[..], &length, &body].concat()
    }
}
