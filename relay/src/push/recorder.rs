//! [`PushRecorder`]: a gateway that keeps what it is given. For tests.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::{PushGateway, PushOutcome, WakeUp};

/// Keeps wake-ups in memory until they are asked for.
#[derive(Debug, Default)]
pub struct PushRecorder {
    wake_ups: Mutex<VecDeque<WakeUp>>,
    came: Notify,
}

impl PushRecorder {
    /// Waits for the next wake-up and takes it out. One caller at a time.
    pub async fn next(&self) -> WakeUp {
        loop {
            if let Some(wake_up) = self.wake_ups().pop_front() {
                return wake_up;
            }
            self.came.notified().await;
        }
    }

    fn wake_ups(&self) -> MutexGuard<'_, VecDeque<WakeUp>> {
        self.wake_ups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl PushGateway for PushRecorder {
    async fn post(&self, wake_up: &WakeUp) -> PushOutcome {
        self.wake_ups().push_back(wake_up.clone());
        self.came.notify_one();
        PushOutcome::Posted
    }
}
