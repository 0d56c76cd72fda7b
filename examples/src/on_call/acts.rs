//! The run itself: two shifts of results, a laboratory that goes off, and everybody who comes back.

use anyhow::Result;
use wardline::{MessageId, Sbar};
use wardline_org::{Clock, DeviceId, SystemClock};

use super::{
    Progress, Run, check,
    device::{Device, Habit},
    plan::Fate,
    report::{Percentiles, Report},
    script::Script,
    site::passphrase,
    with,
};

impl Run {
    /// Sends everything and waits until everything has become of it that was planned.
    pub(super) async fn play(&mut self, progress: Progress, report: &mut Report) -> Result<()> {
        for device in &mut self.devices {
            if device.habit == Habit::Locked {
                device.client.lock();
            }
            if device.habit != Habit::Offline {
                device.start(&self.board)?;
            }
        }
        self.send(progress, report).await?;
        self.laboratory.go_off().await?;
        self.wait_for_answers(progress).await?;
        self.bring_back(progress).await?;
        self.laboratory.come_back(&self.site).await?;
        let step = progress.step("receipts", self.plan.messages.len());
        let devices: Vec<&Device> = self.devices.iter().collect();
        let all = self.plan.messages.len();
        report.receipted =
            check::receipts(&self.plan, &self.laboratory, &devices, all, |n| step.at(n)).await?;
        step.done("signed receipts and answers are back at the laboratory");
        Ok(())
    }

    async fn send(&mut self, progress: Progress, report: &mut Report) -> Result<()> {
        let step = progress.step("sending", self.plan.messages.len());
        let begun = SystemClock.monotonic();
        for number in 0..self.plan.messages.len() {
            if number == self.plan.middle() {
                self.change_shift().await?;
            }
            if number == self.plan.restart() {
                for device in with(&mut self.devices, Habit::Restarted) {
                    device.restart(&self.site, &self.board).await?;
                }
            }
            self.take_back(number.saturating_sub(IN_FLIGHT)).await?;
            let given = SystemClock.monotonic();
            let (planned, rota) = (&self.plan.messages[number], self.plan.rota(number));
            let message = self.laboratory.send(planned, rota).await?;
            self.board.sent(message, given);
            step.one_more();
        }
        self.take_back(self.plan.messages.len()).await?;
        report.sending = SystemClock.monotonic().saturating_sub(begun);
        step.done(&format!(
            "{} results sent, and delivered to every device on call that was online",
            self.plan.messages.len()
        ));
        self.times(report);
        Ok(())
    }

    /// Waits until the first messages have come to every device that is told of them at once and can receive all the
    /// time.
    async fn has_come(&mut self, messages: usize) -> Result<()> {
        for number in self.come..messages {
            let message = self.laboratory.sent()[number];
            let devices: Vec<DeviceId> = self.steady_devices(number).map(Device::id).collect();
            let has = |device: &DeviceId| self.board.has_all(*device, &[message]);
            self.board.wait(|_| {}, |_| devices.iter().all(has)).await?;
        }
        self.come = self.come.max(messages);
        Ok(())
    }

    /// The second shift takes the lines over, and somebody's tablet is revoked, once it has received and answered
    /// everything that was sent before. Whoever leaves hands over what is open.
    async fn change_shift(&mut self) -> Result<()> {
        self.take_back(self.plan.middle()).await?;
        if let Some(device) = with(&mut self.devices, Habit::Revoked).next() {
            let sent = self.plan.middle();
            check::receipts(&self.plan, &self.laboratory, &[device], sent, |_| {}).await?;
            self.site.revoke(device.user(), device.id())?;
        }
        let now = SystemClock.now();
        for rota in &self.plan.rotas {
            self.site.list(rota, Some(now))?;
        }
        let version = self.site.publish().await?;
        self.laboratory.knows(version).await?;
        for rota in &self.plan.rotas {
            let leaves = self
                .devices
                .iter()
                .find(|device| device.habit == Habit::Online && device.user() == &rota.first);
            if let Some(leaves) = leaves {
                let note = Sbar {
                    situation: format!("{}: what is open comes with this", rota.department),
                    ..Sbar::default()
                };
                leaves.client.hand_over(rota.on_call.clone(), note).await?;
            }
        }
        Ok(())
    }

    /// Waits until the first messages have come, and takes back those that turn out to be about another patient.
    async fn take_back(&mut self, messages: usize) -> Result<()> {
        let new = self.come..messages;
        self.has_come(messages).await?;
        let wrong: Vec<usize> = self.plan.of(Fate::Recalled).collect();
        for number in wrong.into_iter().filter(|number| new.contains(number)) {
            self.laboratory.recall(number).await?;
            self.taken_back += self.steady_devices(number).count();
        }
        let expected = self.taken_back;
        self.board
            .wait(|_| {}, |counts| counts.recalled >= expected)
            .await
    }

    /// The devices that are told of a message at once and can receive all the time.
    fn steady_devices(&self, number: usize) -> impl Iterator<Item = &Device> {
        let steady = self
            .devices
            .iter()
            .filter(|device| device.habit.is_steady());
        steady.filter(move |device| self.plan.tells(device.user(), number))
    }

    /// The laboratory is off: what nobody has answered goes to the next all the same.
    async fn wait_for_answers(&mut self, progress: Progress) -> Result<()> {
        let expected = Script::of(&self.plan).answers();
        let step = progress.step("escalating", expected);
        self.board
            .wait(
                |counts| step.at(counts.answered),
                |counts| counts.answered >= expected,
            )
            .await?;
        step.done("the laboratory is off, and every result has somebody who took it");
        Ok(())
    }

    /// Devices that were offline or locked catch up.
    async fn bring_back(&mut self, progress: Progress) -> Result<()> {
        let step = progress.step("the others come back", self.devices.len());
        for device in with(&mut self.devices, Habit::Offline) {
            device.start(&self.board)?;
        }
        for device in &self.devices {
            let expected = self.plan.remains_for(device.user(), device.habit);
            let expected: Vec<_> = expected.map(|n| self.laboratory.sent()[n]).collect();
            self.board
                .wait(|_| {}, |_| self.board.has_all(device.id(), &expected))
                .await?;
            if device.habit == Habit::Locked {
                device.client.unlock(passphrase()?).await?;
            }
            device.catch_up(&self.board).await?;
            step.one_more();
        }
        step.done("devices that were offline or locked have everything and have read it");
        Ok(())
    }

    fn times(&self, report: &mut Report) {
        let ids = |wanted: &dyn Fn(Habit) -> bool| {
            let devices = self.devices.iter().filter(|device| wanted(device.habit));
            devices.map(Device::id).collect::<Vec<_>>()
        };
        let (steady, online) = (ids(&Habit::is_steady), ids(&|habit| habit == Habit::Online));
        // Who is given a message because somebody else did not answer has it later, and by intent.
        let told = |device: DeviceId, message: MessageId| {
            let sent = self.laboratory.sent().iter();
            let number = sent.clone().position(|id| *id == message);
            let user = self.devices.iter().find(|one| one.id() == device);
            number
                .zip(user)
                .is_some_and(|(number, device)| self.plan.tells(device.user(), number))
        };
        report.delivery = Percentiles::of(&self.board.delivery_times(&steady, told));
        report.reading = Percentiles::of(&self.board.reading_times(&online, told));
        let count = |habit| ids(&|other| other == habit).len();
        report.devices = self.devices.len();
        report.offline = count(Habit::Offline);
        report.locked = count(Habit::Locked);
        report.restarted = count(Habit::Restarted);
        report.revoked = count(Habit::Revoked);
    }
}

/// Messages on their way at once. The next one is sent when an older one has come to every device that is
/// online, so that times tell of the way and not of a queue.
const IN_FLIGHT: usize = 4;
