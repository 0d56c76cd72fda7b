//! What a device may say about another one of the same person, and whom the authority believes.

use std::time::Duration;

use wardline_org::DeviceId;
use wardline_org::authority::AuthorityError;
use wardline_org::entry::EntryError;
use wardline_org::person::{Vouch, VouchStatement};

use crate::desk::{Desk, user};
use crate::support::Device;

const PERSON: &str = "DR-CA-001";

/// A person with a first device and others.
fn desk_with(devices: &[&Device]) -> Desk {
    let mut desk = Desk::new();
    for device in devices {
        desk.admit(PERSON, device).unwrap();
    }
    desk
}

fn statement(by: &Device, device: DeviceId) -> VouchStatement {
    VouchStatement {
        user: user(PERSON),
        device,
        vouch: Vouch::create(&by.signer, by.id(), device),
    }
}

fn is_vouched(desk: &Desk, device: &Device) -> bool {
    let person = desk.authority.person(&user(PERSON)).unwrap();
    person.is_vouched(device.id())
}

#[test]
fn a_second_device_is_vouched_once_the_first_says_so() {
    let (phone, tablet) = (Device::new(PERSON, 1), Device::new(PERSON, 2));
    let mut desk = desk_with(&[&phone, &tablet]);
    desk.publish();
    assert!(!is_vouched(&desk, &tablet));
    let said = statement(&phone, tablet.id()).encode();
    assert!(desk.authority.admit_vouch(&said).unwrap());
    assert!(!desk.authority.admit_vouch(&said).unwrap());
    assert!(is_vouched(&desk, &tablet));
    assert_eq!(desk.publish().changed_entries.len(), 1);
    desk.restart();
    assert!(is_vouched(&desk, &tablet));
}

#[test]
fn another_persons_device_vouches_for_nobody() {
    let (phone, tablet) = (Device::new(PERSON, 1), Device::new(PERSON, 2));
    let mut desk = desk_with(&[&phone, &tablet]);
    let stranger = Device::new("DR-CA-002", 3);
    desk.admit("DR-CA-002", &stranger).unwrap();
    let mut said = statement(&stranger, tablet.id());
    let refused = desk.authority.admit_vouch(&said.encode());
    assert_eq!(refused, Err(AuthorityError::UnknownDevice));
    said.user = user("DR-CA-002");
    let refused = desk.authority.admit_vouch(&said.encode());
    assert_eq!(refused, Err(AuthorityError::UnknownDevice));
    // In the name of the phone, with a key of its own.
    let mut said = statement(&phone, tablet.id());
    said.vouch = Vouch::create(&stranger.signer, phone.id(), tablet.id());
    let refused = desk.authority.admit_vouch(&said.encode());
    assert_eq!(refused, Err(AuthorityError::Entry(EntryError::Vouch)));
    said.user = user("NOBODY");
    let refused = desk.authority.admit_vouch(&said.encode());
    assert_eq!(refused, Err(AuthorityError::UnknownPerson));
    assert!(!is_vouched(&desk, &tablet));
}

#[test]
fn a_vouch_for_one_device_does_not_serve_another() {
    let (phone, tablet) = (Device::new(PERSON, 1), Device::new(PERSON, 2));
    let thief = Device::new(PERSON, 3);
    let mut desk = desk_with(&[&phone, &tablet, &thief]);
    let mut said = statement(&phone, tablet.id());
    desk.authority.admit_vouch(&said.encode()).unwrap();
    said.device = thief.id();
    let refused = desk.authority.admit_vouch(&said.encode());
    assert_eq!(refused, Err(AuthorityError::Entry(EntryError::Vouch)));
    // Nor does it serve a device that nobody enrolled.
    let unknown = statement(&phone, Device::new(PERSON, 4).id());
    let refused = desk.authority.admit_vouch(&unknown.encode());
    assert_eq!(refused, Err(AuthorityError::UnknownDevice));
    assert!(!is_vouched(&desk, &thief));
}

#[test]
fn a_revoked_device_neither_vouches_nor_is_vouched_for() {
    let (phone, tablet) = (Device::new(PERSON, 1), Device::new(PERSON, 2));
    let third = Device::new(PERSON, 3);
    let mut desk = desk_with(&[&phone, &tablet, &third]);
    let before = statement(&phone, tablet.id());
    desk.authority.admit_vouch(&before.encode()).unwrap();
    let now = desk.now + Duration::from_secs(60);
    let person = user(PERSON);
    desk.authority
        .revoke_device(&person, phone.id(), now)
        .unwrap();
    let late = statement(&phone, third.id());
    let refused = desk.authority.admit_vouch(&late.encode());
    assert_eq!(refused, Err(AuthorityError::UnknownDevice));
    // What it said while it was trusted still holds, and the chain goes on from there.
    assert!(is_vouched(&desk, &tablet));
    let said = statement(&tablet, third.id());
    assert!(desk.authority.admit_vouch(&said.encode()).unwrap());
    desk.authority
        .revoke_device(&person, third.id(), now)
        .unwrap();
    let refused = desk.authority.admit_vouch(&said.encode());
    assert_eq!(refused, Err(AuthorityError::UnknownDevice));
}

#[test]
fn two_stolen_devices_do_not_vouch_for_each_other() {
    let phone = Device::new(PERSON, 1);
    let (one, two) = (Device::new(PERSON, 2), Device::new(PERSON, 3));
    let mut desk = desk_with(&[&phone, &one, &two]);
    for (by, device) in [(&one, &two), (&two, &one), (&one, &one)] {
        let refused = desk
            .authority
            .admit_vouch(&statement(by, device.id()).encode());
        assert_eq!(refused, Err(AuthorityError::Unvouched));
    }
    // Nor does a reader believe it when an authority has let it through.
    let mut person = desk.authority.person(&user(PERSON)).unwrap().clone();
    person.devices[1]
        .vouches
        .push(statement(&two, one.id()).vouch);
    person.devices[2]
        .vouches
        .push(statement(&one, two.id()).vouch);
    assert!(!person.is_vouched(one.id()) && !person.is_vouched(two.id()));
    person.devices[1]
        .vouches
        .push(statement(&phone, one.id()).vouch);
    assert!(person.is_vouched(one.id()) && person.is_vouched(two.id()));
}

#[test]
fn bytes_that_are_no_statement_are_refused() {
    let phone = Device::new(PERSON, 1);
    let mut desk = desk_with(&[&phone]);
    let whole = statement(&phone, phone.id()).encode();
    for bytes in [&[][..], b"vouch", &whole[..whole.len() - 1]] {
        let refused = desk.authority.admit_vouch(bytes);
        assert_eq!(refused, Err(AuthorityError::Entry(EntryError::Malformed)));
    }
    let refused = desk.authority.admit_vouch(&whole);
    assert_eq!(refused, Err(AuthorityError::Entry(EntryError::Vouch)));
}
