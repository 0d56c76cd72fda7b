//! Who can be reached: nobody speaks for somebody else, and an old word never comes back.

use std::time::Duration;

use wardline_org::{
    RelayCode, Timestamp,
    availability::{Availability, SignedAvailability},
};
use wardline_proto::v1;

use crate::{
    hospital::{Device, HOUR, away, undisturbed},
    world::{World, cast, code},
};

async fn ask(world: &World, by: &Device, users: &[&str]) -> Vec<v1::PersonReachability> {
    let request = v1::ReachabilityRequest {
        user_ids: users.iter().map(ToString::to_string).collect(),
    };
    world.ask(by, &request).await.unwrap().people
}

async fn said(world: &World, by: &Device, user: &str) -> Option<SignedAvailability> {
    let person = ask(world, by, &[user]).await.pop().unwrap();
    let said = person.availability?;
    Some(SignedAvailability::read(&said).unwrap())
}

#[tokio::test]
async fn colleague_speaks_for_nobody_else() {
    let cast = cast();
    let world = World::of(&[&cast.ada, &cast.ben]).await;
    let now = world.now();
    let honest = cast.ada.says(away(now, "ben"), now);
    // Somebody else's statement, handed in by a colleague.
    assert_eq!(
        code(world.ask(&cast.ben, &honest).await),
        RelayCode::BadSignature
    );
    // The same one with the colleague's signature.
    let own = cast.ben.says(undisturbed(now), now);
    let mut forged = honest.clone();
    let signature = own.availability.as_ref().unwrap().signature.clone();
    forged.availability.as_mut().unwrap().signature = signature;
    assert_eq!(
        code(world.ask(&cast.ada, &forged).await),
        RelayCode::BadSignature
    );
    // A statement for somebody else, signed by the colleague's own device.
    let stranger = Device::new("mercy", "ada", 3);
    let for_ada = stranger.says(away(now, "ben"), now);
    assert_eq!(
        code(world.ask(&cast.ben, &for_ada).await),
        RelayCode::BadSignature
    );
    assert_eq!(said(&world, &cast.ben, "ada").await, None);
}

#[tokio::test]
async fn newest_word_of_any_device_of_the_person_stands() {
    let cast = cast();
    let mut world = World::of(&[&cast.ada, &cast.ada_tablet, &cast.ben]).await;
    let now = world.now();
    let first = cast.ada.says(away(now, "ben"), now);
    let later = now + Duration::from_millis(1);
    let back = cast.ada_tablet.says(Availability::default(), later);
    world.ask(&cast.ada, &first).await.unwrap();
    world.ask(&cast.ada_tablet, &back).await.unwrap();
    // The first one again: it is told what stands.
    let answer = world.ask(&cast.ada, &first).await.unwrap();
    assert_eq!(answer.standing, back.availability);
    world.restart().await;
    let standing = said(&world, &cast.ben, "ada").await.unwrap();
    assert_eq!(standing.to_message(), back.availability.unwrap());
}

#[tokio::test]
async fn word_of_a_revoked_device_is_told_to_nobody() {
    let cast = cast();
    let mut world = World::of(&[&cast.ada, &cast.ada_tablet, &cast.ben]).await;
    let now = world.now();
    let stolen = cast.ada_tablet.says(away(now, "ben"), now);
    world.ask(&cast.ada_tablet, &stolen).await.unwrap();
    let revocation = world.hospital.revoke(&cast.ada_tablet);
    world.publish(&[revocation]).await.unwrap();
    assert_eq!(said(&world, &cast.ben, "ada").await, None);
    world.restart().await;
    assert_eq!(said(&world, &cast.ben, "ada").await, None);
    // Nor does it stand in the way of what the person says now.
    let earlier = now - Duration::from_secs(60);
    let own = cast.ada.says(undisturbed(now), earlier);
    let answer = world.ask(&cast.ada, &own).await.unwrap();
    assert_eq!(answer.standing, own.availability);
}

#[tokio::test]
async fn clock_that_runs_ahead_cannot_have_the_last_word() {
    let cast = cast();
    let world = World::of(&[&cast.ada]).await;
    let ahead = world.now() + Duration::from_secs(600);
    let call = cast.ada.says(undisturbed(ahead), ahead);
    assert_eq!(code(world.ask(&cast.ada, &call).await), RelayCode::Clock);
}

#[tokio::test]
async fn garbage_is_refused() {
    let cast = cast();
    let world = World::of(&[&cast.ada]).await;
    let nothing = v1::SetAvailabilityRequest::default();
    let empty = v1::SetAvailabilityRequest {
        availability: Some(v1::SignedAvailability::default()),
    };
    let large = v1::SetAvailabilityRequest {
        availability: Some(v1::SignedAvailability {
            availability: vec![0; 100_000],
            signature: vec![0; 64],
        }),
    };
    for call in [nothing, empty, large] {
        assert_eq!(
            code(world.ask(&cast.ada, &call).await),
            RelayCode::Malformed
        );
    }
    let nobody = v1::ReachabilityRequest {
        user_ids: vec!["no\nname".into()],
    };
    assert_eq!(
        code(world.ask(&cast.ada, &nobody).await),
        RelayCode::Malformed
    );
    let many = v1::ReachabilityRequest {
        user_ids: vec!["ada".into(); 1_001],
    };
    let refused = world.ask(&cast.ada, &many).await.unwrap_err();
    assert_eq!(
        (refused.code, refused.limit),
        (RelayCode::TooLarge, Some(1_000))
    );
}

#[tokio::test]
async fn last_call_is_told_to_the_minute_and_after_a_restart() {
    let cast = cast();
    let mut world = World::of(&[&cast.ada, &cast.ada_tablet, &cast.ben]).await;
    let people = ask(&world, &cast.ben, &["ada", "nobody", "ada"]).await;
    let names: Vec<_> = people.iter().map(|p| p.user_id.as_str()).collect();
    assert_eq!(names, ["ada", "nobody", "ada"]);
    assert!(people.iter().all(|p| p.last_seen_ms == 0));

    world.advance(Duration::from_secs(90));
    world.receive(&cast.ada).await.unwrap();
    world.advance(3 * HOUR);
    let minute = Timestamp::from_millis(crate::hospital::start().as_millis() + 60_000);
    for _ in 0..2 {
        let seen = ask(&world, &cast.ben, &["ada"]).await[0].last_seen_ms;
        assert_eq!(seen, minute.as_millis());
        world.restart().await;
    }
    // The latest of the devices that count.
    world.receive(&cast.ada_tablet).await.unwrap();
    let seen = async |world: &World| ask(world, &cast.ben, &["ada"]).await[0].last_seen_ms;
    assert!(seen(&world).await > minute.as_millis());
    let revocation = world.hospital.revoke(&cast.ada_tablet);
    world.publish(&[revocation]).await.unwrap();
    assert_eq!(seen(&world).await, minute.as_millis());
}
