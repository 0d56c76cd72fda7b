//! The threads that everything runs on.
//!
//! One runtime for the process, started by the first call. UniFFI would poll a future on whichever
//! thread the host calls from, which stalls an event loop for as long as the future computes; so every
//! exported call is spawned here and the host's thread only looks whether it is done.
//!
//! What a call does is not its concern.

use std::{
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::JoinError,
};
use tokio_util::task::AbortOnDropHandle;
use wardline::Slot;

use crate::{cancel::CancelToken, error::WardlineError};

/// Stops every thread of Wardline in this process, for good. Later calls answer `WL-CLOSED`.
///
/// For the end of a process: its language can be gone before its threads are, and so can the buffers that
/// pages are encrypted in. Packages call it by themselves when a process exits. Waits for at most `wait_ms`
/// milliseconds for calls under way, and as long again for what is being written.
#[uniffi::export]
pub fn stop_runtime(wait_ms: u64) {
    let wait = Duration::from_millis(wait_ms);
    let runtime = {
        let mut place = place();
        match std::mem::replace(&mut *place, Place::Stopped) {
            // The threads of a process do not survive its fork: there is nobody to wait for.
            Place::Running { process, .. } if process != std::process::id() => return,
            Place::Running { runtime, .. } => Some(runtime),
            Place::Unused | Place::Stopped => None,
        }
    };
    if let Some(runtime) = runtime {
        runtime.shutdown_timeout(wait);
        // Writers have threads of their own.
        wardline::halt(wait);
    }
}

/// Runs a call to its end; gives it up when the host drops it.
pub(crate) fn run<T: Send + 'static>(
    work: impl Future<Output = Result<T, WardlineError>> + Send + 'static,
) -> impl Future<Output = Result<T, WardlineError>> + Send {
    run_boxed(Box::pin(work))
}

/// [`run`] for what is boxed already: compiled once for each answer, and not once for each call.
pub(crate) async fn run_boxed<T: Send + 'static>(
    work: Work<T, WardlineError>,
) -> Result<T, WardlineError> {
    let (task, answer) = task(work);
    ended(spawn_until_dropped(task).await, answer)
}

/// [`run`], until the token is cancelled.
pub(crate) fn run_until<T: Send + 'static>(
    cancel: Option<std::sync::Arc<CancelToken>>,
    work: impl Future<Output = Result<T, WardlineError>> + Send + 'static,
) -> impl Future<Output = Result<T, WardlineError>> + Send {
    run_until_boxed(cancel, Box::pin(work))
}

async fn run_until_boxed<T: Send + 'static>(
    cancel: Option<std::sync::Arc<CancelToken>>,
    work: Work<T, WardlineError>,
) -> Result<T, WardlineError> {
    let Some(cancel) = cancel else {
        return run_boxed(work).await;
    };
    run(async move {
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(WardlineError::cancelled()),
            done = work => done,
        }
    })
    .await
}

/// Runs a call to its end, whether anybody waits for it or not.
pub(crate) fn run_to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, WardlineError>> + Send + 'static,
) -> impl Future<Output = Result<T, WardlineError>> + Send {
    run_to_the_end_boxed(Box::pin(work))
}

async fn run_to_the_end_boxed<T: Send + 'static>(
    work: Work<T, WardlineError>,
) -> Result<T, WardlineError> {
    let (task, answer) = task(work);
    ended(spawn(task).await, answer)
}

/// Runs what blocks beside everything else.
pub(crate) async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, WardlineError> + Send + 'static,
) -> Result<T, WardlineError> {
    let answer = Slot::default();
    let place = answer.clone();
    let work: Box<dyn FnOnce() + Send> = Box::new(move || place.put(work()));
    let done = handle()?.spawn_blocking(work).await;
    ended(done.map_err(Into::into), answer)
}

/// The runtime, started when it is not.
pub(crate) fn handle() -> Result<Handle, WardlineError> {
    let mut place = place();
    match &*place {
        Place::Stopped => Err(WardlineError::closed()),
        Place::Running { process, .. } if *process != std::process::id() => {
            Err(WardlineError::forked())
        }
        Place::Running { runtime, .. } => Ok(runtime.handle().clone()),
        Place::Unused => {
            let runtime = Builder::new_multi_thread()
                .thread_name("wardline")
                .worker_threads(workers())
                .max_blocking_threads(MOST_BLOCKING)
                .enable_all()
                .build()
                .map_err(|_| WardlineError::defect("the system gives no threads"))?;
            let handle = runtime.handle().clone();
            *place = Place::Running {
                runtime,
                process: std::process::id(),
            };
            Ok(handle)
        }
    }
}

/// A call with its answer.
pub(crate) type Work<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// A call that leaves its answer in a [`Slot`], so that spawning is compiled once.
type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

fn task<T: Send + 'static>(work: Work<T, WardlineError>) -> (Task, Slot<Result<T, WardlineError>>) {
    let answer = Slot::default();
    let place = answer.clone();
    (Box::pin(async move { place.put(work.await) }), answer)
}

async fn spawn(task: Task) -> Result<(), WardlineError> {
    Ok(handle()?.spawn(task).await?)
}

async fn spawn_until_dropped(task: Task) -> Result<(), WardlineError> {
    Ok(AbortOnDropHandle::new(handle()?.spawn(task)).await?)
}

fn ended<T>(
    ended: Result<(), WardlineError>,
    answer: Slot<Result<T, WardlineError>>,
) -> Result<T, WardlineError> {
    ended?;
    answer.take().unwrap_or_else(|| Err(lost()))
}

impl From<JoinError> for WardlineError {
    fn from(error: JoinError) -> Self {
        if error.is_cancelled() {
            Self::closed()
        } else {
            lost()
        }
    }
}

fn lost() -> WardlineError {
    WardlineError::defect("a task of the library ended unexpectedly")
}

fn place() -> MutexGuard<'static, Place> {
    PLACE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn workers() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    cores.clamp(2, MOST_WORKERS)
}

enum Place {
    Unused,
    Running {
        runtime: Runtime,
        /// Threads do not survive a fork.
        process: u32,
    },
    Stopped,
}

static PLACE: Mutex<Place> = Mutex::new(Place::Unused);

const MOST_WORKERS: usize = 4;
/// Readers, Argon2id, and threads that wait for a platform's prompt.
const MOST_BLOCKING: usize = 64;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Polled without a runtime around it, as UniFFI does.
    fn wait<T>(future: impl Future<Output = T>) -> T {
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(future)
    }

    #[test]
    fn a_task_that_panics_is_an_error() {
        let done = wait(run::<()>(async { panic!("on purpose") }));
        assert_eq!(done.unwrap_err().code(), "WL-DEFECT");
    }

    #[test]
    fn a_wait_that_is_cancelled_ends_and_one_that_is_dropped_is_given_up() {
        let cancel = CancelToken::new();
        let waiting = run_until::<()>(Some(Arc::clone(&cancel)), std::future::pending());
        cancel.cancel();
        assert_eq!(wait(waiting).unwrap_err().code(), "WL-CANCELLED");

        let held = Arc::new(());
        let inside = Arc::clone(&held);
        let mut waiting = Box::pin(run::<()>(async move {
            let _inside = inside;
            std::future::pending().await
        }));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        drop(waiting);
        while Arc::strong_count(&held) > 1 {
            std::thread::yield_now();
        }
    }
}
