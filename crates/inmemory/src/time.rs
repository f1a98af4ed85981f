//! [`Timestamp`]: a time in eight bytes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A time in nanoseconds since 1970: eight bytes instead of sixteen, which fit an atomic. Times outside
/// the years 1677 to 2262 are clipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timestamp(pub(crate) i64);

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let nanos = |duration: Duration| {
            let seconds = i64::try_from(duration.as_secs()).ok()?.checked_mul(1_000_000_000)?;
            seconds.checked_add(duration.subsec_nanos().into())
        };
        let nanos = |duration| nanos(duration).unwrap_or(i64::MAX);
        Self(match time.duration_since(UNIX_EPOCH) {
            Ok(since) => nanos(since),
            Err(before) => -nanos(before.duration()),
        })
    }
}

impl From<Timestamp> for SystemTime {
    fn from(Timestamp(nanos): Timestamp) -> Self {
        let distance = Duration::from_nanos(nanos.unsigned_abs());
        let time = if nanos < 0 {
            UNIX_EPOCH.checked_sub(distance)
        } else {
            UNIX_EPOCH.checked_add(distance)
        };
        time.unwrap_or(UNIX_EPOCH)
    }
}

impl Timestamp {
    /// The duration since `earlier`; zero if that is later.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        let nanos = self.0.saturating_sub(earlier.0).max(0);
        Duration::from_nanos(nanos.unsigned_abs())
    }
}
