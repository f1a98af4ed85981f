//! [`StoreClock`]: the time by the clock that dates files.

use std::{
    sync::{Mutex, PoisonError},
    time::{Instant, SystemTime},
};

/// What a node knows of the clock by which the driver dates files.
///
/// The clock of a node may be wrong, so the ages of files are not measured by it alone. Each file that a node writes
/// comes back with its time. It was dated after the call began, so that the clock of the store shows at most the time
/// of the file plus the time since then.
///
/// It is an estimate of each node for itself. Without one, or with one that is ahead, a node touches a file that is
/// still young, which costs a call and is safe.
#[derive(Debug, Default)]
pub(super) struct StoreClock(Mutex<Option<Sighting>>);

#[derive(Debug, Clone, Copy)]
struct Sighting {
    sent: Instant,
    modified: SystemTime,
}

impl Sighting {
    fn latest(self) -> SystemTime {
        self.modified.checked_add(self.sent.elapsed()).unwrap_or(self.modified)
    }
}

impl StoreClock {
    /// Reports the time of a file that was written by a call which was `sent` then.
    pub(super) fn saw(&self, sent: Instant, modified: SystemTime) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Sighting { sent, modified });
    }

    /// A time that the store has not passed yet; `None` if nothing is known.
    ///
    /// A monotonic clock may stand still while the machine sleeps. So the time of the node counts if it is later.
    pub(super) fn latest(&self) -> Option<SystemTime> {
        let sighting = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Some(sighting?.latest().max(SystemTime::now()))
    }

    /// About the time of the store: that of the node, if nothing else is known.
    pub(super) fn now(&self) -> SystemTime {
        let sighting = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sighting.map_or_else(SystemTime::now, Sighting::latest)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HOUR: Duration = Duration::from_secs(60 * 60);

    #[test]
    fn the_time_is_unknown_until_a_file_was_written() {
        assert_eq!(StoreClock::default().latest(), None);
    }

    #[test]
    fn a_store_that_is_ahead_of_the_node_is_followed() {
        let clock = StoreClock::default();
        let ahead = SystemTime::now() + HOUR;
        clock.saw(Instant::now(), ahead);
        assert!(clock.latest().unwrap() >= ahead);
    }

    #[test]
    fn the_time_since_the_call_began_is_added() {
        let Some(sent) = Instant::now().checked_sub(HOUR) else { return };
        let clock = StoreClock::default();
        let modified = SystemTime::now() + HOUR;
        clock.saw(sent, modified);
        assert!(clock.latest().unwrap() >= modified + HOUR);
    }

    #[test]
    fn a_node_that_slept_is_not_behind_its_own_clock() {
        let clock = StoreClock::default();
        clock.saw(Instant::now(), SystemTime::now() - HOUR);
        let behind = SystemTime::now().duration_since(clock.latest().unwrap()).unwrap_or_default();
        assert!(behind < HOUR);
    }
}
