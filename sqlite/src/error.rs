//! What can go wrong between a job and the disk.

/// Why a job's work is not on disk.
///
/// Whatever the variant, nothing of the job was kept.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// SQLite refused. The text names the SQL condition, never a value.
    #[error("sqlite: {0}")]
    Sqlite(std::sync::Arc<rusqlite::Error>),
    /// No space left. Free some and try again.
    #[error("the disk is full; free some space and try again")]
    DiskFull,
    /// The file or its folder cannot be written.
    #[error("the database file is read-only; check the folder's permissions")]
    ReadOnly,
    /// Another process held the write lock for longer than the wait allowed. Try again.
    #[error("another process is writing to this database; try again")]
    Busy,
    /// Closed for the time being; call `resume` first.
    #[error("the database is suspended; resume it first")]
    Suspended,
    /// Closed for good; open it again.
    #[error("the database is closed; open it again")]
    Closed,
    /// A job panicked. Its transaction was rolled back and every cache dropped.
    #[error("a database job failed unexpectedly and was rolled back")]
    Panicked,
    /// The operating system refused a thread or the lock file.
    #[error("the operating system refused: {0}")]
    System(std::io::ErrorKind),
}

impl Error {
    /// Whether the same job may succeed when tried again without anybody doing anything.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Busy | Self::Suspended)
    }

    /// Whether this is SQLite finding that the file is damaged, foreign or opened with a wrong key.
    pub fn is_not_a_database(&self) -> bool {
        matches!(self, Self::Sqlite(error) if matches!(
            error.sqlite_error_code(),
            Some(rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt)
        ))
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, ReadOnly};
        match error.sqlite_error_code() {
            Some(DiskFull) => Self::DiskFull,
            Some(ReadOnly | CannotOpen) => Self::ReadOnly,
            Some(DatabaseBusy | DatabaseLocked) => Self::Busy,
            _ => Self::Sqlite(std::sync::Arc::new(error)),
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem, StorageFull};
        match error.kind() {
            StorageFull => Self::DiskFull,
            PermissionDenied | ReadOnlyFilesystem => Self::ReadOnly,
            kind => Self::System(kind),
        }
    }
}
