//! Giving up a wait.
//!
//! In Python and Kotlin cancelling the task is enough: it drops the call. Swift's task cancellation
//! never reaches Rust, so every long wait takes a token too.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

/// Ends waits. Once cancelled it stays so.
#[derive(Debug, Default, uniffi::Object)]
pub struct CancelToken {
    token: CancellationToken,
}

#[uniffi::export]
impl CancelToken {
    /// A token that nobody has cancelled.
    #[uniffi::constructor]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Ends every wait that was given this token, with `WL-CANCELLED`.
    pub fn cancel(&self) {
        self.token.cancel();
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.token.is_cancelled()
    }
}

impl CancelToken {
    pub(crate) async fn cancelled(&self) {
        self.token.cancelled().await;
    }
}
