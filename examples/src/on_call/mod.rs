//! A hospital in one process: a relay on a socket, a laboratory, and two devices for everybody who is on call.
//!
//! | module | |
//! |---|---|
//! | `site.rs`, `rota.rs` | the organization, its relay, who is on call, and how a device enrolls |
//! | `plan.rs`, `script.rs` | who gets what, what becomes of it, and what happens to which device |
//! | `device.rs` | a device and the app on it: start here to see how an app uses the SDK |
//! | `laboratory.rs` | what is sent, taken back and learned: the other side of it |
//! | `acts.rs` | the run itself, from the first result to the last answer |
//! | `board.rs` | the stopwatch |
//! | `check.rs` | whether it is true: timelines, receipts, answers |
//! | `results.rs` | what the laboratory has found, out of the export |
//! | `report.rs` | what is told |

mod acts;
mod board;
mod check;
mod device;
mod laboratory;
mod plan;
mod report;
mod results;
mod rota;
mod script;
mod site;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result};

pub use self::report::Report;
use self::results::Findings;
use self::{
    board::Board,
    device::{Device, Habit},
    laboratory::Laboratory,
    plan::{Plan, Planned},
    script::Script,
    site::Site,
};
pub use crate::{progress::Progress, scan::Scan};
use crate::{
    scan::{self, Secrets},
    work::{blocking, together},
};

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
    let mut found = blocking(move || Findings::read(&data)).await?;
    let step = progress.step("starting", 1);
    let (mut site, imported) = Site::open(&options.data)
        .await
        .with_context(|| format!("{} cannot be imported", options.data.display()))?;
    let plan = Plan::make(&site, &mut found)?;
    for rota in &plan.rotas {
        site.list(rota, None)?;
    }
    site.publish().await?;
    step.done(&format!(
        "relay on a socket; {} people and {} care teams imported, the rota of {} departments published",
        imported.people.added,
        imported.teams.added,
        plan.rotas.len(),
    ));
    let mut report = Report {
        messages: plan.messages.len(),
        departments: plan.rotas.len(),
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
        come: 0,
        taken_back: 0,
    };
    run.play(progress, &mut report).await?;
    run.prove(progress, &mut report).await?;
    run.end().await?;
    Ok(report)
}

/// A run under way.
struct Run {
    plan: Plan,
    site: Site,
    laboratory: Laboratory,
    devices: Vec<Device>,
    board: Arc<Board>,
    /// So many of the first messages have come to every device that can receive all the time.
    come: usize,
    /// What was taken back, each counted for each device that can receive all the time.
    taken_back: usize,
}

impl Run {
    /// Compares everything with the plan and searches the disks.
    async fn prove(&mut self, progress: Progress, report: &mut Report) -> Result<()> {
        let step = progress.step("comparing", self.devices.len());
        check::timelines(&self.plan, &self.devices, self.laboratory.sent(), report).await?;
        check::outcomes(&self.plan, &self.laboratory, report).await?;
        if let Some(revoked) = with(&mut self.devices, Habit::Revoked).next() {
            revoked.stop();
            check::revocation(&self.plan, &self.laboratory, revoked, report).await?;
        }
        step.done("every timeline and every answer compared with the plan");

        let step = progress.step("searching the disks", 1);
        self.laboratory.stop();
        for device in &mut self.devices {
            device.stop();
        }
        // The stores stay open, so that their write-ahead logs are there to be searched too.
        let mut secrets = Secrets::new(self.site.public_names());
        for Planned { finding, .. } in &self.plan.messages {
            secrets.add_text(&finding.text);
            secrets.add(&finding.patient.name);
            for identifier in &finding.patient.identifiers {
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
}

/// Enrolls the laboratory and every device, publishes them, and lets each offer its keys once.
async fn enroll(
    site: &mut Site,
    plan: &Plan,
    progress: Progress,
) -> Result<(Laboratory, Vec<Device>)> {
    let planned = plan.devices();
    let step = progress.step("enrolling", planned.len() + 1);
    let laboratory = site
        .enroll(site.laboratory.clone(), "analyzer", laboratory::FOLDER)?
        .await?;
    let mut enrolling = Vec::new();
    for (number, (user, label, _)) in planned.iter().enumerate() {
        enrolling.push(site.enroll(user.clone(), label, &name_of(number))?);
    }
    let clients = together(enrolling, || step.one_more()).await?;
    site.publish().await?;
    let script = Arc::new(Script::of(plan));
    let devices: Vec<Device> = clients
        .into_iter()
        .zip(planned)
        .enumerate()
        .map(|(number, (client, (_, label, habit)))| {
            let script = (label == plan::PHONE).then(|| Arc::clone(&script));
            Device::new(client, habit, name_of(number), script)
        })
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
    Ok((Laboratory::new(laboratory), devices))
}

fn with(devices: &mut [Device], habit: Habit) -> impl Iterator<Item = &mut Device> {
    devices
        .iter_mut()
        .filter(move |device| device.habit == habit)
}

fn name_of(number: usize) -> String {
    format!("device-{}", number + 1)
}
