use std::time::Duration;

use wardline_org::SoftwareSigner;
use wardline_org::authority::{AdmitError, Admitted, Authority, ENROLLMENT_GRACE, Secrets};
use wardline_org::credential::CredentialError;
use wardline_org::ticket::{DEFAULT_VALIDITY, TicketError};

use crate::desk::{Desk, user};
use crate::relay::enroll_request;
use crate::support::{Device, plain, start};

#[test]
fn an_admitted_device_is_in_the_next_head() {
    let mut desk = Desk::new();
    let device = Device::new("DR-CA-001", 1);
    assert_eq!(
        desk.admit("DR-CA-001", &device),
        Ok(Admitted::New(device.id()))
    );
    desk.publish();
    let person = desk.authority.person(&user("DR-CA-001")).unwrap();
    assert_eq!(person.device(device.id()).unwrap().enrolled_at, start());
    assert!(person.is_vouched(device.id()));
}

#[test]
fn a_ticket_is_good_once() {
    let mut desk = Desk::new();
    let (phone, desk_top) = (Device::new("DR-CA-001", 1), Device::new("DR-CA-001", 2));
    let ticket = desk.ticket("DR-CA-001");
    let first = enroll_request(&ticket, &phone);
    assert!(desk.authority.admit(&first, desk.now).is_ok());
    // The relay may repeat the same request; another device gets nothing.
    assert_eq!(
        desk.authority.admit(&first, desk.now),
        Ok(Admitted::Before(phone.id()))
    );
    let second = desk
        .authority
        .admit(&enroll_request(&ticket, &desk_top), desk.now);
    assert_eq!(second, Err(AdmitError::Ticket(TicketError::Used)));

    // Nor after a restart, for as long as the ticket could be good.
    desk.restart();
    desk.now = desk.now + Duration::from_secs(600);
    let second = desk
        .authority
        .admit(&enroll_request(&ticket, &desk_top), desk.now);
    assert_eq!(second, Err(AdmitError::Ticket(TicketError::Used)));
}

#[test]
fn a_request_that_waited_at_the_relay_is_admitted_for_a_day() {
    let mut desk = Desk::new();
    let device = Device::new("DR-CA-001", 1);
    let request = enroll_request(&desk.ticket("DR-CA-001"), &device);
    let too_late = start() + DEFAULT_VALIDITY + ENROLLMENT_GRACE;
    let refused = desk.authority.admit(&request, too_late);
    assert_eq!(refused, Err(AdmitError::Ticket(TicketError::Expired)));
    let just_in_time = too_late - Duration::from_secs(1);
    assert!(desk.authority.admit(&request, just_in_time).is_ok());
    // And still only once.
    let other = enroll_request(&request.ticket, &Device::new("DR-CA-001", 2));
    let refused = desk.authority.admit(&other, just_in_time);
    assert_eq!(refused, Err(AdmitError::Ticket(TicketError::Used)));
}

#[test]
fn a_ticket_does_not_enroll_somebody_elses_device() {
    let mut desk = Desk::new();
    let refused = desk.admit("DR-CA-001", &Device::new("DR-CA-002", 1));
    assert_eq!(refused, Err(AdmitError::Ticket(TicketError::OtherUser)));
}

#[test]
fn a_ticket_of_another_organization_enrolls_nobody() {
    let mut desk = Desk::new();
    let other = Authority::found("mercy".parse().unwrap(), 1, &Secrets::generate(1).unwrap());
    let ticket = other.unwrap().ticket_issuer().unwrap();
    let ticket = ticket
        .mint(&user("DR-CA-001"), DEFAULT_VALIDITY, desk.now)
        .unwrap();
    let request = enroll_request(&ticket, &Device::new("DR-CA-001", 1));
    let refused = desk.authority.admit(&request, desk.now);
    assert_eq!(refused, Err(AdmitError::Ticket(TicketError::BadSignature)));
}

#[test]
fn a_credential_that_its_key_did_not_sign_is_refused() {
    let mut desk = Desk::new();
    let (device, other) = (Device::new("DR-CA-001", 1), Device::new("DR-CA-001", 2));
    let mut request = enroll_request(&desk.ticket("DR-CA-001"), &device);
    request.signature = other.credential.signature().to_vec();
    let refused = desk.authority.admit(&request, desk.now);
    assert!(matches!(
        refused,
        Err(AdmitError::Credential(CredentialError::BadSignature(_)))
    ));
}

#[test]
fn a_key_that_was_enrolled_before_is_refused_even_in_another_device() {
    let mut desk = Desk::new();
    let first = Device::new("DR-CA-001", 1);
    desk.admit("DR-CA-001", &first).unwrap();

    // Another signing key with the first one's identity key, under another person.
    let signer = SoftwareSigner::from_seed(&[9; 32]);
    let mut shared = plain("DR-CA-002", &signer, 9);
    shared.curve25519 = first.credential.credential().curve25519;
    let credential = wardline_org::SignedCredential::create(&signer, shared).unwrap();
    let device = Device { signer, credential };
    assert_eq!(desk.admit("DR-CA-002", &device), Err(AdmitError::KnownKey));

    // Also after it was revoked and the backend restarted.
    desk.authority
        .revoke_device(&user("DR-CA-001"), first.id(), desk.now)
        .unwrap();
    desk.restart();
    assert_eq!(desk.admit("DR-CA-001", &first), Err(AdmitError::KnownKey));
}

#[test]
fn a_device_that_asks_again_with_a_new_ticket_is_told_that_it_is_in_and_the_ticket_is_used() {
    let mut desk = Desk::new();
    let device = Device::new("DR-CA-001", 1);
    desk.admit("DR-CA-001", &device).unwrap();
    let ticket = desk.ticket("DR-CA-001");
    let again = enroll_request(&ticket, &device);
    assert_eq!(
        desk.authority.admit(&again, desk.now),
        Ok(Admitted::Before(device.id()))
    );
    let other = enroll_request(&ticket, &Device::new("DR-CA-001", 2));
    let refused = desk.authority.admit(&other, desk.now);
    assert_eq!(refused, Err(AdmitError::Ticket(TicketError::Used)));
}

#[test]
fn a_credential_for_another_organization_is_refused() {
    let mut desk = Desk::new();
    let signer = SoftwareSigner::from_seed(&[1; 32]);
    let mut elsewhere = plain("DR-CA-001", &signer, 1);
    elsewhere.org = "general".parse().unwrap();
    let credential = wardline_org::SignedCredential::create(&signer, elsewhere).unwrap();
    let refused = desk.admit("DR-CA-001", &Device { signer, credential });
    assert_eq!(refused, Err(AdmitError::OtherOrg));
}

#[test]
fn strangers_and_people_who_left_enroll_nothing() {
    let mut desk = Desk::new();
    let stranger = Device::new("NOBODY", 1);
    assert_eq!(
        desk.admit("NOBODY", &stranger),
        Err(AdmitError::UnknownPerson)
    );
    desk.authority
        .end_person(&user("DR-CA-001"), desk.now)
        .unwrap();
    let late = Device::new("DR-CA-001", 2);
    assert_eq!(
        desk.admit("DR-CA-001", &late),
        Err(AdmitError::UnknownPerson)
    );
}
