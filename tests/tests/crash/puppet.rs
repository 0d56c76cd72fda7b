//! The test's end of a process that it plays with.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use tokio::{sync::mpsc, time::timeout};
use wardline_tests::crash::{
    Site,
    orders::{Order, Report, Seen, To},
};

/// A running process. Dropping it kills it.
pub(crate) struct Puppet {
    child: Child,
    orders: ChildStdin,
    reports: mpsc::UnboundedReceiver<Report>,
    /// What it said besides answers, oldest first.
    pub(crate) heard: Vec<Report>,
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Failed(String),
    /// A failpoint was reached: the process stands still and is to be killed.
    Reached(String),
}

impl Puppet {
    /// A process for the device of this name; nothing is opened yet.
    pub(crate) fn device(site: &Site, name: &str) -> Self {
        Self::spawn(site, &["device", name])
    }

    /// A relay that listens.
    pub(crate) async fn relay(site: &Site) -> Self {
        let mut relay = Self::spawn(site, &["relay"]);
        assert_eq!(relay.outcome().await, Outcome::Done);
        relay
    }

    fn spawn(site: &Site, part: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_wardline-puppet"))
            .arg(site.folder())
            .args(part)
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = child.stdin.take().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let (sender, reports) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            while out.read_line(&mut line).is_ok_and(|read| read > 0) {
                // A process that is killed may leave half a line.
                if line.ends_with('\n') {
                    let _ = sender.send(serde_json::from_str(&line).unwrap());
                }
                line.clear();
            }
        });
        Self {
            child,
            orders,
            reports,
            heard: Vec::new(),
        }
    }

    /// Gives an order and does not wait.
    pub(crate) fn tell(&mut self, order: &Order) {
        let mut line = serde_json::to_string(order).unwrap();
        line.push('\n');
        // Whoever was killed meanwhile does not listen.
        let _ = self.orders.write_all(line.as_bytes());
    }

    /// Gives an order and waits for what becomes of it.
    pub(crate) async fn obey(&mut self, order: &Order) -> Outcome {
        self.tell(order);
        self.outcome().await
    }

    /// Gives an order that has to succeed.
    pub(crate) async fn must(&mut self, order: Order) {
        assert_eq!(self.obey(&order).await, Outcome::Done, "{order:?}");
    }

    /// Opens and unlocks the device.
    pub(crate) async fn open(&mut self) {
        self.must(Order::Open).await;
        self.must(Order::Unlock).await;
    }

    /// What the device shows of these conversations.
    pub(crate) async fn look(&mut self, at: &[To]) -> Seen {
        self.must(Order::Look(at.to_vec())).await;
        let seen = self.heard.iter().rev().find_map(|report| match report {
            Report::Seen(seen) => Some(seen.clone()),
            _ => None,
        });
        seen.unwrap()
    }

    /// Waits for the end of the order under way.
    pub(crate) async fn outcome(&mut self) -> Outcome {
        loop {
            let said = self.hear().await.expect("the process has ended by itself");
            match said {
                Report::Done => return Outcome::Done,
                Report::Failed(code) => return Outcome::Failed(code),
                Report::Reached(point) => return Outcome::Reached(point),
                other => self.heard.push(other),
            }
        }
    }

    /// The next thing it says; `None` when it has ended.
    pub(crate) async fn hear(&mut self) -> Option<Report> {
        let said = timeout(PATIENCE, self.reports.recv()).await;
        said.expect("the process says nothing any more")
    }

    /// Kills it as no process can prevent, and answers what it had still said.
    pub(crate) async fn kill(&mut self) -> Vec<Report> {
        self.child.kill().unwrap();
        let ended = self.child.wait().unwrap();
        assert!(!ended.success(), "it had ended by itself");
        let mut last = std::mem::take(&mut self.heard);
        while let Some(report) = self.hear().await {
            last.push(report);
        }
        last
    }

    /// What an app on the device was told that went wrong.
    pub(crate) fn warnings(&self) -> Vec<&str> {
        let warnings = self.heard.iter().filter_map(|report| match report {
            Report::Warned { what, .. } => Some(what.as_str()),
            _ => None,
        });
        warnings.collect()
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// For whatever must happen: far more than it takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
