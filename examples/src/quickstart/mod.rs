//! A hospital in one process: a relay on a socket, a laboratory, and two devices for every clinician.
//!
//! | module | |
//! |---|---|
//! | `site.rs` | the organization, its relay, and how a device enrolls |
//! | `plan.rs` | who gets what, and what happens to which device |
//! | `device.rs` | a device and the app on it: start here to see how an app uses the SDK |
//! | `board.rs` | the stopwatch |
//! | `check.rs` | whether it is true: timelines and receipts; `../scan.rs`: and every byte on disk |
//! | `report.rs` | what is told |

mod board;
mod check;
mod device;
mod plan;
mod report;
mod site;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result};
use tokio::{sync::watch, task::JoinHandle};
use wardline::{Client, Draft, Event, EventCursor, MessageId, Priority, Recipient};
use wardline_org::{Clock, SystemClock};

pub use self::report::Report;
use self::{
    board::Board,
    device::{Device, Habit},
    plan::{Plan, Planned},
    report::Percentiles,
    site::{Site, passphrase},
};
use crate::{
    hospital::CriticalResults,
    scan::{self, Secrets},
    work::{blocking, together},
};
pub use crate::{progress::Progress, scan::Scan};

/// What to run on, and whether to tell of it.
#[derive(Debug, Clone)]
pub struct Options {
    /// A folder of FHIR R4 bulk NDJSON.
    pub data: PathBuf,
    /// Whether bars and lines go to standard error.
    pub progress: Progress,
}

/// The simulated hospital of this repository.
pub fn hospital() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/hospital")
}

/// Runs the hospital from import to proof.
///
/// # Errors
/// When the folder has nothing to send, or something breaks on the way. What arrives wrongly is no error
/// but a failure of the [`Report`].
pub async fn run(options: Options) -> Result<Report> {
    let progress = options.progress;
    let data = options.data.clone();
    let mut found = blocking(move || CriticalResults::read(&data)).await?;
    let step = progress.step("starting", 1);
    let (mut site, imported) = Site::open(&options.data)
        .await
        .with_context(|| format!("{} cannot be imported", options.data.display()))?;
    let plan = Plan::make(&mut site, &mut found)?;
    site.publish().await?;
    step.done(&format!(
        "relay on a socket; {} people and {} care teams imported and published",
        imported.people.added, imported.teams.added,
    ));
    let mut report = Report {
        messages: plan.messages.len(),
        recipients: plan.people().len(),
        ..Report::default()
    };
    for problem in &imported.problems {
        found.pass_over(problem.kind);
    }
    report.passed_over = std::mem::take(&mut found.passed_over);

    let (laboratory, devices) = enroll(&mut site, &plan, progress).await?;
    let mut run = Run {
        plan,
        site,
        laboratory,
        devices,
        board: Arc::new(Board::new()),
        sent: Vec::new(),
    };
    run.deliver(progress, &mut report).await?;
    run.prove(progress, &mut report).await?;
    run.end().await?;
    Ok(report)
}

/// A run under way.
struct Run {
    plan: Plan,
    site: Site,
    laboratory: Client,
    devices: Vec<Device>,
    board: Arc<Board>,
    /// The ids of the messages, in the order of the plan.
    sent: Vec<MessageId>,
}

impl Run {
    /// Sends everything and waits until everybody has read it.
    async fn deliver(&mut self, progress: Progress, report: &mut Report) -> Result<()> {
        for device in &mut self.devices {
            if device.habit == Habit::Locked {
                device.client.lock();
            }
            if device.habit != Habit::Offline {
                device.start(&self.board)?;
            }
        }
        let (directory, versions) = follow_directory(&self.laboratory)?;
        let step = progress.step("sending", self.plan.messages.len());
        let begun = SystemClock.monotonic();
        for number in 0..self.plan.messages.len() {
            if number == self.plan.middle() {
                self.revoke(versions.clone()).await?;
            }
            if number == self.plan.restart() {
                for device in with(&mut self.devices, Habit::Restarted) {
                    device.restart(&self.site, &self.board).await?;
                }
            }
            let earlier = number.saturating_sub(IN_FLIGHT);
            let enough = self.expected(earlier, Habit::is_steady);
            self.board
                .wait(|_| {}, |counts| counts.steady >= enough)
                .await?;
            let given = SystemClock.monotonic();
            let message = self
                .laboratory
                .send(draft(&self.plan.messages[number]))
                .await?;
            self.board.sent(message, given);
            self.sent.push(message);
            step.one_more();
        }
        let enough = self.expected(self.sent.len(), Habit::is_steady);
        self.board
            .wait(|_| {}, |counts| counts.steady >= enough)
            .await?;
        report.sending = SystemClock.monotonic().saturating_sub(begun);
        step.done(&format!(
            "{} messages sent, and delivered to every device that was online",
            self.sent.len()
        ));
        self.times(report);

        let all = self.expected(self.sent.len(), |_| true);
        let step = progress.step("the others come back", all);
        for device in with(&mut self.devices, Habit::Offline) {
            device.start(&self.board)?;
        }
        self.board
            .wait(
                |counts| step.at(counts.delivered),
                |counts| counts.delivered >= all,
            )
            .await?;
        step.done("devices that were offline have everything");

        let step = progress.step("reading", all);
        let locked = self
            .devices
            .iter()
            .filter(|device| device.habit == Habit::Locked);
        for device in locked {
            device.client.unlock(passphrase()?).await?;
            for team in self.plan.teams() {
                let conversation = device.client.conversation(&Recipient::Team(team));
                device.catch_up(conversation, &self.board).await?;
            }
        }
        self.board
            .wait(|counts| step.at(counts.read), |counts| counts.read >= all)
            .await?;
        step.done("devices that were locked have been read");

        let step = progress.step("receipts", self.sent.len());
        let devices: Vec<&Device> = self.devices.iter().collect();
        let (plan, laboratory) = (&self.plan, &self.laboratory);
        report.receipted =
            check::receipts(plan, laboratory, &devices, &self.sent, |n| step.at(n)).await?;
        step.done("signed receipts are back at the laboratory");
        directory.abort();
        Ok(())
    }

    /// Revokes a device, once it has received and answered everything that was sent before, and waits until
    /// the laboratory knows.
    async fn revoke(&mut self, mut versions: watch::Receiver<u64>) -> Result<()> {
        let Some(device) = with(&mut self.devices, Habit::Revoked).next() else {
            return Ok(());
        };
        let (plan, laboratory) = (&self.plan, &self.laboratory);
        check::receipts(plan, laboratory, &[device], &self.sent, |_| {}).await?;
        self.site.revoke(device.user(), device.id())?;
        let version = self.site.publish().await?;
        versions.wait_for(|known| *known >= version).await?;
        Ok(())
    }

    /// Compares everything with the plan and searches the disks.
    async fn prove(&mut self, progress: Progress, report: &mut Report) -> Result<()> {
        let step = progress.step("comparing", self.devices.len());
        check::timelines(&self.plan, &self.devices, &self.sent, report).await?;
        if let Some(revoked) = with(&mut self.devices, Habit::Revoked).next() {
            revoked.stop();
            check::revocation(&self.plan, &self.laboratory, revoked, &self.sent, report).await?;
        }
        step.done("every timeline compared with the plan");

        let step = progress.step("searching the disks", 1);
        self.laboratory.stop();
        for device in &mut self.devices {
            device.stop();
        }
        // The stores stay open, so that their write-ahead logs are there to be searched too.
        let mut secrets = Secrets::new(self.site.public_names());
        for Planned { result, .. } in &self.plan.messages {
            secrets.add_text(&result.text);
            secrets.add(&result.patient.name);
            for identifier in &result.patient.identifiers {
                secrets.add(&identifier.value);
            }
        }
        let (all, relay) = (self.site.folder().to_owned(), self.site.relay_folder());
        (report.scan, report.relay_bytes) =
            blocking(move || Ok((secrets.scan(&all)?, scan::size_of(&relay)?))).await?;
        step.done("every byte on disk searched");
        Ok(())
    }

    async fn end(self) -> Result<()> {
        self.laboratory.close().await?;
        for device in &self.devices {
            device.client.close().await?;
        }
        self.site.stop().await;
        Ok(())
    }

    fn times(&self, report: &mut Report) {
        let ids = |wanted: &dyn Fn(Habit) -> bool| {
            let devices = self.devices.iter().filter(|device| wanted(device.habit));
            devices.map(Device::id).collect::<Vec<_>>()
        };
        let (steady, online) = (ids(&Habit::is_steady), ids(&|habit| habit == Habit::Online));
        report.delivery = Percentiles::of(&self.board.delivery_times(&steady));
        report.reading = Percentiles::of(&self.board.reading_times(&online));
        let count = |habit| ids(&|other| other == habit).len();
        report.devices = self.devices.len();
        report.offline = count(Habit::Offline);
        report.locked = count(Habit::Locked);
        report.restarted = count(Habit::Restarted);
        report.revoked = count(Habit::Revoked);
    }

    /// How many deliveries the first messages make at devices of these habits.
    fn expected(&self, messages: usize, habits: impl Fn(Habit) -> bool) -> usize {
        let devices = self.devices.iter().filter(|device| habits(device.habit));
        devices
            .map(|device| {
                let expected =
                    (0..messages).filter(|n| self.plan.expects(device.user(), device.habit, *n));
                expected.count()
            })
            .sum()
    }
}

/// Enrolls the laboratory and every device, publishes them, and lets each offer its keys once.
async fn enroll(site: &mut Site, plan: &Plan, progress: Progress) -> Result<(Client, Vec<Device>)> {
    let planned = plan.devices();
    let step = progress.step("enrolling", planned.len() + 1);
    let laboratory = site
        .enroll(site.laboratory.clone(), "analyzer", "laboratory")?
        .await?;
    let mut enrolling = Vec::new();
    for (number, (user, label, _)) in planned.iter().enumerate() {
        enrolling.push(site.enroll(user.clone(), label, &name_of(number))?);
    }
    let clients = together(enrolling, || step.one_more()).await?;
    site.publish().await?;
    let devices: Vec<Device> = clients
        .into_iter()
        .zip(planned)
        .enumerate()
        .map(|(number, (client, (_, _, habit)))| Device::new(client, habit, name_of(number)))
        .collect();
    let syncing = devices.iter().map(|device| {
        let client = device.client.clone();
        async move { Ok(client.sync_once().await.map(drop)?) }
    });
    together(syncing, || {}).await?;
    laboratory.sync_once().await?;
    laboratory.start()?;
    step.done(&format!(
        "{} devices enrolled and published",
        devices.len() + 1
    ));
    Ok((laboratory, devices))
}

/// Tells the version of the directory that a client believes, as its events say.
fn follow_directory(client: &Client) -> Result<(JoinHandle<()>, watch::Receiver<u64>)> {
    let (tell, versions) = watch::channel(0);
    let client = client.clone();
    let task = tokio::spawn(async move {
        let mut cursor = EventCursor::default();
        while let Ok(events) = client.next_events(cursor, 500).await {
            for event in events {
                cursor = event.cursor;
                if let Event::DirectoryChanged { version } = event.event {
                    let _ = tell.send(version);
                }
            }
            if client.confirm_events(cursor).await.is_err() {
                return;
            }
        }
    });
    Ok((task, versions))
}

/// The message of a result: critical, about a patient of two identifiers, and sent once whatever happens.
fn draft(planned: &Planned) -> Draft {
    Draft::new(
        Recipient::Team(planned.team.clone()),
        planned.result.text.clone(),
    )
    .priority(Priority::Stat)
    .patient(planned.result.patient.clone())
    .idempotency_key(planned.result.id.clone())
}

fn with(devices: &mut [Device], habit: Habit) -> impl Iterator<Item = &mut Device> {
    devices
        .iter_mut()
        .filter(move |device| device.habit == habit)
}

fn name_of(number: usize) -> String {
    format!("device-{}", number + 1)
}

/// Messages on their way at once. The next one is sent when an older one has come to every device that is
/// online, so that times tell of the way and not of a queue.
const IN_FLIGHT: usize = 4;
