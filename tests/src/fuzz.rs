//! Body of the fuzz target of a client: whatever a relay, or a proxy before it, answers to its calls.
//!
//! It takes any bytes, comes back, and panics when the device then says what nobody signed. An ordinary
//! test replays its corpus.

use std::{cell::OnceCell, fs, path::Path, sync::Arc};

use tokio::runtime::Runtime;
use wardline::{Client, Recipient, testing};
use wardline_org::{ManualClock, Response, Timestamp, Transport};

use crate::{Faults, Phone, Ward, settle, text};

/// The calls of a client, in the order in which it makes them.
pub const CALLS: [&str; 9] = [
    "checkpoint",
    "head",
    "offer",
    "entries",
    "claim",
    "send",
    "receive",
    "acknowledge",
    "reachability",
];

/// The first byte chooses the call, the next two are the status, the rest is the body.
pub fn relay_answers(data: &[u8]) {
    thread_local!(static DEVICE: OnceCell<Device> = const { OnceCell::new() });
    let Some((&[call, high, low], body)) = data.split_first_chunk() else {
        return;
    };
    let call = CALLS[usize::from(call) % CALLS.len()];
    let answer = Response {
        status: u16::from_be_bytes([high, low]),
        body: body.to_vec().into(),
    };
    DEVICE.with(|device| {
        let device = device.get_or_init(Device::new);
        device.runtime.block_on(device.hears(call, answer));
    });
}

/// A device that was closed with a message to send and one to fetch, and its relay.
pub struct Device {
    runtime: Runtime,
    ward: Ward,
    closed: Phone,
}

impl Device {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let (ward, closed) = runtime.block_on(async {
            let clock = Arc::new(ManualClock::new(START));
            let mut ward = Ward::open_at(&["NS-1", "DR-1", "PH-1"], clock).await;
            let nurse = ward.phone("NS-1").await;
            let doctor = ward.phone("DR-1").await;
            let pharmacist = ward.phone("PH-1").await;
            settle(&[&nurse, &doctor, &pharmacist], 1).await;
            let to = |phone: &Phone| Recipient::Person(phone.user.clone());
            doctor.say(to(&nurse), &text(1)).await;
            settle(&[&doctor, &nurse, &doctor], 1).await;
            // The pharmacist is not known yet: entries and keys have to be asked for.
            doctor.say(to(&pharmacist), &text(2)).await;
            doctor.client.close().await.unwrap();
            nurse.say(to(&doctor), &text(3)).await;
            nurse.client.sync_once().await.unwrap();
            (ward, doctor)
        });
        Self {
            runtime,
            ward,
            closed,
        }
    }

    async fn hears(&self, call: &str, answer: Response) {
        let folder = tempfile::tempdir().unwrap();
        let client = self.copy(folder.path()).await;
        let before = self.said(&client).await;
        if let Some(id) = self.until(&client, call).await {
            let honest = self.said(&client).await;
            // Whatever it makes of it is fine, as long as it is a typed answer.
            let _ = client.complete(id, answer).await;
            let after = self.said(&client).await;
            assert!(
                after == before || after == honest,
                "nobody signed {after:?}"
            );
            assert_eq!(client.check_audit().await.unwrap(), None);
        }
        client.close().await.unwrap();
    }

    /// What is in the store by somebody else's word: messages, what was delivered and read.
    async fn said(&self, client: &Client) -> Vec<String> {
        let messages =
            "SELECT count(*), coalesce(sum(read_at), 0) FROM message WHERE direction = 2";
        let receipts = "SELECT count(*) FROM recipient WHERE state > 2";
        let words = "SELECT count(availability) FROM reach";
        let mut said = Vec::new();
        for (what, columns) in [(messages, "*"), (receipts, "*"), (words, "*")] {
            said.extend(
                testing::rows(client, &format!("({what})"), columns)
                    .await
                    .unwrap(),
            );
        }
        said
    }

    /// Lets the real relay answer until the client makes this call.
    async fn until(&self, client: &Client, call: &str) -> Option<wardline::RequestId> {
        let transport = self.ward.relay().local();
        for _ in 0..MOST_ROUNDS {
            let pending = client.pending_requests().await.unwrap();
            let wanted = pending
                .iter()
                .find(|ask| ask.id.to_string().starts_with(call));
            if let Some(wanted) = wanted {
                return Some(wanted.id);
            }
            // What is fetched tells some of what would be asked for: that comes last.
            let Some(ask) = pending.into_iter().next() else {
                break;
            };
            let answer = transport.call(ask.request).await.unwrap();
            client.complete(ask.id, answer).await.unwrap();
        }
        None
    }

    async fn copy(&self, folder: &Path) -> Client {
        for extension in ["", "keys"] {
            let from = self.closed.folder.with_extension(extension);
            let to = folder.join("phone").with_extension(extension);
            fs::create_dir(&to).unwrap();
            fs::set_permissions(&to, fs::metadata(&from).unwrap().permissions()).unwrap();
            for file in fs::read_dir(from).unwrap() {
                let file = file.unwrap();
                fs::copy(file.path(), to.join(file.file_name())).unwrap();
            }
        }
        let nobody = Faults::new(Arc::new(self.ward.relay().local()));
        nobody.cut();
        let config = self.ward.config(&folder.join("phone"), Arc::new(nobody));
        Client::open(config).await.unwrap()
    }

    /// What the real relay answers to each call, as the fuzzer's input.
    pub fn honest_answers() -> Vec<(&'static str, Vec<u8>)> {
        let device = Self::new();
        let mut inputs = Vec::new();
        device.runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let client = device.copy(folder.path()).await;
            let transport = device.ward.relay().local();
            for _ in 0..MOST_ROUNDS {
                let pending = client.pending_requests().await.unwrap();
                if let Some(ask) = pending.into_iter().next() {
                    let id = ask.id.to_string();
                    let answer = transport.call(ask.request).await.unwrap();
                    let (place, call) = (0..)
                        .zip(CALLS)
                        .find(|(_, call)| id.starts_with(call))
                        .unwrap();
                    let status = answer.status.to_be_bytes();
                    let input = [&[place][..], &status, &answer.body].concat();
                    if !inputs.iter().any(|(known, _)| *known == call) {
                        inputs.push((call, input));
                    }
                    client.complete(ask.id, answer).await.unwrap();
                }
            }
        });
        inputs
    }
}

const START: Timestamp = Timestamp::from_millis(1_795_000_000_000);
/// More than it takes to get from the first call to the last.
const MOST_ROUNDS: usize = 14;
