//! Doing many things at once, as much as a small machine can take.

use std::sync::Arc;

use anyhow::Result;
use tokio::sync::Semaphore;

/// Runs work at the same time, so much at once as a small machine can take; answers in order.
pub(crate) async fn together<T: Send + 'static>(
    work: impl IntoIterator<Item = impl Future<Output = Result<T>> + Send + 'static>,
    mut one_done: impl FnMut(),
) -> Result<Vec<T>> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let tasks: Vec<_> = work
        .into_iter()
        .map(|work| {
            let places = Arc::clone(&places);
            tokio::spawn(async move {
                let _place = places.acquire().await?;
                work.await
            })
        })
        .collect();
    let mut done = Vec::with_capacity(tasks.len());
    for task in tasks {
        done.push(task.await??);
        one_done();
    }
    Ok(done)
}

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await?
}

/// Work at once.
const AT_ONCE: usize = 8;
