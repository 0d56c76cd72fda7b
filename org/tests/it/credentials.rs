use wardline_org::{SignedCredential, SoftwareSigner, credential::CredentialError};
use wardline_proto::{Message, v1};

use crate::support::{Device, plain};

#[test]
fn a_signed_credential_reads_back_and_keeps_its_bytes() {
    let device = Device::new("DR-CA-001", 1);
    let signed = &device.credential;
    let read = SignedCredential::verify(signed.bytes(), signed.signature()).unwrap();
    assert_eq!(&read, signed);
    assert_eq!(read.device_id(), device.id());
    assert!(read.credential().supports("wardline.text/1"));
    assert!(!read.credential().supports("wardline.recall/1"));
    assert!(!format!("{read:?}").contains("ward phone"));
}

#[test]
fn a_field_from_a_later_version_travels_on_under_the_signature() {
    let device = Device::new("DR-CA-001", 1);
    let mut bytes = device.credential.bytes().to_vec();
    bytes.extend([0xfa, 0x06, 0x01, 0x2a]); // field 111, one byte
    let signature =
        wardline_org::signer::sign_tagged(&device.signer, "credential", bytes.as_slice());
    let read = SignedCredential::verify(&bytes, &signature).unwrap();
    assert_eq!(read.bytes(), bytes);
    assert_eq!(read.device_id(), device.id());
}

#[test]
fn a_credential_with_swapped_keys_is_refused() {
    let device = Device::new("DR-CA-001", 1);
    let mut message = v1::DeviceCredential::decode(device.credential.bytes()).unwrap();
    std::mem::swap(&mut message.ed25519, &mut message.curve25519);
    let refused = SignedCredential::verify(&message.encode_to_vec(), device.credential.signature());
    assert!(refused.is_err());

    let other = Device::new("DR-CA-002", 2);
    let mut message = v1::DeviceCredential::decode(device.credential.bytes()).unwrap();
    message.curve25519 = other.credential.credential().curve25519.to_vec();
    let refused = SignedCredential::verify(&message.encode_to_vec(), device.credential.signature());
    assert!(matches!(refused, Err(CredentialError::BadSignature(_))));
}

#[test]
fn a_credential_for_somebody_elses_key_cannot_be_made() {
    let mine = SoftwareSigner::from_seed(&[1; 32]);
    let theirs = SoftwareSigner::from_seed(&[2; 32]);
    let refused = SignedCredential::create(&mine, plain("DR-CA-001", &theirs, 2));
    assert_eq!(refused.unwrap_err(), CredentialError::OtherKey);
}

#[test]
fn weak_keys_are_refused() {
    let signer = SoftwareSigner::from_seed(&[1; 32]);
    let mut credential = plain("DR-CA-001", &signer, 1);
    credential.curve25519 = [0; 32];
    let refused = SignedCredential::create(&signer, credential);
    assert_eq!(refused.unwrap_err(), CredentialError::WeakKey);

    // The neutral point: everything is a valid signature under it.
    let mut message =
        v1::DeviceCredential::decode(Device::new("DR-CA-001", 1).credential.bytes()).unwrap();
    message.ed25519 = vec![0; 32];
    message.ed25519[0] = 1;
    let refused = SignedCredential::verify(&message.encode_to_vec(), &[0; 64]);
    assert_eq!(refused.unwrap_err(), CredentialError::WeakKey);
}

#[test]
fn an_unknown_version_says_so() {
    let device = Device::new("DR-CA-001", 1);
    let mut message = v1::DeviceCredential::decode(device.credential.bytes()).unwrap();
    message.version = 2;
    let refused = SignedCredential::verify(&message.encode_to_vec(), &[0; 64]);
    assert_eq!(refused.unwrap_err(), CredentialError::Version(2));
}

#[test]
fn oversized_fields_are_refused() {
    let signer = SoftwareSigner::from_seed(&[1; 32]);
    let mut long_label = plain("DR-CA-001", &signer, 1);
    long_label.label = "x".repeat(129);
    let mut many = plain("DR-CA-001", &signer, 1);
    many.capabilities = vec!["c".into(); 65];
    let mut odd = plain("DR-CA-001", &signer, 1);
    odd.capabilities = vec!["line\nbreak".into()];
    for credential in [long_label, many, odd] {
        let refused = SignedCredential::create(&signer, credential);
        assert_eq!(refused.unwrap_err(), CredentialError::Malformed);
    }
}
