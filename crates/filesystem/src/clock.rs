//! [`Clock`]: times that no two commits share.

use std::{
    sync::atomic::{AtomicI64, Ordering::Relaxed},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The system's clock, in nanoseconds since 1970, that never returns the same time twice.
///
/// A file's modification time makes its version unique. The driver sets it, because the kernel's own time stamps
/// repeat for milliseconds.
#[derive(Debug)]
pub(crate) struct Clock {
    last: AtomicI64,
    /// The finest step, in nanoseconds, that the file system keeps.
    step: i64,
}

impl Clock {
    /// A clock whose times are all later than `after`.
    pub(crate) fn new(after: i64, step: i64) -> Self {
        Self { last: AtomicI64::new(after), step }
    }

    /// A time later than all times before.
    pub(crate) fn next(&self) -> i64 {
        let now = now();
        let later = |last: i64| round_up(now.max(last.saturating_add(1)), self.step);
        let last = self.last.fetch_update(Relaxed, Relaxed, |last| Some(later(last)));
        // The update always succeeds.
        later(last.unwrap_or_default())
    }
}

fn round_up(time: i64, step: i64) -> i64 {
    match time.rem_euclid(step) {
        0 => time,
        rest => time.saturating_add(step - rest),
    }
}

/// Nanoseconds since 1970.
pub(crate) fn now() -> i64 {
    from_system(SystemTime::now())
}

pub(crate) fn from_system(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |n| -n),
    }
}

pub(crate) fn to_system(nanoseconds: i128) -> SystemTime {
    let duration = |n: u128| Duration::new((n / 1_000_000_000) as u64, (n % 1_000_000_000) as u32);
    let time = if nanoseconds >= 0 {
        UNIX_EPOCH.checked_add(duration(nanoseconds.unsigned_abs()))
    } else {
        UNIX_EPOCH.checked_sub(duration(nanoseconds.unsigned_abs()))
    };
    time.unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_is_returned_twice() {
        let clock = Clock::new(0, 1);
        let times: std::collections::HashSet<_> = (0..10_000).map(|_| clock.next()).collect();
        assert_eq!(times.len(), 10_000);
    }

    #[test]
    fn times_grow_although_the_system_clock_was_set_back() {
        let future = now() + 3_600_000_000_000;
        assert_eq!(Clock::new(future, 1).next(), future + 1);
    }

    #[test]
    fn times_are_multiples_of_the_step_of_the_file_system() {
        let clock = Clock::new(0, 1000);
        let (a, b) = (clock.next(), clock.next());
        assert!(a % 1000 == 0 && b % 1000 == 0 && a < b);
    }

    #[test]
    fn a_time_before_1970_is_converted_and_back() {
        assert_eq!(from_system(to_system(-1_500_000_000)), -1_500_000_000);
    }
}
