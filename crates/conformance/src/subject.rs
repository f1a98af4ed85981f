//! [`Subject`]: the driver under test.

use std::{
    any::Any,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use futures::{FutureExt, future::BoxFuture};
use storage_driver::StorageDriver;

use crate::{
    layers::Watched,
    watch::{Watch, call_timeout},
};

/// A factory of fresh drivers to test.
///
/// A clone shares the factory and the fixtures' guards.
#[derive(Clone)]
pub struct Subject {
    make: Arc<dyn Fn() -> BoxFuture<'static, Fixture> + Send + Sync>,
    kept: Arc<Mutex<Vec<Box<dyn Any + Send>>>>,
    watch: Arc<Watch>,
    call_timeout: Option<Duration>,
}

/// Average time of a call from which on a driver is slow.
const SLOW: Duration = Duration::from_millis(5);

type SetClock = Arc<dyn Fn(SystemTime) + Send + Sync>;

impl Subject {
    /// A subject whose drivers `factory` makes. Each driver must have a separate, empty store.
    ///
    /// ```
    /// # use storage_driver_conformance::{Subject, reference::Reference};
    /// let subject = Subject::new(|| async { Reference::new() });
    /// ```
    ///
    /// Guards that must outlive the driver, such as a temporary directory, go into a [`Fixture`].
    pub fn new<F, M>(factory: F) -> Self
    where
        F: Fn() -> M + Send + Sync + 'static,
        M: Future<Output: Into<Fixture>> + Send + 'static,
    {
        let make = move || factory().map(Into::into).boxed();
        let watch = Arc::new(Watch::new());
        Self { make: Arc::new(make), kept: Arc::default(), watch, call_timeout: None }
    }

    /// The time after which a call to the driver counts as hanging. Default: the environment variable
    /// `CONFORMANCE_CALL_TIMEOUT`, in seconds, or 120 seconds. It is ten times as long in behaviours of the
    /// [full size](crate::Size::Full), whose calls move gigabytes.
    #[must_use]
    pub fn call_timeout(mut self, limit: Duration) -> Self {
        self.call_timeout = Some(limit);
        self
    }

    /// Makes a fresh driver with an empty store.
    pub async fn driver(&self) -> Arc<dyn StorageDriver> {
        self.fixture().await.driver
    }

    /// A fresh driver and its clock. Only for behaviours under the condition `clock`.
    pub(crate) async fn driver_with_clock(&self) -> (Arc<dyn StorageDriver>, Clock) {
        let Fixture { driver, clock, .. } = self.fixture().await;
        (driver, Clock(clock.expect("the behaviour has the condition `clock`")))
    }

    /// A fresh fixture. Its driver is watched, and its guard is kept here.
    pub(crate) async fn fixture(&self) -> Fixture {
        let Fixture { driver, keep, clock } = (self.make)().await;
        // Nothing panics while it holds the lock.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).extend(keep);
        let driver = Arc::new(Watched::new(driver, Arc::clone(&self.watch)));
        Fixture { driver, keep: None, clock }
    }

    /// Whether the calls so far took much longer than it takes to wake a thread.
    pub(crate) fn is_slow(&self) -> bool {
        self.watch.latency() > SLOW
    }

    pub(crate) fn watch(&self) -> &Watch {
        &self.watch
    }

    pub(crate) fn time_for_a_call(&self) -> Duration {
        call_timeout(self.call_timeout)
    }
}

/// The clock of a driver, which stands still until it is set.
pub(crate) struct Clock(SetClock);

impl Clock {
    /// Sets it to `seconds` after a fixed moment in the past.
    pub(crate) fn set(&self, seconds: u64) -> SystemTime {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000 + seconds);
        (self.0)(time);
        time
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").finish_non_exhaustive()
    }
}

/// A driver, and a guard that lives until the end of the test. A driver converts into a fixture without a guard.
pub struct Fixture {
    pub(crate) driver: Arc<dyn StorageDriver>,
    keep: Option<Box<dyn Any + Send>>,
    pub(crate) clock: Option<SetClock>,
}

impl Fixture {
    /// `driver`, and the guard `keep`, which is dropped after it.
    pub fn new(driver: impl StorageDriver + 'static, keep: impl Send + 'static) -> Self {
        Self { keep: Some(Box::new(keep)), ..driver.into() }
    }

    /// Adds a function that sets the driver's clock, so that behaviours about times and ages can be tested exactly,
    /// including their boundaries. Without it they are left out.
    ///
    /// The driver must take all times from that clock, and the clock must stand still until it is set again. It can
    /// be set to an earlier time.
    ///
    /// ```
    /// # use std::{sync::{Arc, Mutex}, time::SystemTime};
    /// # use storage_driver_conformance::{Fixture, reference::Reference};
    /// let time = Arc::new(Mutex::new(SystemTime::UNIX_EPOCH));
    /// let shown = Arc::clone(&time);
    /// let driver = Reference::new().with_clock(move || *shown.lock().unwrap());
    /// let fixture = Fixture::from(driver).with_clock(move |now| *time.lock().unwrap() = now);
    /// ```
    #[must_use]
    pub fn with_clock(mut self, set: impl Fn(SystemTime) + Send + Sync + 'static) -> Self {
        self.clock = Some(Arc::new(set));
        self
    }
}

impl<D: StorageDriver + 'static> From<D> for Fixture {
    fn from(driver: D) -> Self {
        Self { driver: Arc::new(driver), keep: None, clock: None }
    }
}

impl fmt::Debug for Fixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fixture").field("driver", &self.driver).finish_non_exhaustive()
    }
}
