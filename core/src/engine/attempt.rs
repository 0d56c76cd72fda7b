//! A mark on disk that an opening is under way, so that a poison message never loops.
//!
//! Written before a batch is opened and taken back as soon as all of it has opened: what ends the process
//! from then on (while it waits for the disk, above all) was none of these envelopes. The mark needs to
//! outlive the process, not the power: so it is a small plain file beside the store, written without
//! waiting for the disk, and it holds nothing but numbers of the relay's. A process that dies leaves it
//! behind, and whoever opens the store next knows which envelopes were being opened, and how often that
//! has ended badly.
//!
//! Processes are killed for many reasons, and what is set aside is lost: so an envelope is not condemned
//! before it has ended the process twice while it was opened with others and twice more all alone.

use std::path::{Path, PathBuf};

/// The mark of one store.
#[derive(Debug, Clone)]
pub(crate) struct Attempts {
    path: PathBuf,
}

/// How an opening must proceed after what happened before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caution {
    /// Nothing happened, or not often enough to mean anything: open the batch.
    None,
    /// Opening ended the process twice, and this envelope was there: open one envelope at a time.
    OneByOne,
    /// Opening this envelope alone ended the process twice after that: set it aside.
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
            Some(mark) if mark.first == sequence && mark.alone >= DEATHS_ALONE => Caution::SetAside,
            Some(mark) if mark.suspects() => Caution::OneByOne,
            _ => Caution::None,
        }
    }

    /// Notes that these envelopes are being opened, and that the process may not come back.
    pub(crate) fn begin(&self, epoch: &[u8], first: u64, last: u64) {
        let before = self.mark_of(epoch, first);
        let mark = match before {
            Some(mark) if mark.suspects() => Mark {
                alone: match mark.first == first {
                    true => mark.alone.saturating_add(1),
                    false => 1,
                },
                first,
                ..mark
            },
            before => Mark {
                epoch: hex::encode(epoch),
                first,
                // All of a batch that ended the process stay under suspicion.
                last: before.as_ref().map_or(last, |mark| mark.last.max(last)),
                together: before.map_or(0, |mark| mark.together).saturating_add(1),
                alone: 0,
            },
        };
        self.write(&mark);
    }

    /// Notes that what was begun last has opened: it was none of these.
    pub(crate) fn opened(&self) {
        match self.read() {
            Some(mark) if mark.alone > 0 => self.write(&Mark { alone: 0, ..mark }),
            Some(mark) if mark.together > 1 => self.write(&Mark {
                together: mark.together - 1,
                ..mark
            }),
            Some(_) => self.forget(),
            None => {}
        }
    }

    /// Notes that everything up to `dealt_with` is behind us. What is left of a batch that ended the
    /// process again and again is still opened one by one.
    pub(crate) fn end(&self, dealt_with: u64) {
        match self.read() {
            Some(mark) if dealt_with < mark.first => {}
            Some(mark) if mark.suspects() && dealt_with < mark.last => self.write(&Mark {
                first: dealt_with.saturating_add(1),
                alone: 0,
                ..mark
            }),
            Some(_) => self.forget(),
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
            together: words.next()?.parse().ok()?,
            alone: words.next()?.parse().ok()?,
        })
    }

    fn write(&self, mark: &Mark) {
        let Mark {
            epoch,
            first,
            last,
            together,
            alone,
        } = mark;
        let text = format!("{epoch} {first} {last} {together} {alone}");
        // A mark that cannot be written only means that a poison message would be tried again.
        let _ = std::fs::write(&self.path, text);
    }

    fn forget(&self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

struct Mark {
    epoch: String,
    first: u64,
    last: u64,
    /// How often the process has ended while these were opened together.
    together: u32,
    /// How often it has ended after that while the first of them was opened alone.
    alone: u32,
}

impl Mark {
    fn suspects(&self) -> bool {
        self.together >= DEATHS_TOGETHER
    }
}

const DEATHS_TOGETHER: u32 = 2;
const DEATHS_ALONE: u32 = 2;

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
        attempts.opened();
        attempts.end(1);
        assert_eq!(
            attempts.caution(b"e", 1),
            Caution::None,
            "it was not that one"
        );
        assert_eq!(attempts.caution(b"e", 2), Caution::OneByOne);
        attempts.begin(b"e", 2, 2);
        assert_eq!(attempts.caution(b"e", 2), Caution::OneByOne);
        attempts.begin(b"e", 2, 2);
        assert_eq!(attempts.caution(b"e", 2), Caution::SetAside);
        attempts.end(2);
        assert_eq!(attempts.caution(b"e", 3), Caution::OneByOne);
        attempts.begin(b"e", 3, 3);
        attempts.opened();
        attempts.end(9);
        assert_eq!(attempts.caution(b"e", 9), Caution::None);
    }

    #[test]
    fn a_process_killed_now_and_then_sets_nothing_aside() {
        let dir = tempfile::tempdir().unwrap();
        let attempts = Attempts::beside(dir.path());
        attempts.begin(b"e", 3, 3);
        assert_eq!(attempts.caution(b"e", 3), Caution::None);
        for _ in 0..3 {
            attempts.begin(b"e", 3, 3);
            assert_eq!(attempts.caution(b"e", 3), Caution::OneByOne);
            attempts.opened();
        }
        attempts.end(3);
        assert_eq!(attempts.caution(b"e", 3), Caution::None);
    }

    #[test]
    fn a_process_killed_after_opening_means_nothing_however_often() {
        let dir = tempfile::tempdir().unwrap();
        let attempts = Attempts::beside(dir.path());
        for _ in 0..10 {
            attempts.begin(b"e", 3, 5);
            attempts.opened();
            assert_eq!(attempts.caution(b"e", 3), Caution::None);
        }
    }

    #[test]
    fn a_damaged_mark_is_no_mark() {
        let dir = tempfile::tempdir().unwrap();
        let attempts = Attempts::beside(dir.path());
        std::fs::write(dir.path().join("opening"), b"\xff\xfe nonsense").unwrap();
        assert_eq!(attempts.caution(b"e", 3), Caution::None);
    }
}
