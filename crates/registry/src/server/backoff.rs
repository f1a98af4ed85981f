//! [`Backoff`]: how long to wait after connections could not be accepted.

use std::{
    io::{Error, ErrorKind},
    time::Duration,
};

/// The wait doubles from the first to the second.
const SHORTEST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_secs(1);

/// How long to wait after connections could not be accepted.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    next: Duration,
}

impl Backoff {
    /// A connection was accepted.
    pub(super) fn reset(&mut self) {
        self.next = Duration::ZERO;
    }

    /// How long to wait after `error`; `None` if it concerns that one connection only.
    ///
    /// Other errors, such as too many open files, last for some time.
    pub(super) fn after(&mut self, error: &Error) -> Option<Duration> {
        let of_one = matches!(
            error.kind(),
            ErrorKind::ConnectionAborted
                | ErrorKind::ConnectionRefused
                | ErrorKind::ConnectionReset
                | ErrorKind::Interrupted
        );
        if of_one {
            return None;
        }
        let wait = self.next.clamp(SHORTEST, LONGEST);
        self.next = wait * 2;
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_a_second_and_begins_again() {
        let mut backoff = Backoff::default();
        let full = Error::from_raw_os_error(24);
        let waits: Vec<_> = (0..10).filter_map(|_| backoff.after(&full)).collect();
        assert_eq!(waits[..3], [5, 10, 20].map(Duration::from_millis));
        assert_eq!(waits[8..], [LONGEST, LONGEST]);
        backoff.reset();
        assert_eq!(backoff.after(&full), Some(SHORTEST));
    }

    #[test]
    fn does_not_wait_for_a_connection_that_went_away() {
        assert_eq!(Backoff::default().after(&ErrorKind::ConnectionAborted.into()), None);
    }
}
