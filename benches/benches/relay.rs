//! What a relay carries in a second: `Send` to a care team's devices, and `Receive`.

use wardline_benches::{
    bare, load,
    measure::Measure,
    ratio::Goal,
    scene,
    stranger::{self, NOW, Stranger},
};
use wardline_org::{EnvelopeId, Request};
use wardline_proto::v1;
use wardline_relay::{Server, ServerOptions};
use wardline_tests::Ward;

fn main() {
    let mut measure = Measure::into(env!("CARGO_TARGET_TMPDIR"));
    let (ward, devices, server) = measure.runtime.block_on(site());
    let disk = tempfile::tempdir().unwrap();
    let bare = measure.runtime.block_on(bare::Relay::start(disk.path()));

    let sends = || (0..CALLS).map(|number| send(&devices, number % devices.len()));
    measure.long_runs(
        SEND,
        |runtime| {
            let calls = sends().map(|(request, sender)| signed(&devices[sender], request));
            runtime.block_on(load::run(server.address(), calls.collect(), CONNECTIONS))
        },
        |runtime| {
            let calls = sends().map(|(request, _)| load::encode(&request));
            runtime.block_on(load::run(bare.address(), calls.collect(), CONNECTIONS))
        },
    );
    // The mailboxes are full of what was sent.
    let receives = || (0..CALLS).map(|number| number % devices.len());
    measure.long_runs(
        RECEIVE,
        |runtime| {
            let calls = receives().map(|device| signed(&devices[device], receive(Vec::new())));
            runtime.block_on(load::run(server.address(), calls.collect(), CONNECTIONS))
        },
        |runtime| {
            let calls = receives().map(|device| load::encode(&receive(devices[device].device())));
            runtime.block_on(load::run(bare.address(), calls.collect(), CONNECTIONS))
        },
    );
    measure.report(&[SEND, RECEIVE]);
    drop(ward);
}

async fn site() -> (Ward, Vec<Stranger>, Server) {
    let people = scene::people(DEVICES / 2);
    let (mut ward, _) = scene::ward(&people).await;
    let devices = stranger::enroll(&ward, &people, 2).await;
    ward.publish().await;
    let server = Server::start(ward.relay().clone(), ServerOptions::local());
    let server = server.await.unwrap();
    (ward, devices, server)
}

/// One message to the 18 devices after the sender's, as large as a critical result is.
fn send(devices: &[Stranger], sender: usize) -> (Request, usize) {
    let keys = (1..=18).map(|next| v1::SealedKey {
        device_id: devices[(sender + next) % devices.len()].device(),
        suite: v1::Suite::OlmV2.into(),
        olm_type: 1,
        ciphertext: vec![7; 350].into(),
        ..Default::default()
    });
    let envelope_id = EnvelopeId::generate(NOW).unwrap().to_vec();
    let submission = v1::Submission {
        envelope_id,
        content: vec![9; 1024].into(),
        keys: keys.collect(),
        wake: v1::WakeClass::Critical.into(),
        deposit: None,
    };
    let call = v1::SendRequest {
        submissions: vec![submission],
        checkpoint: 1,
    };
    (Request::new(&call), sender)
}

/// A page of a mailbox. The bare relay takes the device from the epoch.
fn receive(epoch: Vec<u8>) -> Request {
    Request::new(&v1::ReceiveRequest {
        epoch,
        max: 20,
        ..Default::default()
    })
}

fn signed(device: &Stranger, mut request: Request) -> load::Bytes {
    device.signer().sign(&mut request, NOW).unwrap();
    load::encode(&request)
}

const SEND: Goal = Goal::at_least("relay, Send to 18 devices", 0.6);
const RECEIVE: Goal = Goal::at_least("relay, Receive", 0.6);
const DEVICES: usize = 100;
const CALLS: usize = 2_000;
const CONNECTIONS: usize = 16;
