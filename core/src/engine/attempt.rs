//! A mark on disk that an opening is under way, so that a poison message never loops.
//!
//! Written before a batch is opened and removed after its commit. It needs to outlive the process,
//! not the power: so it is a small plain file beside the store, written without waiting for the disk,
//! and it holds nothing but numbers of the relay's. A process that dies leaves it behind, and whoever
//! opens the store next knows which envelopes were being opened, and how often that has ended badly.
//! Processes are killed for many reasons, so one death says nothing about what was being opened.

use std::path::{Path, PathBuf};

/// The mark of one store.
#[derive(Debug, Clone)]
pub(crate) struct Attempts {
    path: PathBuf,
}

/// How an opening must proceed after what happened before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caution {
    /// Nothing happened: open the batch.
    None,
    /// Opening ended the process twice, and this envelope was there: open one envelope at a time.
    OneByOne,
    /// Opening this envelope alone ended the process after that: set it aside.
    SetAside,
}

impl Attempts {
    pub(crate) fn beside(folder: &Path) -> Self {
        Self {
            path: folder.join("opening"),
        }
    }

    /// What earlier deaths say about the envelope `sequence`.
    pub(crate) fn caution(&self, epoch: &[u8], sequence: u64) -> Caution {
        match self.mark_of(epoch, sequence) {
            Some(mark) if mark.alone && mark.deaths > DEATHS_BEFORE_CARE => Caution::SetAside,
            Some(mark) if mark.deaths >= DEATHS_BEFORE_CARE => Caution::OneByOne,
            _ => Caution::None,
        }
    }

    /// Notes that these envelopes are being opened; counts when the last time did not end.
    pub(crate) fn begin(&self, epoch: &[u8], first: u64, last: u64) {
        let before = self.mark_of(epoch, first);
        self.write(&Mark {
            epoch: hex::encode(epoch),
            first,
            // The rest of a batch that ended the process stays under suspicion.
            last: before.as_ref().map_or(last, |mark| mark.last.max(last)),
            alone: first == last,
            deaths: before.map_or(0, |mark| mark.deaths).saturating_add(1),
        });
    }

    /// Notes that the opening ended, and that everything up to `dealt_with` is behind us. What is left
    /// of a batch that ended the process is still opened one by one.
    pub(crate) fn end(&self, dealt_with: u64) {
        match self.read() {
            Some(mark) if mark.deaths > DEATHS_BEFORE_CARE && dealt_with < mark.last => {
                self.write(&Mark {
                    first: mark.first.max(dealt_with.saturating_add(1)),
                    alone: false,
                    deaths: DEATHS_BEFORE_CARE,
                    ..mark
                });
            }
            Some(_) => {
                let _ = std::fs::remove_file(&self.path);
            }
            None => {}
        }
    }

    fn mark_of(&self, epoch: &[u8], sequence: u64) -> Option<Mark> {
        self.read().filter(|mark| {
            mark.epoch == hex::encode(epoch) && (mark.first..=mark.last).contains(&sequence)
        })
    }

    fn read(&self) -> Option<Mark> {
        let text = std::fs::read_to_string(&self.path).ok()?;
        let mut words = text.split(' ');
        Some(Mark {
            epoch: words.next()?.to_owned(),
            first: words.next()?.parse().ok()?,
            last: words.next()?.parse().ok()?,
            alone: words.next()? == "1",
            deaths: words.next()?.parse().ok()?,
        })
    }

    fn write(&self, mark: &Mark) {
        let Mark {
            epoch,
            first,
            last,
            alone,
            deaths,
        } = mark;
        let text = format!("{epoch} {first} {last} {} {deaths}", u8::from(*alone));
        // A mark that cannot be written only means that a poison message would be tried again.
        let _ = std::fs::write(&self.path, text);
    }
}

struct Mark {
    epoch: String,
    first: u64,
    last: u64,
    alone: bool,
    deaths: u32,
}

const DEATHS_BEFORE_CARE: u32 = 2;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_ends_the_process_again_and_again_is_opened_one_by_one_then_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        let attempts = Attempts::beside(dir.path());
        assert_eq!(attempts.caution(b"e", 1), Caution::None);
        attempts.begin(b"e", 1, 9);
        assert_eq!(attempts.caution(b"e", 1), Caution::None);
        attempts.begin(b"e", 1, 9);
        assert_eq!(attempts.caution(b"e", 1), Caution::OneByOne);
        assert_eq!(attempts.caution(b"e", 10), Caution::None);
        assert_eq!(attempts.caution(b"other", 1), Caution::None);
        attempts.begin(b"e", 1, 1);
        attempts.end(1);
        assert_eq!(
            attempts.caution(b"e", 1),
            Caution::None,
            "it was not that one"
        );
        assert_eq!(attempts.caution(b"e", 2), Caution::OneByOne);
        attempts.begin(b"e", 2, 2);
        assert_eq!(attempts.caution(b"e", 2), Caution::SetAside);
        attempts.end(2);
        assert_eq!(attempts.caution(b"e", 3), Caution::OneByOne);
        attempts.begin(b"e", 3, 3);
        attempts.end(9);
        assert_eq!(attempts.caution(b"e", 9), Caution::None);
    }

    #[test]
    fn a_process_killed_once_or_twice_sets_nothing_aside() {
        let dir = tempfile::tempdir().unwrap();
        let attempts = Attempts::beside(dir.path());
        attempts.begin(b"e", 3, 3);
        assert_eq!(attempts.caution(b"e", 3), Caution::None);
        attempts.begin(b"e", 3, 3);
        assert_eq!(attempts.caution(b"e", 3), Caution::OneByOne);
        attempts.begin(b"e", 3, 3);
        attempts.end(3);
        assert_eq!(attempts.caution(b"e", 3), Caution::None);
    }

    #[test]
    fn a_damaged_mark_is_no_mark() {
        let dir = tempfile::tempdir().unwrap();
        let attempts = Attempts::beside(dir.path());
        std::fs::write(dir.path().join("opening"), b"\xff\xfe nonsense").unwrap();
        assert_eq!(attempts.caution(b"e", 3), Caution::None);
    }
}
