//! Which devices are to be woken, in which order: most urgent first, then oldest first.
//!
//! Without sockets, timers or storage: [`super::waker`] asks it what is next and tells it what became
//! of that.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, hash_map},
};

use wardline_org::DeviceId;

use super::WakeClass;
use crate::storage::OrgKey;

/// A device of an organization.
pub(crate) type Target = (OrgKey, DeviceId);

/// Each target at most once, and at most so many.
#[derive(Debug)]
pub(super) struct Queue {
    most: usize,
    targets: HashMap<Target, Entry>,
    /// Those that are ready.
    order: BTreeMap<Place, Target>,
    next: u64,
}

type Place = (Reverse<WakeClass>, u64);

#[derive(Debug)]
struct Entry {
    state: State,
    class: WakeClass,
    /// Failed tries so far.
    failures: u32,
}

#[derive(Debug)]
enum State {
    Ready(Place),
    /// A timer makes it ready; whether that is the pause after a failure.
    Resting(Rest, bool),
    /// It is being posted; what came since.
    Posting(Option<WakeClass>),
}

/// One rest of one target, so that a timer ends no later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rest(u64);

/// What became of a request to wake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Added {
    /// It is ready.
    Ready,
    /// It rests: start the timer for this rest.
    Resting(Rest),
    /// It goes with one that was there already.
    Joined,
    /// There is no room for it.
    Dropped,
}

impl Queue {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            targets: HashMap::new(),
            order: BTreeMap::new(),
            next: 0,
        }
    }

    /// Wants a device woken, at once or after a rest. Also answers whether a less urgent one had to make
    /// room for it.
    ///
    /// What joins one that failed has all its tries, and what is as urgent does not wait for the pause.
    pub(super) fn add(&mut self, target: Target, class: WakeClass, rest: bool) -> (Added, bool) {
        if let Some(entry) = self.targets.get_mut(&target) {
            if let State::Posting(since) = &mut entry.state {
                *since = (*since).max(Some(class));
                return (Added::Joined, false);
            }
            let earlier = entry.class;
            entry.class = earlier.max(class);
            entry.failures = 0;
            match entry.state {
                State::Resting(_, true) if class >= earlier => {
                    self.make_ready(target);
                    return (Added::Ready, false);
                }
                State::Ready(place) if class > earlier => {
                    self.order.remove(&place);
                    self.make_ready(target);
                }
                _ => {}
            }
            return (Added::Joined, false);
        }
        let full = self.targets.len() >= self.most;
        if full && !self.drop_below(class) {
            return (Added::Dropped, false);
        }
        let pause = self.new_rest();
        let entry = Entry {
            state: State::Resting(pause, false),
            class,
            failures: 0,
        };
        self.targets.insert(target, entry);
        if rest {
            return (Added::Resting(pause), full);
        }
        self.make_ready(target);
        (Added::Ready, full)
    }

    /// What to post next; it counts as being posted from now on.
    pub(super) fn take(&mut self) -> Option<(Target, WakeClass)> {
        let (_, target) = self.order.pop_first()?;
        let entry = self.targets.get_mut(&target)?;
        entry.state = State::Posting(None);
        Some((target, entry.class))
    }

    /// A rest of a target is over.
    pub(super) fn rested(&mut self, target: Target, over: Rest) {
        if let Some(Entry {
            state: State::Resting(rest, _),
            ..
        }) = self.targets.get(&target)
            && *rest == over
        {
            self.make_ready(target);
        }
    }

    /// A target was posted, or need not be, or never can be.
    pub(super) fn finished(&mut self, target: Target) {
        let hash_map::Entry::Occupied(mut occupied) = self.targets.entry(target) else {
            return;
        };
        let entry = occupied.get_mut();
        match entry.state {
            State::Posting(Some(class)) => {
                entry.class = class;
                entry.failures = 0;
                self.make_ready(target);
            }
            State::Posting(None) => drop(occupied.remove()),
            State::Ready(_) | State::Resting(..) => {}
        }
    }

    /// Posting failed. Answers after how many failures it now rests before another try; `None` when it
    /// has had its `tries`.
    pub(super) fn failed(&mut self, target: Target, tries: u32) -> Option<(u32, Rest)> {
        let rest = self.new_rest();
        let entry = self.targets.get_mut(&target)?;
        let State::Posting(since) = entry.state else {
            return None;
        };
        if since.is_some() {
            entry.failures = 0;
        }
        entry.failures += 1;
        if entry.failures >= tries {
            self.finished(target);
            return None;
        }
        entry.class = since.map_or(entry.class, |class| class.max(entry.class));
        entry.state = State::Resting(rest, true);
        Some((entry.failures, rest))
    }

    fn new_rest(&mut self) -> Rest {
        self.next += 1;
        Rest(self.next)
    }

    fn make_ready(&mut self, target: Target) {
        if let Some(entry) = self.targets.get_mut(&target) {
            let place = (Reverse(entry.class), self.next);
            self.next += 1;
            entry.state = State::Ready(place);
            self.order.insert(place, target);
        }
    }

    /// Drops the newest of the least urgent, if it is less urgent than this class.
    fn drop_below(&mut self, class: WakeClass) -> bool {
        match self.order.last_key_value() {
            Some(((Reverse(least), _), _)) if *least < class => {
                if let Some((_, target)) = self.order.pop_last() {
                    self.targets.remove(&target);
                }
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{WakeClass::*, *};

    #[test]
    fn most_urgent_is_woken_first_then_who_waits_longest() {
        let mut queue = Queue::new(10);
        for (number, class) in [(1, Silent), (2, Alert), (3, Critical), (4, Alert)] {
            let added = queue.add(target(number), class, false);
            assert_eq!(added, (Added::Ready, false));
        }
        // One that waits is raised, and never lowered.
        let raised = queue.add(target(1), Critical, false);
        assert_eq!(raised, (Added::Joined, false));
        queue.add(target(3), Silent, false);
        let order = [(3, Critical), (1, Critical), (2, Alert), (4, Alert)];
        for (number, class) in order {
            assert_eq!(queue.take(), Some((target(number), class)));
        }
        assert_eq!(queue.take(), None);
    }

    #[test]
    fn what_comes_while_one_is_posted_becomes_one_more_of_the_highest_class() {
        let mut queue = Queue::new(10);
        queue.add(target(1), Silent, false);
        assert_eq!(queue.take(), Some((target(1), Silent)));
        for class in [Alert, Critical, Silent] {
            assert_eq!(queue.add(target(1), class, false).0, Added::Joined);
            assert_eq!(queue.take(), None);
        }
        queue.finished(target(1));
        assert_eq!(queue.take(), Some((target(1), Critical)));
        queue.finished(target(1));
        assert_eq!(queue.take(), None);
        assert_eq!(queue.add(target(1), Silent, false).0, Added::Ready);
    }

    #[test]
    fn failed_one_rests_and_is_given_up_after_its_tries() {
        let mut queue = Queue::new(10);
        queue.add(target(1), Alert, false);
        for failures in 1..=2 {
            assert_eq!(queue.take(), Some((target(1), Alert)));
            let rest = fail(&mut queue, failures);
            assert_eq!(queue.take(), None);
            queue.rested(target(1), rest);
        }
        assert_eq!(queue.take(), Some((target(1), Alert)));
        assert_eq!(queue.failed(target(1), 3), None);
        assert_eq!(queue.add(target(1), Alert, false).0, Added::Ready);
    }

    #[test]
    fn stat_that_joins_a_failed_wake_up_is_posted_at_once_and_has_all_its_tries() {
        for (earlier, later) in [(Silent, Critical), (Alert, Critical), (Critical, Critical)] {
            let mut queue = Queue::new(10);
            queue.add(target(1), earlier, false);
            queue.take();
            let first = fail(&mut queue, 1);
            queue.rested(target(1), first);
            queue.take();
            let second = fail(&mut queue, 2);
            assert_eq!(queue.add(target(1), later, false), (Added::Ready, false));
            assert_eq!(queue.take(), Some((target(1), later)));
            let pause = fail(&mut queue, 1);
            // The timer of the pause that was cut short does not cut this one short.
            queue.rested(target(1), second);
            assert_eq!(queue.take(), None);
            queue.rested(target(1), pause);
            assert_eq!(queue.take(), Some((target(1), later)));
        }
    }

    #[test]
    fn what_is_less_urgent_than_a_failed_wake_up_waits_with_it_and_has_all_its_tries() {
        let mut queue = Queue::new(10);
        queue.add(target(1), Critical, false);
        queue.take();
        let rest = fail(&mut queue, 1);
        assert_eq!(queue.add(target(1), Alert, false).0, Added::Joined);
        assert_eq!(queue.take(), None);
        queue.rested(target(1), rest);
        assert_eq!(queue.take(), Some((target(1), Critical)));
        // Ready again, not taken yet, and joined once more.
        let rest = fail(&mut queue, 1);
        queue.rested(target(1), rest);
        queue.add(target(1), Silent, false);
        assert_eq!(queue.take(), Some((target(1), Critical)));
        fail(&mut queue, 1);
    }

    #[test]
    fn what_came_during_a_failed_post_goes_with_the_next_try() {
        let mut queue = Queue::new(10);
        queue.add(target(1), Silent, false);
        queue.take();
        queue.add(target(1), Critical, false);
        let rest = fail(&mut queue, 1);
        queue.rested(target(1), rest);
        assert_eq!(queue.take(), Some((target(1), Critical)));
        // The last try fails, but somebody asked since: that one has all its tries.
        let rest = fail(&mut queue, 2);
        queue.rested(target(1), rest);
        queue.take();
        queue.add(target(1), Alert, false);
        let rest = fail(&mut queue, 1);
        queue.rested(target(1), rest);
        assert_eq!(queue.take(), Some((target(1), Critical)));
        // Also where one try is all there is.
        queue.add(target(1), Alert, false);
        assert_eq!(queue.failed(target(1), 1), None);
        assert_eq!(queue.take(), Some((target(1), Alert)));
    }

    #[test]
    fn resting_one_is_not_posted_before_its_time() {
        let mut queue = Queue::new(10);
        let Added::Resting(rest) = queue.add(target(1), Alert, true).0 else {
            panic!("it does not rest");
        };
        assert_eq!(queue.add(target(1), Critical, false).0, Added::Joined);
        assert_eq!(queue.take(), None);
        queue.rested(target(1), rest);
        queue.rested(target(1), rest);
        assert_eq!(queue.take(), Some((target(1), Critical)));
        queue.rested(target(1), rest);
        assert_eq!(queue.take(), None);
    }

    #[test]
    fn full_queue_gives_the_place_of_the_least_urgent_to_a_more_urgent_one() {
        let mut queue = Queue::new(2);
        queue.add(target(1), Silent, false);
        queue.add(target(2), Alert, false);
        let silent = queue.add(target(3), Silent, false);
        assert_eq!(silent, (Added::Dropped, false));
        let critical = queue.add(target(4), Critical, false);
        assert_eq!(critical, (Added::Ready, true));
        assert_eq!(queue.take(), Some((target(4), Critical)));
        assert_eq!(queue.take(), Some((target(2), Alert)));
        // Those that are being posted count, and are not taken back.
        assert_eq!(queue.add(target(5), Critical, false).0, Added::Dropped);
    }

    fn target(number: u8) -> Target {
        (OrgKey::from_row(1), DeviceId::from_bytes([number; 16]))
    }

    /// Fails one of three tries, and checks how many have failed now.
    #[track_caller]
    fn fail(queue: &mut Queue, failures: u32) -> Rest {
        let (failed, rest) = queue.failed(target(1), 3).expect("a try is left");
        assert_eq!(failed, failures);
        rest
    }
}
