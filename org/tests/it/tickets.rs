use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use wardline_org::connect::RelayCode;
use wardline_org::ticket::{DEFAULT_VALIDITY, MAX_VALIDITY, Ticket, TicketError, TicketIssuer};
use wardline_org::{OrgId, Timestamp, UserId};

use crate::hospital::{first_root, key};
use crate::support::{Device, start};

const TICKET_SEED: u8 = 112;

fn user() -> UserId {
    "DR-CA-001".parse().unwrap()
}

fn mint(org: &str, seed: u8, validity: Duration) -> String {
    let org: OrgId = org.parse().unwrap();
    TicketIssuer::new(org, Arc::new(key(seed)))
        .mint(&user(), validity, start())
        .unwrap()
}

fn good() -> String {
    mint("mercy", TICKET_SEED, DEFAULT_VALIDITY)
}

fn verify(jwt: &str, now: Timestamp) -> Result<Ticket, TicketError> {
    Ticket::verify(jwt, &first_root(), now)
}

/// A ticket as a backend without this SDK makes it, with a stock JWT library.
fn foreign(claims: &Value, seed: u8) -> String {
    let pkcs8 = hex::decode("302e020100300506032b657004220420").unwrap();
    let der = [&pkcs8[..], &[seed; 32]].concat();
    jsonwebtoken::encode(
        &Header::new(Algorithm::EdDSA),
        claims,
        &EncodingKey::from_ed_der(&der),
    )
    .unwrap()
}

fn claims() -> Value {
    let now = start().as_millis() / 1000;
    json!({
        "iss": "mercy", "sub": "DR-CA-001", "aud": "wardline-enroll",
        "jti": "a-number-once", "iat": now, "exp": now + 900,
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

#[test]
fn a_minted_ticket_names_its_person_and_time() {
    let ticket = verify(&good(), start()).unwrap();
    assert_eq!(ticket.user, user());
    assert_eq!(ticket.issued_at, start());
    assert_eq!(ticket.expires_at, start() + Duration::from_secs(15 * 60));
    assert_ne!(ticket.id, verify(&good(), start()).unwrap().id);
}

#[test]
fn a_ticket_of_another_backends_library_is_accepted() {
    let ticket = verify(&foreign(&claims(), TICKET_SEED), start()).unwrap();
    assert_eq!(ticket.id, "a-number-once");
    let listed = foreign(
        &with("aud", json!(["other", "wardline-enroll"])),
        TICKET_SEED,
    );
    assert!(verify(&listed, start()).is_ok());
    let unknown_claim = foreign(&with("amr", json!(["mfa"])), TICKET_SEED);
    assert!(verify(&unknown_claim, start()).is_ok());
}

#[test]
fn our_ticket_is_accepted_by_a_stock_library() {
    let public = first_root()
        .keys(wardline_org::root::Purpose::Ticket)
        .next()
        .copied()
        .unwrap();
    let mut validation = jsonwebtoken::Validation::new(Algorithm::EdDSA);
    validation.validate_exp = false;
    validation.set_audience(&["wardline-enroll"]);
    let key = jsonwebtoken::DecodingKey::from_ed_der(&public);
    assert!(jsonwebtoken::decode::<Value>(good(), &key, &validation).is_ok());
}

#[test]
fn an_expired_ticket_is_refused() {
    let expiry = start() + DEFAULT_VALIDITY;
    assert!(verify(&good(), expiry - Duration::from_millis(1)).is_ok());
    let refused = verify(&good(), expiry);
    assert_eq!(refused, Err(TicketError::Expired));
    assert_eq!(refused.unwrap_err().code(), RelayCode::TicketExpired);
}

#[test]
fn a_ticket_from_the_future_is_refused() {
    let early = |seconds| verify(&good(), start() - Duration::from_secs(seconds));
    assert!(early(60).is_ok());
    assert_eq!(early(61), Err(TicketError::NotYet));
    let later = start().as_millis() / 1000 + 600;
    let not_before = foreign(&with("nbf", json!(later)), TICKET_SEED);
    assert_eq!(verify(&not_before, start()), Err(TicketError::NotYet));
}

#[test]
fn a_ticket_of_another_organization_is_refused() {
    let refused = verify(&mint("general", TICKET_SEED, DEFAULT_VALIDITY), start());
    assert_eq!(refused, Err(TicketError::OtherOrg));
    assert_eq!(refused.unwrap_err().code(), RelayCode::TicketInvalid);
}

#[test]
fn a_ticket_for_another_person_is_refused() {
    let ticket = verify(&good(), start()).unwrap();
    let other = Device::new("DR-CA-002", 1);
    let refused = ticket.check_owner(other.credential.credential());
    assert_eq!(refused, Err(TicketError::OtherUser));
    assert_eq!(refused.unwrap_err().code(), RelayCode::TicketMismatch);
    let own = Device::new("DR-CA-001", 1);
    assert_eq!(ticket.check_owner(own.credential.credential()), Ok(()));
}

#[test]
fn a_ticket_signed_by_another_key_or_altered_is_refused() {
    let by_head_key = mint("mercy", 110, DEFAULT_VALIDITY);
    assert_eq!(
        verify(&by_head_key, start()),
        Err(TicketError::BadSignature)
    );

    let jwt = good();
    let [header, _, signature]: [&str; 3] = jwt.split('.').collect::<Vec<_>>().try_into().unwrap();
    let other = URL_SAFE_NO_PAD.encode(with("sub", json!("DR-CA-002")).to_string());
    let altered = format!("{header}.{other}.{signature}");
    assert_eq!(verify(&altered, start()), Err(TicketError::BadSignature));
}

#[test]
fn a_ticket_without_a_signature_algorithm_is_refused() {
    let jwt = good();
    let [_, claims, signature]: [&str; 3] = jwt.split('.').collect::<Vec<_>>().try_into().unwrap();
    for header in [r#"{"alg":"none"}"#, r#"{"alg":"HS256"}"#, "{}"] {
        let header = URL_SAFE_NO_PAD.encode(header);
        let unsigned = format!("{header}.{claims}.{signature}");
        assert_eq!(verify(&unsigned, start()), Err(TicketError::Malformed));
        assert!(verify(&format!("{header}.{claims}."), start()).is_err());
    }
}

#[test]
fn a_ticket_that_is_good_for_too_long_is_refused() {
    let year = start().as_millis() / 1000 + 365 * 24 * 3600;
    let refused = verify(&foreign(&with("exp", json!(year)), TICKET_SEED), start());
    assert_eq!(refused, Err(TicketError::Malformed));
    let longest = verify(&mint("mercy", TICKET_SEED, Duration::MAX), start()).unwrap();
    assert_eq!(longest.expires_at, start() + MAX_VALIDITY);
}

#[test]
fn a_jwt_for_something_else_is_refused() {
    let mut nameless = claims();
    nameless.as_object_mut().unwrap().remove("jti");
    for claims in [
        with("aud", json!("another-service")),
        with("sub", json!("not a name")),
        with("jti", json!("")),
        with("exp", json!("soon")),
        with("iss", json!(["mercy", "general"])),
        nameless,
    ] {
        let refused = verify(&foreign(&claims, TICKET_SEED), start());
        assert_eq!(refused, Err(TicketError::Malformed), "{claims}");
    }
    for text in ["", "a.b.c", "a.b", &"x".repeat(5000)] {
        assert_eq!(verify(text, start()), Err(TicketError::Malformed));
    }
}

#[test]
fn while_keys_are_replaced_tickets_of_both_are_good() {
    let mut root = first_root();
    root.keys.push((
        wardline_org::root::Purpose::Ticket,
        wardline_org::Signer::public_key(&key(130)),
    ));
    for seed in [TICKET_SEED, 130] {
        let jwt = mint("mercy", seed, DEFAULT_VALIDITY);
        assert!(Ticket::verify(&jwt, &root, start()).is_ok());
        let other = mint("general", seed, DEFAULT_VALIDITY);
        let refused = Ticket::verify(&other, &root, start());
        assert_eq!(refused, Err(TicketError::OtherOrg));
    }
}

#[test]
fn an_organization_without_a_ticket_key_admits_nobody() {
    let mut root = first_root();
    root.keys
        .retain(|(purpose, _)| *purpose != wardline_org::root::Purpose::Ticket);
    let refused = Ticket::verify(&good(), &root, start());
    assert_eq!(refused, Err(TicketError::BadSignature));
}
