//! A process that shows notifications is killed anywhere between the relay and the screen: no notice is
//! lost, and the app shows every message once.

use wardline_tests::crash::orders::{Order, Report, To};

use crate::{
    puppet::{Outcome, Puppet},
    stage::Stage,
};

/// Where it is killed, from the network to the screen.
const DEATHS: [&str; 7] = [
    "wardline::call::after_receive",
    "wardline::receive::before_commit",
    "wardline::receive::after_commit",
    "wardline::call::before_acknowledge",
    "wardline::call::before_send",
    "wardline::shown::before_commit",
    "wardline::shown::after_commit",
];

// scenario: notification
#[tokio::test(flavor = "multi_thread")]
async fn a_notice_outlives_the_process_that_was_to_show_it() {
    let mut stage = Stage::open(&["NS-1", "DR-1"]).await;
    let mut doctor = stage.hospital.device("doctor", "DR-1").await;
    let mut app = stage.hospital.device("nurse", "NS-1").await;
    say(&mut doctor, "Good morning").await;
    app.must(Order::Sync).await;
    doctor.must(Order::Sync).await;
    app.must(Order::Events).await;

    let mut sent = vec!["Good morning".to_owned()];
    for point in DEATHS {
        say(&mut doctor, point).await;
        sent.push(point.to_owned());
        let mut extension = Puppet::device(&stage.hospital.site, "nurse");
        extension.must(Order::StopAt(point.to_owned())).await;
        let reached = extension.obey(&Order::Notify).await;
        assert_eq!(reached, Outcome::Reached(point.to_owned()));
        let said = extension.kill().await;

        let mut extension = Puppet::device(&stage.hospital.site, "nurse");
        extension.must(Order::Notify).await;
        let again = noticed(&extension.heard).len();
        match point {
            // It was shown, and that is on disk.
            "wardline::shown::after_commit" => {
                assert_eq!(noticed(&said).len(), 1);
                assert_eq!(again, 0, "{point}");
            }
            _ => assert_eq!(again, 1, "{point}"),
        }
        extension.must(Order::Notify).await;
        assert_eq!(
            noticed(&extension.heard).len(),
            again,
            "{point}: it came again"
        );
    }

    app.must(Order::Events).await;
    let seen = app.look(&[To::Person("DR-1".to_owned())]).await;
    assert_eq!(seen.broken_audit, None);
    let shown = seen.texts.into_iter().flatten().map(|(_, text)| text);
    assert_eq!(shown.collect::<Vec<_>>(), sent);
    let told = app.heard.iter();
    let told = told.filter(|said| matches!(said, Report::Arrived { .. }));
    assert_eq!(told.count(), sent.len());
    assert!(app.warnings().is_empty(), "{:?}", app.warnings());
    doctor.must(Order::Sync).await;
    let seen = doctor.look(&[To::Person("NS-1".to_owned())]).await;
    assert_eq!(seen.undelivered, 0, "a receipt was lost");
}

async fn say(puppet: &mut Puppet, text: &str) {
    let to = To::Person("NS-1".to_owned());
    let texts = vec![text.to_owned()];
    puppet.must(Order::Send { to, texts }).await;
    puppet.must(Order::Sync).await;
}

fn noticed(heard: &[Report]) -> Vec<&str> {
    let noticed = heard.iter().filter_map(|said| match said {
        Report::Noticed { message } => Some(message.as_str()),
        _ => None,
    });
    noticed.collect()
}
