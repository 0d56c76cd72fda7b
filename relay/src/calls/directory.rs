//! `Head` and `Entries`: the directory, with proofs, out of memory.

use wardline_org::{EntryKey, Refusal, RelayCode};
use wardline_proto::v1;

use crate::{
    auth::Session,
    relay::{Core, malformed, too_large},
};

impl Core {
    /// The newest head, with what continues the one that the caller holds.
    pub(super) fn head(
        &self,
        session: &Session,
        request: &v1::HeadRequest,
    ) -> Result<v1::HeadResponse, Refusal> {
        let signed = session.directory.signed();
        signed
            .head_answer(request)
            .ok_or_else(|| Refusal::new(RelayCode::NoHead))
    }

    /// Entries by key, proven against the head in force.
    pub(super) fn entries(
        &self,
        session: &Session,
        request: &v1::EntriesRequest,
    ) -> Result<v1::EntriesResponse, Refusal> {
        let directory = &session.directory;
        let limit = self.config.limits.entries;
        if request.queries.len() > limit {
            return Err(too_large(limit));
        }
        if directory.version() == 0 {
            return Err(Refusal::new(RelayCode::NoHead));
        }
        let mut room = ANSWER_BYTES;
        let answers = request
            .queries
            .iter()
            .map(|query| {
                let key: EntryKey = query.key.parse().map_err(|_| malformed())?;
                directory
                    .signed()
                    .entries()
                    .answer(&key, &query.known_hash, |key| {
                        let bytes = directory.entry(key).ok_or_else(malformed)?;
                        room = room
                            .checked_sub(bytes.len())
                            .ok_or_else(|| too_large(ANSWER_BYTES))?;
                        Ok(bytes.to_vec())
                    })
            })
            .collect::<Result<_, Refusal>>()?;
        Ok(v1::EntriesResponse {
            head_version: directory.version(),
            answers,
        })
    }
}

/// Most bytes of entries in one answer; whoever asks for more asks in parts.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;
