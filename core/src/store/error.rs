//! Why the database would not open or keep something.

/// What is wrong with the database. Nothing was changed on disk.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file exists but is not a Wardline database. Choose another folder.
    #[error("the file in this folder is not a Wardline database; choose another folder")]
    NotAStore,
    /// The key does not open the file, or its first page is damaged.
    #[error(
        "the key does not open this database, or the file is damaged; restore the key or enroll anew"
    )]
    WrongKey,
    /// The SQLite that was linked cannot encrypt. Link Wardline's own.
    #[error("the linked SQLite cannot encrypt; link the one that Wardline builds in")]
    NotEncrypting,
    /// A newer Wardline wrote this database. Update the app.
    #[error(
        "a newer version wrote this database (its schema is {found}, this version knows {known}); update the app"
    )]
    Newer {
        /// The schema version of the file.
        found: u32,
        /// The newest schema version this build knows.
        known: u32,
    },
    /// The database does not hold what it should: a row is missing or malformed.
    #[error("the database is damaged: {what}")]
    Damaged {
        /// Which kind of row.
        what: &'static str,
    },
    /// The organization had this device erased.
    #[error("the organization had this device erased; ask the administrator")]
    Wiped,
    /// The database engine or the operating system refused.
    #[error(transparent)]
    Sqlite(#[from] wardline_sqlite::Error),
}

impl StoreError {
    /// A stable code for logs, tests and the glossary.
    pub fn code(&self) -> &'static str {
        use wardline_sqlite::Error;
        match self {
            Self::NotAStore => "WL-STORE-FOREIGN",
            Self::WrongKey => "WL-STORE-KEY",
            Self::NotEncrypting => "WL-STORE-NOT-ENCRYPTING",
            Self::Newer { .. } => "WL-STORE-NEWER",
            Self::Damaged { .. } => "WL-STORE-DAMAGED",
            Self::Wiped => "WL-WIPED",
            Self::Sqlite(Error::DiskFull) => "WL-STORE-DISK-FULL",
            Self::Sqlite(Error::ReadOnly) => "WL-STORE-READ-ONLY",
            Self::Sqlite(Error::Busy) => "WL-STORE-BUSY",
            Self::Sqlite(Error::Suspended) => "WL-STORE-SUSPENDED",
            Self::Sqlite(Error::Closed) => "WL-STORE-CLOSED",
            Self::Sqlite(_) => "WL-STORE-INTERNAL",
        }
    }

    /// Whether the same call may succeed when tried again.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Sqlite(error) if error.retryable())
    }

    /// For the writer thread, which reopens with the same checks but speaks SQLite's errors only.
    pub(super) fn into_sqlite(self) -> wardline_sqlite::Error {
        match self {
            Self::Sqlite(error) => error,
            _ => wardline_sqlite::Error::Closed,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error.into())
    }
}
