//! [`LocalTransport`]: a relay in the same process, without a socket.

use async_trait::async_trait;
use wardline_org::{Request, Response, Transport, TransportError};

use crate::relay::Relay;

/// Carries calls to a [`Relay`] in the same process: for tests, examples and single-machine set-ups.
///
/// Signatures, replays, quotas and limits are checked as they are over HTTP. Made by [`Relay::local`].
#[derive(Debug, Clone)]
pub struct LocalTransport {
    relay: Relay,
}

impl LocalTransport {
    pub(crate) fn new(relay: Relay) -> Self {
        Self { relay }
    }
}

#[async_trait]
impl Transport for LocalTransport {
    async fn call(&self, request: Request) -> Result<Response, TransportError> {
        Ok(self.relay.handle(request).await)
    }
}
