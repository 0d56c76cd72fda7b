//! Work that blocks (the disk, Argon2id), beside whatever drives the async code.
//!
//! A host may await us on tokio, on another executor, or on a bare thread. On tokio the work goes to its
//! threads for blocking; elsewhere it gets a thread of its own, because asking tokio would panic.

use std::thread;

use tokio::{runtime::Handle, sync::oneshot};
use wardline_sqlite::Error;

/// Runs `work` where it may block; a panic in it is an error like others.
pub(crate) async fn blocking<T, E>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    let (answer, done) = oneshot::channel();
    // Boxed, so that spawning is compiled once and not for every query.
    let work: Box<dyn FnOnce() + Send> = Box::new(move || {
        // Nobody waiting any more is fine.
        let _ = answer.send(work());
    });
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(work)),
        Err(_) => {
            let thread = thread::Builder::new().name("wardline-blocking".to_owned());
            drop(thread.spawn(work).map_err(Error::from)?);
        }
    }
    done.await.unwrap_or_else(|_| Err(Error::Panicked.into()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

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
