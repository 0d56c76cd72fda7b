use wardline_org::prekey::{
    Claim, PrekeyError, PrekeyKind, sign_prekey, verify_prekey, verify_prekeys,
};
use wardline_org::{Signer, Timestamp};
use wardline_proto::v1;

use crate::support::{Device, start};

fn key(seed: u8) -> [u8; 32] {
    x25519_dalek::x25519([seed; 32], x25519_dalek::X25519_BASEPOINT_BYTES)
}

fn one_time(device: &Device, seed: u8) -> v1::SignedKey {
    sign_prekey(
        &device.signer,
        device.id(),
        PrekeyKind::OneTime,
        &key(seed),
        None,
    )
}

#[test]
fn a_batch_of_good_keys_is_accepted_in_order() {
    let devices: Vec<Device> = (1..20).map(|seed| Device::new("DR-CA-001", seed)).collect();
    let signing: Vec<_> = devices.iter().map(|d| d.signer.public_key()).collect();
    let keys: Vec<_> = devices.iter().map(|d| one_time(d, 77)).collect();
    let claims: Vec<_> = devices
        .iter()
        .zip(&signing)
        .zip(&keys)
        .map(|((device, signing_key), key)| Claim {
            device: device.id(),
            signing_key,
            kind: PrekeyKind::OneTime,
            key,
        })
        .collect();
    let verified = verify_prekeys(&claims);
    assert_eq!(verified.len(), devices.len());
    for (device, prekey) in devices.iter().zip(verified) {
        assert_eq!(prekey.unwrap().device, device.id());
    }
}

#[test]
fn one_bad_key_costs_one_device_and_not_the_batch() {
    let (good, bad) = (Device::new("DR-CA-001", 1), Device::new("DR-CA-002", 2));
    let (good_key, bad_key) = (good.signer.public_key(), bad.signer.public_key());
    let good_prekey = one_time(&good, 7);
    // The relay swaps in a key of its own.
    let swapped = v1::SignedKey {
        key: key(66).to_vec(),
        ..one_time(&bad, 8)
    };
    let claims = [
        Claim {
            device: bad.id(),
            signing_key: &bad_key,
            kind: PrekeyKind::OneTime,
            key: &swapped,
        },
        Claim {
            device: good.id(),
            signing_key: &good_key,
            kind: PrekeyKind::OneTime,
            key: &good_prekey,
        },
    ];
    let verified = verify_prekeys(&claims);
    assert_eq!(verified[0], Err(PrekeyError::BadSignature));
    assert_eq!(verified[1].unwrap().key, key(7));
}

#[test]
fn a_key_bundle_signed_by_someone_else_is_refused() {
    let (victim, attacker) = (Device::new("DR-CA-001", 1), Device::new("DR-CA-002", 2));
    let forged = sign_prekey(
        &attacker.signer,
        victim.id(),
        PrekeyKind::OneTime,
        &key(7),
        None,
    );
    let signing_key = victim.signer.public_key();
    let claim = Claim {
        device: victim.id(),
        signing_key: &signing_key,
        kind: PrekeyKind::OneTime,
        key: &forged,
    };
    assert_eq!(verify_prekey(claim), Err(PrekeyError::BadSignature));
    assert_eq!(verify_prekeys(&[claim]), [Err(PrekeyError::BadSignature)]);
}

#[test]
fn a_key_does_not_pass_for_another_kind_device_or_time() {
    let device = Device::new("DR-CA-001", 1);
    let signing_key = device.signer.public_key();
    let hold = sign_prekey(
        &device.signer,
        device.id(),
        PrekeyKind::Hold,
        &key(7),
        Some(start()),
    );
    let claim = Claim {
        device: device.id(),
        signing_key: &signing_key,
        kind: PrekeyKind::Hold,
        key: &hold,
    };
    assert_eq!(verify_prekey(claim).unwrap().created_at, start());

    for kind in [PrekeyKind::OneTime, PrekeyKind::Fallback] {
        assert_eq!(
            verify_prekey(Claim { kind, ..claim }),
            Err(PrekeyError::BadSignature)
        );
    }
    let other = Claim {
        device: Device::new("DR-CA-002", 2).id(),
        ..claim
    };
    assert_eq!(verify_prekey(other), Err(PrekeyError::BadSignature));

    let younger = v1::SignedKey {
        created_at_ms: start().as_millis() + 1,
        ..hold.clone()
    };
    let refused = verify_prekey(Claim {
        key: &younger,
        ..claim
    });
    assert_eq!(refused, Err(PrekeyError::BadSignature));
}

#[test]
fn weak_and_malformed_keys_are_refused() {
    let device = Device::new("DR-CA-001", 1);
    let signing_key = device.signer.public_key();
    let zero = sign_prekey(
        &device.signer,
        device.id(),
        PrekeyKind::Fallback,
        &[0; 32],
        Some(Timestamp::default()),
    );
    let claim = Claim {
        device: device.id(),
        signing_key: &signing_key,
        kind: PrekeyKind::Fallback,
        key: &zero,
    };
    assert_eq!(verify_prekey(claim), Err(PrekeyError::WeakKey));
    let short = v1::SignedKey {
        key: vec![1; 31],
        ..zero.clone()
    };
    assert_eq!(
        verify_prekey(Claim {
            key: &short,
            ..claim
        }),
        Err(PrekeyError::Malformed)
    );
}
