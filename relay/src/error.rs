//! Why a relay does not start. Why a *call* is refused is [`Refusal`](wardline_org::Refusal).

use wardline_org::root::RootError;

use crate::storage::StorageError;

/// Why a [`Relay`](crate::Relay) cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The storage refuses.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The root documents of an organization do not follow each other.
    #[error("the root documents do not follow each other: name every one in between ({0})")]
    Root(#[from] RootError),
    /// The configuration and the storage hold different root documents of one version.
    #[error(
        "root document {version} is not the one this relay has served so far: check which is right"
    )]
    OtherRoot {
        /// The version of both.
        version: u64,
    },
    /// There is nobody to serve.
    #[error("no organization is configured: name the root document of at least one")]
    NoOrganization,
    /// The relay was opened outside of a Tokio runtime.
    #[error("a relay needs a Tokio runtime: open it inside of one")]
    NoRuntime,
}
