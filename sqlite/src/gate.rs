//! The end of a process: writers come to a stop first, for good.
//!
//! SQLCipher frees its buffers in an exit handler of its own, while other threads go on. A writer that encrypts a
//! page then reads freed memory: it crashes, or what it writes opens with no key. So whoever ends a process
//! with writers at work calls [`halt`] before.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Lets every writer of this process finish what it is at, for at most `patience`, and keeps all of them from
/// going on, for good: jobs that have not begun are never answered. Tells whether all came to a stop.
///
/// Only for the end of a process. What was answered is on disk.
pub fn halt(patience: Duration) -> bool {
    WRITERS.halt(patience)
}

/// Passed by a writer before it touches its file; held while it does.
pub(crate) fn enter() -> Working<'static> {
    WRITERS.enter()
}

static WRITERS: Gate = Gate::new();

struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    working: usize,
    halted: bool,
}

/// A writer at work.
pub(crate) struct Working<'a>(&'a Gate);

impl Gate {
    const fn new() -> Self {
        Self {
            state: Mutex::new(State {
                working: 0,
                halted: false,
            }),
            changed: Condvar::new(),
        }
    }

    /// Does not return once the gate is shut.
    fn enter(&self) -> Working<'_> {
        let state = self.changed.wait_while(self.state(), |state| state.halted);
        state.unwrap_or_else(PoisonError::into_inner).working += 1;
        Working(self)
    }

    fn halt(&self, patience: Duration) -> bool {
        let mut state = self.state();
        state.halted = true;
        let waited = self
            .changed
            .wait_timeout_while(state, patience, |state| state.working > 0);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.working == 0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.working = state.working.saturating_sub(1);
        drop(state);
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        thread,
    };

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    #[test]
    fn a_writer_at_work_is_waited_for_and_the_next_one_never_begins() {
        let gate: &'static Gate = Box::leak(Box::new(Gate::new()));
        drop(gate.enter());
        let working = gate.enter();
        assert!(!gate.halt(SHORT), "somebody is at work");

        let began = Arc::new(AtomicBool::new(false));
        let says = Arc::clone(&began);
        thread::spawn(move || {
            let _working = gate.enter();
            says.store(true, Ordering::SeqCst);
        });
        drop(working);
        assert!(gate.halt(SHORT), "nobody is at work");
        assert!(!began.load(Ordering::SeqCst));
    }
}
