//! [`Watch`]: which calls are in progress, and whether a driver hangs.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use storage_driver::{Operation, Path};
use tokio::time::Instant;

/// Default time-out of a call.
const DEFAULT_CALL_TIMEOUT: Duration = Duration::from_secs(120);
/// Environment variable that sets the time-out, in seconds.
const CALL_TIMEOUT: &str = "CONFORMANCE_CALL_TIMEOUT";

/// The time-out of a call: `given`, or from the environment, or the default.
pub(crate) fn call_timeout(given: Option<Duration>) -> Duration {
    let seconds = || std::env::var(CALL_TIMEOUT).ok()?.parse().ok();
    given.or_else(|| seconds().map(Duration::from_secs)).unwrap_or(DEFAULT_CALL_TIMEOUT)
}

/// The calls of one behaviour, on all its drivers.
///
/// It uses tokio's clock, which a test can pause.
#[derive(Debug)]
pub(crate) struct Watch {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// By number, so the oldest is the first.
    in_progress: BTreeMap<u64, Pending>,
    begun: u64,
    /// When the last call ended.
    progress: Instant,
    /// Total duration of the calls that ended.
    taken: Duration,
    ended: u32,
}

#[derive(Debug)]
struct Pending {
    operation: Operation,
    path: Path,
    since: Instant,
}

/// A call in progress. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Call {
    watch: Arc<Watch>,
    number: u64,
}

/// Why a behaviour counts as hanging.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stall {
    Call { operation: Operation, path: Path, limit: Duration },
    NoCall { limit: Duration },
}

impl Watch {
    pub(crate) fn new() -> Self {
        let state = State {
            in_progress: BTreeMap::new(),
            begun: 0,
            progress: Instant::now(),
            taken: Duration::ZERO,
            ended: 0,
        };
        Self { state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn begin(self: &Arc<Self>, operation: Operation, path: &Path) -> Call {
        let (path, since) = (path.clone(), Instant::now());
        let mut state = self.state();
        state.begun += 1;
        let number = state.begun;
        state.in_progress.insert(number, Pending { operation, path, since });
        drop(state);
        Call { watch: Arc::clone(self), number }
    }

    /// Average duration of the calls that ended.
    pub(crate) fn latency(&self) -> Duration {
        let state = self.state();
        state.taken / state.ended.max(1)
    }

    /// Fails if the driver hangs at `now`. Otherwise returns how long to wait before the next check.
    pub(crate) fn check(&self, now: Instant, limit: Duration) -> Result<Duration, Stall> {
        let state = self.state();
        let (since, stall) = match state.in_progress.values().next() {
            Some(Pending { operation, path, since }) => {
                (*since, Stall::Call { operation: *operation, path: path.clone(), limit })
            }
            None => (state.progress, Stall::NoCall { limit }),
        };
        let left = limit.saturating_sub(now.saturating_duration_since(since));
        if left.is_zero() { Err(stall) } else { Ok(left) }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut state = self.watch.state();
        if let Some(pending) = state.in_progress.remove(&self.number) {
            state.taken += now.saturating_duration_since(pending.since);
            state.ended += 1;
        }
        state.progress = now;
    }
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call { operation, path, limit } => write!(
                f,
                "`{operation}` of {path} did not end within {limit:?}: it hangs, or it needs a longer \
                 {CALL_TIMEOUT}"
            ),
            Self::NoCall { limit } => write!(
                f,
                "no call was made within {limit:?}: a wake-up was lost, or the behaviour itself \
                 does not continue"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    fn seconds(seconds: u64) -> Instant {
        Instant::now() + Duration::from_secs(seconds)
    }

    fn watch() -> (Arc<Watch>, Path) {
        (Arc::new(Watch::new()), Path::parse("/a").expect("a path"))
    }

    #[test]
    fn a_call_that_takes_longer_than_the_limit_is_named() {
        let (watch, path) = watch();
        let _call = watch.begin(Operation::Stat, &path);
        let stall = watch.check(seconds(11), LIMIT).unwrap_err();
        assert_eq!(stall, Stall::Call { operation: Operation::Stat, path, limit: LIMIT });
        assert!(stall.to_string().starts_with("`stat` of /a did not end within 10s"), "{stall}");
    }

    #[test]
    fn a_call_that_ended_is_not_counted_against_the_driver() {
        let (watch, path) = watch();
        drop(watch.begin(Operation::Stat, &path));
        let _call = watch.begin(Operation::List, &path);
        assert!(watch.check(seconds(5), LIMIT).is_ok());
    }

    #[test]
    fn other_calls_do_not_hide_one_that_hangs() {
        let (watch, path) = watch();
        let _hangs = watch.begin(Operation::List, &path);
        for _ in 0..100 {
            drop(watch.begin(Operation::Stat, &path));
        }
        let stall = watch.check(seconds(11), LIMIT).unwrap_err();
        assert_eq!(stall, Stall::Call { operation: Operation::List, path, limit: LIMIT });
    }

    #[test]
    fn a_behaviour_that_makes_no_call_counts_as_hanging() {
        let (watch, path) = watch();
        drop(watch.begin(Operation::Stat, &path));
        assert!(watch.check(seconds(5), LIMIT).is_ok());
        assert_eq!(watch.check(seconds(11), LIMIT), Err(Stall::NoCall { limit: LIMIT }));
    }

    #[tokio::test(start_paused = true)]
    async fn many_slow_calls_are_progress_however_long_they_take_together() {
        let (watch, path) = watch();
        for _ in 0..100 {
            let call = watch.begin(Operation::Write, &path);
            tokio::time::advance(LIMIT - Duration::from_secs(1)).await;
            assert!(watch.check(Instant::now(), LIMIT).is_ok());
            drop(call);
        }
        assert_eq!(watch.latency(), LIMIT - Duration::from_secs(1));
    }
}
