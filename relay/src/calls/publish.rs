//! `PublishHead`: the next head, judged, stored, and put in force.

use std::sync::Arc;

use wardline_org::{
    EntryKey, Refusal, RelayCode, Timestamp,
    directory::{Publication as Judged, PublishError},
};
use wardline_proto::{Bytes, v1};

use crate::{
    auth::Session,
    directory::Directory,
    relay::{Core, stored},
    storage::Publication,
};

impl Core {
    /// Compare-and-swap of the whole directory. What a client would refuse is refused here already, so
    /// that a mistake of the authority is the authority's error and not everybody's.
    pub(super) async fn publish_head(
        &self,
        session: &Session,
        request: v1::PublishHeadRequest,
    ) -> Result<v1::PublishHeadResponse, Refusal> {
        let org = &session.org;
        let _alone = org.publishing.write().await;
        let before = org.directory();
        let latest_issue = self.clock.now() + self.config.window.ahead;
        let judge = move || judge(&before, &request, latest_issue);
        // Thousands of signatures on the first head: not on a thread that others wait for.
        let (after, mut publication) = tokio::task::spawn_blocking(judge)
            .await
            .unwrap_or(Err(PublishError::Entries))
            .map_err(|error| {
                tracing::warn!(%error, "a head was refused");
                Refusal::new(error.code())
            })?;
        let settled: Vec<_> = org
            .pending_devices()
            .into_iter()
            .filter(|device| after.device(device).is_some())
            .collect();
        publication.settled.clone_from(&settled);

        let done = self.storage.publish(org.key, publication);
        if !done.await.map_err(stored)? {
            return Err(Refusal::new(RelayCode::HeadConflict));
        }
        let version = after.version();
        org.replace_directory(after, &settled);
        self.metrics.heads_published.inc();
        tracing::info!(version, "a head is in force");
        Ok(v1::PublishHeadResponse {})
    }
}

fn judge(
    before: &Arc<Directory>,
    request: &v1::PublishHeadRequest,
    latest_issue: Timestamp,
) -> Result<(Directory, Publication), PublishError> {
    let judged = before.check(request)?;
    // A head from the future would move every device's trusted time.
    if judged.head.head().issued_at > latest_issue {
        return Err(PublishError::History);
    }
    let mut publication = to_store(request.expected_version, &judged);
    let after = before.after(judged)?;
    publication.revoked = before.revoked_in(&after);
    Ok((after, publication))
}

fn to_store(expected_version: u64, judged: &Judged) -> Publication {
    Publication {
        expected_version,
        version: judged.head.head().version,
        head: judged.head.to_string(),
        changed: judged
            .changed
            .iter()
            .map(|e| (e.key().to_string(), Bytes::copy_from_slice(e.bytes())))
            .collect(),
        removed: judged.removed.iter().map(EntryKey::to_string).collect(),
        policy: judged.policy.as_ref().map(ToString::to_string),
        roots: judged
            .roots
            .iter()
            .map(|root| (root.root().version, root.to_string()))
            .collect(),
        revoked: Vec::new(),
        settled: Vec::new(),
    }
}
