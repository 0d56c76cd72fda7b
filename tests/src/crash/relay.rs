//! The process that is a relay: on a socket, with its real file.

use std::sync::Arc;

use wardline_org::SystemClock;
use wardline_relay::{Config, Rate, Relay, Server, ServerOptions, SqliteStorage};

use super::{
    Site,
    orders::{Order, Report, orders, panic_at, say, stop_at},
};
use crate::ward::relay_name;

/// Serves until the test is over or kills it. Says [`Report::Done`] when it listens.
pub async fn run(site: &Site) {
    let mut config = Config::new(relay_name()).serving(site.root());
    // Everybody hurries here, and from one machine.
    let plenty = Rate::new(100_000, 100_000);
    config.quotas.device = plenty;
    config.quotas.organization = plenty;
    config.quotas.enrollments = plenty;
    config.quotas.claims_per_day = 1_000;
    let storage = Arc::new(SqliteStorage::open(site.relay_folder()).unwrap());
    let relay = Relay::open(config, storage, Arc::new(SystemClock))
        .await
        .unwrap();
    let server = Server::start(relay, ServerOptions::local()).await.unwrap();
    site.announce(&server.url());
    say(&Report::Done);

    let mut orders = orders();
    while let Some(order) = orders.recv().await {
        let relay = server.relay().clone();
        // Beside the orders: a sweep that has reached a failpoint never ends.
        tokio::spawn(async move {
            match order {
                Order::StopAt(point) => stop_at(&point),
                Order::PanicAt(point) => panic_at(&point),
                Order::Sweep => relay.sweep().await.unwrap(),
                order => panic!("a relay does not {order:?}"),
            }
            say(&Report::Done);
        });
    }
}
