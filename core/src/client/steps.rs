//! How the shell asks the engine: a step in a transaction, or a look.
//!
//! Not its concern: what a step does (`engine`), and what is shared of a commit (the store's writer).

use wardline_sqlite::Slot;

use super::Client;
use crate::{
    engine::{self, Context, Step, points::Commit},
    error::Error,
};

/// A step whose answer is left in a [`Slot`].
type Job = Box<dyn FnOnce(&mut Step<'_>) -> Result<(), Error> + Send>;

impl Client {
    /// Runs one step of the engine in a transaction.
    pub(crate) fn step<T: Send + 'static>(
        &self,
        commit: Commit,
        step: impl FnOnce(&mut Step<'_>) -> Result<T, Error> + Send + 'static,
    ) -> impl Future<Output = Result<T, Error>> + Send {
        let (job, answer) = job(step);
        answer.after(self.step_boxed(commit, job))
    }

    /// Asks the engine for something that changes no row. What it knows lives on the writer's thread, so
    /// this waits for its turn like a step.
    pub(super) fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&mut Step<'_>) -> Result<T, Error> + Send + 'static,
    ) -> impl Future<Output = Result<T, Error>> + Send {
        let (job, answer) = job(look);
        answer.after(self.look_boxed(job))
    }

    /// Compiled once, and not for every step that there is.
    async fn step_boxed(&self, commit: Commit, step: Job) -> Result<(), Error> {
        let job: Job = Box::new(move |view| {
            engine::run(view, step)?;
            commit.before();
            Ok(())
        });
        self.look_boxed(job).await?;
        commit.after();
        Ok(())
    }

    async fn look_boxed(&self, look: Job) -> Result<(), Error> {
        let context = self.context();
        let store = &self.inner.store;
        store
            .write(move |work| look(&mut engine::view(work, &context)))
            .await
    }

    pub(crate) fn context(&self) -> Context {
        let inner = &self.inner;
        let line = inner.line();
        Context {
            identity: inner.identity.clone(),
            reading: inner.unlocked().map(|unlocked| unlocked.keys),
            reading_public: inner.reading_public.clone(),
            checkpoint_confirmed: line.checkpoint_confirmed,
            head_confirmed: line
                .head_confirmed_at
                .is_some_and(|at| inner.clock.monotonic().saturating_sub(at) < line.head_refresh),
            now: inner.clock.now(),
            clocks: self.clocks(),
        }
    }
}

fn job<T: Send + 'static>(
    step: impl FnOnce(&mut Step<'_>) -> Result<T, Error> + Send + 'static,
) -> (Job, Slot<T>) {
    let answer = Slot::default();
    let place = answer.clone();
    let job: Job = Box::new(move |view| {
        place.put(step(view)?);
        Ok(())
    });
    (job, answer)
}
