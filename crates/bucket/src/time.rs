//! Times as records hold them, nanoseconds since the epoch, and how long something takes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) fn to_nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

pub(crate) fn from_nanos(nanos: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanos)
}

/// Reads a time as XML documents have it: `2026-01-31T23:59:59.000Z`. Fractions of a second are left out.
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    // Years begin in March, so that a leap day is the last day. After Howard Hinnant's `days_from_civil`.
    let year = year.checked_sub(u64::from(month <= 2))?;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day.checked_sub(1)?;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year;
    let days = days.checked_sub(719_468)?;
    let seconds = (days * 24 + number(11..13)?) * 3600 + number(14..16)? * 60 + number(17..19)?;
    Some(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// A moment, to measure how long ago it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Since {
    monotonic: tokio::time::Instant,
    wall: SystemTime,
}

impl Since {
    pub(crate) fn now() -> Self {
        Self { monotonic: tokio::time::Instant::now(), wall: SystemTime::now() }
    }

    /// The time that has passed, or more. A monotonic clock may stand still while the machine sleeps, and the other
    /// one may be set back: the later of the two counts.
    pub(crate) fn elapsed(self) -> Duration {
        self.monotonic.elapsed().max(self.wall.elapsed().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_a_document_is_read() {
        let after_leap_day = parse("2024-03-01T00:00:00.000Z").unwrap();
        assert_eq!(after_leap_day, UNIX_EPOCH + Duration::from_secs(1_709_251_200));
        let new_year = parse("2023-12-31T23:59:59Z").unwrap();
        assert_eq!(new_year, UNIX_EPOCH + Duration::from_secs(1_704_067_199));
        assert_eq!(parse("yesterday"), None);
        assert_eq!(parse("0000-00-00T00:00:00Z"), None);
    }
}
