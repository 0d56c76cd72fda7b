//! What can go wrong with the index.

/// Why a search or a change of the index did not happen.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum SearchError {
    /// `WL-SEARCH-DAMAGED`: the index was damaged and has been deleted. Open it again and index from
    /// the first message; no message is lost.
    #[error("the search index was damaged and is deleted; open it again and index from the start")]
    Damaged,
    /// `WL-SEARCH-NOT-ENCRYPTING`: the SQLite that was linked cannot encrypt. Link the one that is
    /// built in.
    #[error("the linked SQLite cannot encrypt; link the one that is built in")]
    NotEncrypting,
    /// The disk or SQLite refused; see the inner error.
    #[error(transparent)]
    Sqlite(wardline_sqlite::Error),
}

impl SearchError {
    /// The stable code that hosts show, translate and report.
    pub(crate) fn code(&self) -> &'static str {
        use wardline_sqlite::Error;
        match self {
            Self::Damaged => "WL-SEARCH-DAMAGED",
            Self::NotEncrypting => "WL-SEARCH-NOT-ENCRYPTING",
            Self::Sqlite(Error::DiskFull) => "WL-SEARCH-DISK-FULL",
            Self::Sqlite(Error::ReadOnly) => "WL-SEARCH-READ-ONLY",
            Self::Sqlite(Error::Busy) => "WL-SEARCH-BUSY",
            Self::Sqlite(_) => "WL-SEARCH-INTERNAL",
        }
    }

    /// Whether it may work later: for [`Damaged`](Self::Damaged), after opening again.
    pub(crate) fn retryable(&self) -> bool {
        match self {
            Self::Damaged => true,
            Self::NotEncrypting => false,
            Self::Sqlite(error) => error.retryable(),
        }
    }
}

impl From<wardline_sqlite::Error> for SearchError {
    fn from(error: wardline_sqlite::Error) -> Self {
        if error.is_not_a_database() {
            Self::Damaged
        } else {
            Self::Sqlite(error)
        }
    }
}

impl From<rusqlite::Error> for SearchError {
    fn from(error: rusqlite::Error) -> Self {
        wardline_sqlite::Error::from(error).into()
    }
}
