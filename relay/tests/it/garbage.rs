//! Whatever comes over the wire is answered: never a panic, never a hang.

use proptest::prelude::*;
use wardline_org::Request;
use wardline_proto::Bytes;

use crate::{
    fuzz::{METHODS, Target, plain},
    world::RELAY,
};

#[test]
fn signed_garbage_is_answered() {
    let target = Target::new();
    let authority = target.world.hospital.calls(RELAY);
    let device = target.ada.calls(RELAY);
    let cases = ProptestConfig::with_cases(200);
    proptest!(cases, |(
        method in prop::sample::select(&METHODS[..]),
        // Fields with any number and any content: most of them decode.
        fields in prop::collection::vec((1_u8..16, prop::collection::vec(any::<u8>(), 0..80)), 0..6),
        tail in prop::collection::vec(any::<u8>(), 0..8),
        as_authority: bool,
    )| {
        let mut body = Vec::new();
        for (number, bytes) in fields {
            body.push(number << 3 | 2);
            body.push(u8::try_from(bytes.len()).unwrap());
            body.extend(bytes);
        }
        body.extend(tail);
        let mut request = plain(method, Bytes::from(body));
        let signer = if as_authority { &authority } else { &device };
        signer.sign(&mut request, target.world.now()).unwrap();
        // Within the caller's time: a decoded `Receive` may ask to wait.
        request.headers.push(("connect-timeout-ms".into(), "300".into()));
        let status = target.answer(request);
        prop_assert!(status < 500 || status == 501 || status == 504, "{method}: {status}");
    });
}

#[test]
fn unsigned_garbage_is_answered() {
    let target = Target::new();
    let cases = ProptestConfig::with_cases(300);
    proptest!(cases, |(
        path in "(/wardline\\.v1\\.Relay/)?[A-Za-z/.%]{0,20}",
        headers in prop::collection::vec(("[a-z-]{1,20}", "[ -~]{0,60}"), 0..8),
        body in prop::collection::vec(any::<u8>(), 0..200),
    )| {
        let request = Request { path, headers, body: body.into() };
        let status = target.answer(request);
        prop_assert!((400..500).contains(&status) || status == 501, "{status}");
    });
}

/// Which of the five headers of a signed call holds the signature.
const SIGNATURE: usize = 4;
/// How far from the end of that header the last character of the signature stands, as in `…A==:`. Four
/// of its six bits say nothing, and a reader should not mind them (RFC 8941, 4.2.7).
const SPARE_BITS: usize = 4;

#[test]
fn damaged_signature_headers_are_refused() {
    let target = Target::new();
    let cases = ProptestConfig::with_cases(300);
    proptest!(cases, |(
        header in 0_usize..5,
        position: prop::sample::Index,
        byte in 0x20_u8..0x7f,
    )| {
        let mut request = plain("Checkpoint", Bytes::from_static(&[8, 1]));
        target.ada.calls(RELAY).sign(&mut request, target.world.now()).unwrap();
        let value = &mut request.headers[2 + header].1;
        let mut bytes = std::mem::take(value).into_bytes();
        let at = position.index(bytes.len());
        let same = bytes[at] == byte || (header == SIGNATURE && at == bytes.len() - SPARE_BITS);
        bytes[at] = byte;
        *value = String::from_utf8(bytes).unwrap();
        let status = target.answer(request);
        prop_assert!((same && status == 200) || (400..500).contains(&status), "{status}");
    });
}
