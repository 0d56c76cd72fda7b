//! The worked request in `docs/src/protocol.md` is what this crate signs and accepts: whoever writes a
//! client of their own starts from it.

use wardline_org::{
    Timestamp,
    call::{Caller, IncomingCall, Window},
    transport::Request,
};
use wardline_proto::{Message, v1};

#[test]
fn worked_request_of_the_book_is_accepted() {
    let request = Request {
        path: path(),
        headers: headers(),
        body: hex::decode("0829").unwrap().into(),
    };
    assert_eq!(
        v1::HeadRequest::decode(request.body.clone()).unwrap(),
        v1::HeadRequest {
            known_version: 41,
            ..Default::default()
        }
    );

    let incoming = IncomingCall::parse(&request).unwrap();
    assert_eq!(incoming.caller(), Caller::Authority);
    let relay = "relay.mercy.example".parse().unwrap();
    let now = Timestamp::from_millis(1_795_000_000_000);
    let verified = incoming.verify(&public_key(), &relay, Window::default(), now);
    assert_eq!(verified.unwrap().org.as_str(), "mercy");
}

/// `POST /wardline.v1.Relay/Head HTTP/1.1`, from the block of code that is sent.
fn path() -> String {
    let line = sent().next().unwrap();
    line.split(' ').nth(1).unwrap().to_owned()
}

fn headers() -> Vec<(String, String)> {
    let lines = sent().skip(1).map(|line| line.split_once(": ").unwrap());
    lines
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect()
}

fn sent() -> impl Iterator<Item = &'static str> {
    let (_, block) = PAGE.split_once("```http\n").expect("a block of code");
    block.split("```").next().unwrap().lines()
}

pub(crate) fn public_key() -> [u8; 32] {
    let (_, rest) = PAGE.split_once("The public key is\n`").expect("the key");
    hex::decode(&rest[..64]).unwrap().try_into().unwrap()
}

const PAGE: &str = include_str!("../../../docs/src/protocol.md");
