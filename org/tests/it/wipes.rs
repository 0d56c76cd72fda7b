//! Orders to erase a device: who can give one, to whom, and what the receipt proves.

use wardline_org::authority::{Authority, AuthorityError, Secrets, Signers};
use wardline_org::note::{Note, NoteError, NoteKey};
use wardline_org::root::{Purpose, RootError};
use wardline_org::signer::Signer;
use wardline_org::trust::Trust;
use wardline_org::wipe::{
    SignedWipeOrder, SignedWipeReceipt, WipeError, WipeOrder, WipeReason, WipeReceipt,
};
use wardline_proto::v1;

use crate::desk::{Desk, user};
use crate::support::{Device, start};

const OWNER: &str = "DR-CA-001";

/// A desk with one published device, which has not heard of the directory yet.
fn desk() -> (Desk, Device, Trust) {
    let mut desk = Desk::new();
    let device = Device::new(OWNER, 1);
    desk.admit(OWNER, &device).unwrap();
    desk.publish();
    let trust = Trust::new("mercy".parse().unwrap(), desk.authority.pin());
    (desk, device, trust)
}

fn lost() -> WipeReason {
    "lost".parse().unwrap()
}

/// What the relay shows: the order, and every root document of the organization.
fn notice(authority: &Authority, order: impl ToString) -> v1::WipeNotice {
    v1::WipeNotice {
        order: order.to_string(),
        roots: vec![authority.signed_root().unwrap().to_string()],
    }
}

fn words(device: &Device) -> WipeOrder {
    WipeOrder {
        org: "mercy".parse().unwrap(),
        device: device.id(),
        issued_at: start(),
        reason: lost(),
    }
}

#[test]
fn an_order_of_the_organization_is_believed_by_its_device_and_revokes_it() {
    let (mut desk, device, trust) = desk();
    let order = desk
        .authority
        .order_wipe(&user(OWNER), device.id(), lost(), desk.now)
        .unwrap();
    let shown = notice(&desk.authority, &order);
    assert_eq!(trust.verify_wipe(&shown, device.id()), Ok(order));
    desk.publish();
    let person = desk.authority.person(&user(OWNER)).unwrap();
    assert!(!person.device(device.id()).unwrap().is_active());

    // A device that is revoked already can be ordered as well, and nobody else's can.
    let again = desk
        .authority
        .order_wipe(&user(OWNER), device.id(), lost(), desk.now);
    assert!(again.is_ok());
    let stranger = Device::new(OWNER, 9);
    let refused = desk
        .authority
        .order_wipe(&user(OWNER), stranger.id(), lost(), desk.now);
    assert_eq!(refused, Err(AuthorityError::UnknownDevice));
}

#[test]
fn an_order_for_another_device_is_refused() {
    let (mut desk, device, trust) = desk();
    let other = Device::new(OWNER, 2);
    desk.admit(OWNER, &other).unwrap();
    let order = desk
        .authority
        .order_wipe(&user(OWNER), other.id(), lost(), desk.now)
        .unwrap();
    let shown = notice(&desk.authority, order);
    let refused = trust.verify_wipe(&shown, device.id());
    assert_eq!(refused, Err(WipeError::OtherDevice));
}

#[test]
fn an_order_by_any_other_key_of_the_organization_is_refused() {
    let (desk, device, trust) = desk();
    let signers = desk.secrets.signers();
    for purpose in Purpose::ALL {
        if purpose == Purpose::Wipe {
            continue;
        }
        let signer = signers.get(purpose).unwrap();
        let order = SignedWipeOrder::sign(&words(&device), &**signer).unwrap();
        let refused = trust.verify_wipe(&notice(&desk.authority, order), device.id());
        let not_signed = WipeError::Note(NoteError::NotSigned);
        assert_eq!(refused, Err(not_signed), "{purpose:?}");
    }
}

#[test]
fn an_order_in_the_name_of_the_wipe_key_that_it_did_not_sign_is_refused() {
    let (desk, device, trust) = desk();
    let signers = desk.secrets.signers();
    let key = signers.get(Purpose::Wipe).unwrap();
    let good = SignedWipeOrder::sign(&words(&device), &**key).unwrap();
    let altered = good.to_string().replace("lost", "left");
    let refused = trust.verify_wipe(&notice(&desk.authority, altered), device.id());
    assert_eq!(refused, Err(WipeError::Note(NoteError::BadSignature)));
}

#[test]
fn a_statement_of_another_kind_by_the_wipe_key_is_no_order() {
    let (desk, device, trust) = desk();
    let signers = desk.secrets.signers();
    let key = signers.get(Purpose::Wipe).unwrap();
    let name = NoteKey::new("mercy/wipe", key.public_key()).unwrap();
    let text = format!("wardline/v1/policy\norg mercy\ndevice {}\n", device.id());
    let note = Note::sign(text, &[(&name, &**key)]).unwrap();
    let refused = trust.verify_wipe(&notice(&desk.authority, note), device.id());
    assert_eq!(refused, Err(WipeError::Malformed));
}

#[test]
fn an_order_of_another_organization_is_refused() {
    let (_, device, trust) = desk();
    let secrets = Secrets::generate(1).unwrap();
    let general = Authority::found("general".parse().unwrap(), 1, &secrets).unwrap();
    let order = WipeOrder {
        org: "general".parse().unwrap(),
        ..words(&device)
    };
    let signers = secrets.signers();
    let key = signers.get(Purpose::Wipe).unwrap();
    let order = SignedWipeOrder::sign(&order, &**key).unwrap();
    let refused = trust.verify_wipe(&notice(&general, order), device.id());
    assert_eq!(refused, Err(WipeError::Root(RootError::NotPinned)));
}

#[test]
fn an_order_by_a_replaced_wipe_key_is_refused_and_one_by_its_successor_obeyed() {
    let (mut desk, device, mut trust) = desk();
    let first = desk.authority.signed_root().unwrap().clone();
    let head = desk.directory.head_answer(&trust.request()).unwrap();
    trust.accept(&head).unwrap();

    let fresh = Secrets::generate(3).unwrap();
    let purposes = Purpose::ALL.into_iter().fold(Signers::default(), |all, p| {
        let secrets = if p == Purpose::Wipe {
            &fresh
        } else {
            &desk.secrets
        };
        all.with(p, secrets.signers().get(p).unwrap().clone())
    });
    let roots = desk.secrets.root_signers();
    let keys = roots.iter().map(|key| key.public_key()).collect();
    desk.authority.rotate(keys, 2, purposes, &roots).unwrap();
    let second = desk.authority.signed_root().unwrap().clone();

    let shown = |secrets: &Secrets| {
        let signers = secrets.signers();
        let key = signers.get(Purpose::Wipe).unwrap();
        v1::WipeNotice {
            order: SignedWipeOrder::sign(&words(&device), &**key)
                .unwrap()
                .to_string(),
            roots: vec![first.to_string(), second.to_string()],
        }
    };
    let refused = trust.verify_wipe(&shown(&desk.secrets), device.id());
    assert_eq!(refused, Err(WipeError::Note(NoteError::NotSigned)));
    // The device has not heard of the new key but by this very answer.
    assert!(trust.verify_wipe(&shown(&fresh), device.id()).is_ok());
}

#[test]
fn a_receipt_proves_that_this_device_obeyed_this_order() {
    let (mut desk, device, _) = desk();
    let order = desk
        .authority
        .order_wipe(&user(OWNER), device.id(), lost(), desk.now)
        .unwrap();
    let says = |order: &SignedWipeOrder| WipeReceipt {
        org: "mercy".parse().unwrap(),
        device: device.id(),
        order: order.hash(),
        wiped_at: start(),
        unsent_messages: 3,
    };
    let key = device.signer.public_key();
    let receipt = SignedWipeReceipt::sign(says(&order), &device.signer);
    let read = SignedWipeReceipt::read(&receipt.to_call()).unwrap();
    assert_eq!(read, receipt);
    assert_eq!(read.verify(&order, &key), Ok(()));

    let mut altered = receipt.to_call();
    *altered.receipt.last_mut().unwrap() = 0;
    let altered = SignedWipeReceipt::read(&altered).unwrap();
    assert_eq!(altered.receipt().unsent_messages, 0);
    assert!(matches!(
        altered.verify(&order, &key),
        Err(WipeError::Signature(_))
    ));
    let other = Device::new(OWNER, 2);
    let forged = SignedWipeReceipt::sign(says(&order), &other.signer);
    assert!(matches!(
        forged.verify(&order, &key),
        Err(WipeError::Signature(_))
    ));
    let later = desk.now + std::time::Duration::from_secs(1);
    let another = desk
        .authority
        .order_wipe(&user(OWNER), device.id(), lost(), later)
        .unwrap();
    assert_eq!(read.verify(&another, &key), Err(WipeError::OtherOrder));
}

#[test]
fn a_reason_is_one_word_and_holds_no_name() {
    for word in ["lost", "left-2026"] {
        assert!(word.parse::<WipeReason>().is_ok());
    }
    let long = "x".repeat(33);
    for text in ["", "Lost", "lost by dr-gupta", "lost\norg general", &long] {
        assert_eq!(text.parse::<WipeReason>(), Err(WipeError::Malformed));
    }
}

#[test]
fn an_order_has_one_spelling_and_may_grow_lines() {
    let (desk, device, trust) = desk();
    let signers = desk.secrets.signers();
    let key = signers.get(Purpose::Wipe).unwrap();
    let name = NoteKey::new("mercy/wipe", key.public_key()).unwrap();
    let plain = SignedWipeOrder::sign(&words(&device), &**key).unwrap();
    let text = plain.to_string();
    let (text, _) = text.split_once("\n\n").unwrap();
    let sign = |text: String| Note::sign(text, &[(&name, &**key)]).unwrap();
    let longer = sign(format!("{text}\nnew-in-version-2 yes\n"));
    let shown = notice(&desk.authority, longer);
    assert!(trust.verify_wipe(&shown, device.id()).is_ok());
    let upper = device.id().to_string().to_uppercase();
    let other = sign(format!(
        "{}\n",
        text.replace(&device.id().to_string(), &upper)
    ));
    let shown = notice(&desk.authority, other);
    let refused = trust.verify_wipe(&shown, device.id());
    assert_eq!(refused, Err(WipeError::Malformed));
}
