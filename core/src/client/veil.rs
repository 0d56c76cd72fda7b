//! What a view shows of what it has read before: nothing of what is over since.
//!
//! A view follows commits, and a phone that has slept wakes with what was read before. Whatever of that is over is veiled
//! whenever it is looked at, before anything was committed.

use std::sync::OnceLock;

use wardline_org::Timestamp;

use crate::message::{Conversation, Message};

/// Something of which nothing is shown after some time.
pub(super) trait Ends: Sized {
    /// When it is over, unless nothing is shown of it anyway.
    fn end(&self) -> Option<Timestamp>;

    /// The same, with nothing of what was written.
    fn veiled(&self, latest: Timestamp) -> Self;
}

impl Ends for Message {
    fn end(&self) -> Option<Timestamp> {
        self.expires_at.filter(|_| self.expired.is_none())
    }

    fn veiled(&self, latest: Timestamp) -> Self {
        self.without_words(latest)
    }
}

impl Ends for Conversation {
    fn end(&self) -> Option<Timestamp> {
        let newest = &self.newest;
        newest.expires_at.filter(|_| newest.preview.is_some())
    }

    fn veiled(&self, _latest: Timestamp) -> Self {
        let mut veiled = self.clone();
        veiled.newest.preview = None;
        veiled
    }
}

/// The rows of a view, as they were read.
pub(super) struct Shown<T> {
    rows: Vec<T>,
    /// Without the words of everything that ends, once something of it was over. That is more than what is over, so that
    /// it stays right until the rows are read anew.
    veiled: OnceLock<Vec<T>>,
}

impl<T: Ends + Clone> Shown<T> {
    pub(super) fn new(rows: Vec<T>) -> Self {
        Self {
            rows,
            veiled: OnceLock::new(),
        }
    }

    /// As they were read, to compare them with others.
    pub(super) fn read(&self) -> &[T] {
        &self.rows
    }

    /// What is shown when the clocks show `latest`.
    pub(super) fn at(&self, latest: Timestamp) -> &[T] {
        let over = |row: &T| row.end().is_some_and(|end| end <= latest);
        if self.veiled.get().is_none() && !self.rows.iter().any(over) {
            return &self.rows;
        }
        self.veiled.get_or_init(|| {
            let veil = |row: &T| match row.end() {
                Some(_) => row.veiled(latest),
                None => row.clone(),
            };
            self.rows.iter().map(veil).collect()
        })
    }
}
