//! Dates as HTTP and XML write them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

struct Civil {
    year: i64,
    month: usize,
    day: i64,
    days: u64,
    seconds: u64,
}

/// The calendar date, after Howard Hinnant's `civil_from_days`.
fn civil(time: SystemTime) -> Civil {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let days = since / 86_400;
    let z = days as i64 + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    Civil {
        year,
        month: month as usize,
        day: doy - (153 * mp + 2) / 5 + 1,
        days,
        seconds: since % 86_400,
    }
}

/// `Thu, 01 Jan 1970 00:00:00 GMT`.
pub(super) fn http(time: SystemTime) -> String {
    let Civil { year, month, day, days, seconds } = civil(time);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let (name, month) = (DAYS[(days % 7) as usize], MONTHS[month - 1]);
    format!("{name}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// `1970-01-01T00:00:00.000Z`.
pub(super) fn xml(time: SystemTime) -> String {
    let Civil { year, month, day, seconds, .. } = civil(time);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.000Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_after_a_leap_day_is_right() {
        let time = UNIX_EPOCH + Duration::from_secs(1_709_251_199);
        assert_eq!(http(time), "Thu, 29 Feb 2024 23:59:59 GMT");
        assert_eq!(xml(time + Duration::from_secs(1)), "2024-03-01T00:00:00.000Z");
    }
}
