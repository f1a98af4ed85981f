//! [`ServerClock`]: the time of the server, as its responses tell it.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, SystemTime},
};

use http::{HeaderMap, header};

/// Clocks that differ by less are taken for the same: a `Date` has whole seconds.
const SAME: i64 = 2_000;
/// The `Date` of a response that took longer says too little.
const LONGEST: Duration = Duration::from_secs(10);

/// The clock of this machine, set by that of the server.
#[derive(Debug, Default)]
pub(crate) struct ServerClock {
    /// How far the server is ahead, in milliseconds.
    ahead: AtomicI64,
}

impl ServerClock {
    pub(crate) fn now(&self) -> SystemTime {
        let ahead = self.ahead.load(Ordering::Relaxed);
        let by = Duration::from_millis(ahead.unsigned_abs());
        let now = SystemTime::now();
        let time = if ahead < 0 { now.checked_sub(by) } else { now.checked_add(by) };
        time.unwrap_or(now)
    }

    /// Takes the `Date` of a response to a request that was sent and answered at these times.
    pub(super) fn observe(&self, sent: SystemTime, received: SystemTime, headers: &HeaderMap) {
        let Ok(took) = received.duration_since(sent) else { return };
        // A response with an age comes from a cache.
        if took > LONGEST || headers.contains_key(header::AGE) {
            return;
        }
        let date = headers.get(header::DATE).and_then(|date| date.to_str().ok());
        let Some(date) = date.and_then(|date| httpdate::parse_http_date(date).ok()) else {
            return;
        };
        let ahead = millis_between(sent + took / 2, date + Duration::from_millis(500));
        let same = SAME + took.as_millis() as i64 / 2;
        self.ahead.store(if ahead.abs() <= same { 0 } else { ahead }, Ordering::Relaxed);
    }
}

fn millis_between(from: SystemTime, to: SystemTime) -> i64 {
    let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    match to.duration_since(from) {
        Ok(after) => millis(after),
        Err(before) => -millis(before.duration()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const HOUR_MILLIS: i64 = 3_600_000;
    /// What a `Date` may be wrong by: it has whole seconds.
    const SECOND_MILLIS: i64 = 1_000;

    /// A time between two seconds.
    fn noon() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_600)
    }

    /// How many milliseconds the clock is ahead after a response at noon with this date.
    fn ahead(date: SystemTime, took: Duration, extra: Option<(&'static str, &str)>) -> i64 {
        let (clock, sent) = (ServerClock::default(), noon());
        let mut headers = HeaderMap::new();
        headers.insert(header::DATE, httpdate::fmt_http_date(date).parse().unwrap());
        if let Some((name, value)) = extra {
            headers.insert(name, value.parse().unwrap());
        }
        clock.observe(sent, sent + took, &headers);
        clock.ahead.load(Ordering::Relaxed)
    }

    #[test]
    fn a_clock_that_differs_is_corrected() {
        let took = Duration::from_millis(20);
        let early = ahead(noon() + HOUR, took, None) - HOUR_MILLIS;
        let late = ahead(noon() - HOUR, took, None) + HOUR_MILLIS;
        assert!(early.abs() <= SECOND_MILLIS && late.abs() <= SECOND_MILLIS, "{early} {late}");
        assert_eq!(ahead(noon() + Duration::from_secs(1), took, None), 0);
    }

    #[test]
    fn dates_that_say_nothing_are_ignored() {
        let (now, took) = (noon(), Duration::from_millis(20));
        assert_eq!(ahead(now + HOUR, took, Some(("age", "10"))), 0);
        assert_eq!(ahead(now + HOUR, took, Some(("date", "yesterday"))), 0);
        assert_eq!(ahead(now + HOUR, HOUR, None), 0);
    }
}
