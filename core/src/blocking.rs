//! Work that blocks (the disk, Argon2id), beside whatever drives the async code.
//!
//! A host may await us on tokio, on another executor, or on a bare thread. On tokio the work goes to its
//! threads for blocking; elsewhere it gets a thread of its own, because asking tokio would panic.

use std::thread;

use tokio::{runtime::Handle, sync::oneshot};
use wardline_sqlite::{Error, Slot};

/// Runs `work` where it may block; a panic in it is an error like others.
pub(crate) fn blocking<T, E>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> impl Future<Output = Result<T, E>> + Send
where
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    let answer = Slot::default();
    let place = answer.clone();
    let work = run(Box::new(move || place.put(work())));
    flat(answer.after(work))
}

async fn flat<T, E>(answer: impl Future<Output = Result<Result<T, E>, Error>>) -> Result<T, E>
where
    E: From<Error>,
{
    answer.await?
}

/// Ends when `work` has ended, whichever way.
async fn run(work: Box<dyn FnOnce() + Send>) -> Result<(), Error> {
    let (ended, end) = oneshot::channel::<()>();
    let work = move || {
        // Dropped after the work, or by its panic.
        let _ended = ended;
        work();
    };
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(work)),
        Err(_) => {
            let thread = thread::Builder::new().name("wardline-blocking".to_owned());
            drop(thread.spawn(work)?);
        }
    }
    let _ = end.await;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

    use std::{
        future::Future,
        pin::pin,
        sync::Arc,
        task::{Context, Poll, Wake, Waker},
    };

    use super::*;

    /// The smallest executor there is: a thread that sleeps until it is woken.
    fn wait<T>(future: impl Future<Output = T>) -> T {
        struct Unpark(thread::Thread);
        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut future = pin!(future);
        loop {
            match future.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(answer) => return answer,
                Poll::Pending => thread::park(),
            }
        }
    }

    fn panics() -> Result<(), Error> {
        panic!("planted")
    }

    #[test]
    fn work_is_done_without_a_runtime() {
        assert_eq!(wait(blocking(|| Ok::<_, Error>(7))).unwrap(), 7);
        assert!(matches!(wait(blocking(panics)), Err(Error::Panicked)));
    }

    #[tokio::test]
    async fn work_is_done_on_a_runtime() {
        assert_eq!(blocking(|| Ok::<_, Error>(7)).await.unwrap(), 7);
        assert!(matches!(blocking(panics).await, Err(Error::Panicked)));
    }
}
