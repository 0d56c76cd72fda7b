//! The same calls without the boundary, timed: what a bench of a language is compared with.
//!
//! Each answer is a list of nanoseconds, one for each call. What a language adds is the difference; how the
//! core itself fares is measured in `benches/`.

use std::{sync::Arc, time::Instant};

use wardline::{ConversationId, EventCursor};

use crate::{
    client::Client,
    draft::{Draft, Recipient},
    error::WardlineError,
    ids::parse,
    runtime::run_to_the_end,
};

/// Times the calls of one device.
#[derive(Debug, uniffi::Object)]
pub struct Stopwatch(Arc<Client>);

#[uniffi::export]
impl Stopwatch {
    /// One for a device.
    #[uniffi::constructor]
    pub fn new(client: Arc<Client>) -> Arc<Self> {
        Arc::new(Self(client))
    }

    /// Sends a text so many times.
    pub async fn sends(
        &self,
        recipient: Recipient,
        text: String,
        times: u32,
    ) -> Result<Vec<u64>, WardlineError> {
        let core = self.0.core()?;
        run_to_the_end(async move {
            let mut taken = Vec::new();
            for _ in 0..times {
                // What a call starts from is there before it: the record has crossed the boundary.
                let draft = Draft {
                    recipient: recipient.clone(),
                    text: text.clone(),
                    priority: crate::draft::Priority::Routine,
                    patient: None,
                    occurred_at_ms: None,
                    answer_within_ms: None,
                    reply_to: None,
                    idempotency_key: None,
                    structured: None,
                    offers: Vec::new(),
                    escalate: Vec::new(),
                    send_at_ms: None,
                    lifetime: None,
                };
                let started = Started::now();
                core.send(wardline::Draft::try_from(draft)?).await?;
                taken.push(started.nanos());
            }
            Ok(taken)
        })
        .await
    }

    /// Reads the newest page of a conversation so many times.
    pub async fn pages(
        &self,
        conversation: String,
        size: u32,
        times: u32,
    ) -> Result<Vec<u64>, WardlineError> {
        let core = self.0.core()?;
        let conversation: ConversationId = parse("conversation", &conversation)?;
        run_to_the_end(async move {
            let mut taken = Vec::new();
            for _ in 0..times {
                let started = Started::now();
                core.timeline(conversation, None, size).await?;
                taken.push(started.nanos());
            }
            Ok(taken)
        })
        .await
    }

    /// Fetches the first events, at most `max`, so many times.
    pub async fn events(&self, max: u32, times: u32) -> Result<Vec<u64>, WardlineError> {
        let core = self.0.core()?;
        run_to_the_end(async move {
            let mut taken = Vec::new();
            for _ in 0..times {
                let started = Started::now();
                core.events_from(EventCursor::default(), max).await?;
                taken.push(started.nanos());
            }
            Ok(taken)
        })
        .await
    }
}

struct Started(Instant);

impl Started {
    #[allow(
        clippy::disallowed_methods,
        reason = "a stopwatch for people, nothing is decided by it"
    )]
    fn now() -> Self {
        Self(Instant::now())
    }

    fn nanos(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
