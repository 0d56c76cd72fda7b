//! First contact: keys of many devices are claimed, verified and turned into sessions.

#![allow(
    clippy::disallowed_methods,
    reason = "a bench reads the clock of the machine"
)]

use std::time::Instant;

use wardline_benches::{
    bare,
    measure::Measure,
    ratio::Goal,
    scene::{self, draft},
    seam, stranger,
};
use wardline_org::authority::PersonDetails;
use wardline_tests::{Ward, team};

fn main() {
    let mut measure = Measure::into(env!("CARGO_TARGET_TMPDIR"));
    let people = scene::people(DEVICES / 2);
    let mut ward = measure.runtime.block_on(ward_of_strangers(&people));
    let mut newcomers = 0;
    let ours = |runtime: &tokio::runtime::Runtime| {
        newcomers += 1;
        let name = format!("NEW-{newcomers}");
        runtime.block_on(async {
            // Not on the team: the strangers are all there is to claim of.
            let details = PersonDetails::new(name.parse().unwrap(), name.as_str());
            ward.authority().upsert_person(details).unwrap();
            ward.publish().await;
            let phone = ward.phone(&name).await;
            phone.client.sync_once().await.unwrap();
            phone.client.send(draft(team())).await.unwrap();
            seam::claim(&phone.client, &ward.relay().local()).await
        })
    };
    let disk = tempfile::tempdir().unwrap();
    let bare = bare::Contact::with_claimed_keys(disk.path(), DEVICES);
    let bare = |_: &tokio::runtime::Runtime| {
        let started = Instant::now();
        bare.meet();
        let spent = started.elapsed();
        bare.part();
        spent
    };
    measure.long_runs(CONTACT, ours, bare);
    measure.report(&[CONTACT]);
}

async fn ward_of_strangers(people: &[String]) -> Ward {
    let (mut ward, sender) = scene::ward(people).await;
    sender.client.close().await.unwrap();
    let strangers = stranger::enroll(&ward, people, 2).await;
    ward.publish().await;
    let device = sender.client.device();
    let now = stranger::NOW;
    let authority = ward.authority();
    authority.revoke_device(&sender.user, device, now).unwrap();
    ward.publish().await;
    let relay = ward.relay().local();
    for stranger in &strangers {
        stranger.offer_keys(&relay).await;
    }
    ward
}

const CONTACT: Goal = Goal::at_most("first contact with 1,000 devices", 1.2);
const DEVICES: usize = 1000;
