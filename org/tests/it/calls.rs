use std::{sync::Arc, time::Duration};

use wardline_org::call::{CallRefused, CallSigner, Caller, IncomingCall, VerifiedCall, Window};
use wardline_org::{Request, Signer, SoftwareSigner, Timestamp};
use wardline_proto::v1;

use crate::support::{Device, start};

fn signer(device: &Device) -> CallSigner {
    CallSigner::new(
        Caller::Device(device.id()),
        "mercy".parse().unwrap(),
        "relay.mercy.example".parse().unwrap(),
        Arc::new(device.signer.clone()),
    )
}

fn signed(device: &Device) -> Request {
    let mut request = Request::new(&v1::CheckpointRequest { counter: 7 });
    signer(device).sign(&mut request, start()).unwrap();
    request
}

fn verify(request: &Request, device: &Device, now: Timestamp) -> Result<VerifiedCall, CallRefused> {
    let relay = "relay.mercy.example".parse().unwrap();
    IncomingCall::parse(request)?.verify(
        &device.signer.public_key(),
        &relay,
        Window::default(),
        now,
    )
}

fn with_header(request: &Request, name: &str, value: &str) -> Request {
    let mut request = request.clone();
    for (n, v) in &mut request.headers {
        if n == name {
            *v = value.to_owned();
        }
    }
    request
}

#[test]
fn a_signed_call_names_its_caller_organization_time_and_nonce() {
    let device = Device::new("DR-CA-001", 1);
    let verified = verify(&signed(&device), &device, start()).unwrap();
    assert_eq!(verified.caller, Caller::Device(device.id()));
    assert_eq!(verified.org.as_str(), "mercy");
    assert_eq!(verified.created, start());
    assert_eq!(verified.remember_until, start() + Duration::from_secs(300));
}

#[test]
fn a_replayed_call_shows_the_same_nonce_and_an_old_one_is_outside_the_window() {
    let device = Device::new("DR-CA-001", 1);
    let request = signed(&device);
    let first = verify(&request, &device, start()).unwrap();
    let again = verify(&request, &device, start() + Duration::from_secs(60)).unwrap();
    assert_eq!((again.caller, &again.nonce), (first.caller, &first.nonce));
    assert_ne!(
        verify(&signed(&device), &device, start()).unwrap().nonce,
        first.nonce
    );

    // As soon as the nonce may be forgotten, the window refuses the call.
    let later = first.remember_until + Duration::from_millis(1);
    assert_eq!(verify(&request, &device, later), Err(CallRefused::Clock));
    let before = start() - Duration::from_secs(301);
    assert_eq!(verify(&request, &device, before), Err(CallRefused::Clock));
}

#[test]
fn a_body_altered_after_signing_is_refused() {
    let device = Device::new("DR-CA-001", 1);
    let mut request = signed(&device);
    request.body = [&request.body[..], &[0]].concat().into();
    assert_eq!(
        verify(&request, &device, start()),
        Err(CallRefused::BodyAltered)
    );

    // With a digest that fits the new body, the signature no longer does.
    let mut other = Request::new(&v1::CheckpointRequest { counter: 8 });
    signer(&Device::new("x", 9))
        .sign(&mut other, start())
        .unwrap();
    let mut request = with_header(
        &signed(&device),
        "content-digest",
        other.header("content-digest").unwrap(),
    );
    request.body = other.body;
    assert_eq!(
        verify(&request, &device, start()),
        Err(CallRefused::BadSignature)
    );
}

#[test]
fn an_altered_path_organization_or_relay_is_refused() {
    let device = Device::new("DR-CA-001", 1);
    let mut request = signed(&device);
    request.path = "/wardline.v1.Relay/Acknowledge".into();
    assert_eq!(
        verify(&request, &device, start()),
        Err(CallRefused::BadSignature)
    );

    let request = with_header(&signed(&device), "wardline-organization", "general");
    assert_eq!(
        verify(&request, &device, start()),
        Err(CallRefused::BadSignature)
    );

    let request = with_header(&signed(&device), "wardline-relay", "relay.other.example");
    assert_eq!(
        verify(&request, &device, start()),
        Err(CallRefused::OtherRelay)
    );
}

#[test]
fn a_path_that_breaks_out_of_its_line_is_refused() {
    let device = Device::new("DR-CA-001", 1);
    let mut request = signed(&device);
    request.path.push_str("\n\"@method\": POST");
    assert_eq!(
        verify(&request, &device, start()),
        Err(CallRefused::Malformed)
    );
}

#[test]
fn somebody_elses_signature_is_refused() {
    let (device, other) = (Device::new("DR-CA-001", 1), Device::new("DR-CA-002", 2));
    assert_eq!(
        verify(&signed(&device), &other, start()),
        Err(CallRefused::BadSignature)
    );
}

#[test]
fn a_signature_that_covers_less_is_refused() {
    let device = Device::new("DR-CA-001", 1);
    let request = signed(&device);
    let input = request.header("signature-input").unwrap();
    for altered in [
        input.replace("\"@path\" ", ""),
        input.replace("\"@path\"", "\"@method\""),
        input.replace("\"@path\"", "\"@path\";req"),
        input.replace(";alg=\"ed25519\"", ""),
        input.replace("wardline/v1/call", "other"),
        input.replace("wardline=", "other="),
        input.replace(";keyid=", ";expires=1;keyid="),
        "wardline".to_owned(),
    ] {
        let request = with_header(&request, "signature-input", &altered);
        assert_eq!(
            verify(&request, &device, start()),
            Err(CallRefused::Malformed),
            "{altered}"
        );
    }
    // Time and nonce are covered too.
    let later = input.replace("created=1795348800", "created=1795348801");
    assert_ne!(later, input);
    let request = with_header(&request, "signature-input", &later);
    assert_eq!(
        verify(&request, &device, start()),
        Err(CallRefused::BadSignature)
    );
}

#[test]
fn a_doubled_header_is_refused() {
    let device = Device::new("DR-CA-001", 1);
    let mut request = signed(&device);
    request
        .headers
        .push(("Wardline-Organization".into(), "general".into()));
    assert_eq!(
        verify(&request, &device, start()),
        Err(CallRefused::Malformed)
    );
}

#[test]
fn an_unsigned_call_is_told_apart() {
    let request = Request::new(&v1::CheckpointRequest { counter: 7 });
    assert_eq!(
        IncomingCall::parse(&request).err(),
        Some(CallRefused::Unsigned)
    );
}

#[test]
fn another_implementation_may_list_the_components_in_its_own_order() {
    let device = Device::new("DR-CA-001", 1);
    let request = signed(&device);
    let input = request
        .header("signature-input")
        .unwrap()
        .replace("\"@method\" \"@path\"", "\"@path\" \"@method\"");
    let base = format!(
        "\"@path\": {}\n\"@method\": POST\n\"content-digest\": {}\n\"wardline-organization\": mercy\n\
         \"wardline-relay\": relay.mercy.example\n\"@signature-params\": {}",
        request.path,
        request.header("content-digest").unwrap(),
        input.strip_prefix("wardline=").unwrap(),
    );
    let signature = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        device.signer.sign(base.as_bytes()),
    );
    let request = with_header(&request, "signature-input", &input);
    let request = with_header(&request, "signature", &format!("wardline=:{signature}:"));
    assert!(verify(&request, &device, start()).is_ok());
}

#[test]
fn signing_again_replaces_the_signature() {
    let device = Device::new("DR-CA-001", 1);
    let mut request = signed(&device);
    signer(&device).sign(&mut request, start()).unwrap();
    assert!(verify(&request, &device, start()).is_ok());
    let key = SoftwareSigner::from_seed(&[1; 32]);
    assert_eq!(key.public_key(), device.signer.public_key());
}
