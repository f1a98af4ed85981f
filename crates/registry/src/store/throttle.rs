//! [`Throttle`]: bounds how often one thing is logged, by each node for itself.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The time in which only one event is admitted.
const INTERVAL: Duration = Duration::from_secs(10);

/// Admits the first event, and one every 10 seconds from then on.
#[derive(Debug, Default)]
pub(super) struct Throttle(Mutex<Option<Instant>>);

impl Throttle {
    pub(super) fn admit(&self) -> bool {
        self.admit_at(Instant::now())
    }

    fn admit_at(&self, now: Instant) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| now.saturating_duration_since(last) < INTERVAL) {
            return false;
        }
        *last = Some(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_event_in_ten_seconds_is_admitted() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        let admitted = [0, 1, 9, 10, 11, 19, 20]
            .map(|seconds| throttle.admit_at(start + Duration::from_secs(seconds)));
        assert_eq!(admitted, [true, false, false, true, false, false, true]);
    }
}
