//! [`Subject`]: what is put to the test.

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

/// A driver under test, as a factory of fresh ones.
///
/// A clone shares the factory and what the fixtures keep.
#[derive(Clone)]
pub struct Subject {
    make: Arc<dyn Fn() -> BoxFuture<'static, Fixture> + Send + Sync>,
    kept: Arc<Mutex<Vec<Box<dyn Any + Send>>>>,
    watch: Arc<Watch>,
    call_timeout: Option<Duration>,
}

/// From when on a driver's calls take long.
const SLOW: Duration = Duration::from_millis(5);

type SetClock = Arc<dyn Fn(SystemTime) + Send + Sync>;

impl Subject {
    /// A subject whose drivers `factory` makes. Each is over a store of its own, empty.
    ///
    /// ```
    /// # use storage_driver_conformance::{Subject, reference::Reference};
    /// let subject = Subject::new(|| async { Reference::new() });
    /// ```
    ///
    /// What has to outlive a driver, such as a temporary directory, goes into a [`Fixture`].
    pub fn new<F, M>(factory: F) -> Self
    where
        F: Fn() -> M + Send + Sync + 'static,
        M: Future<Output: Into<Fixture>> + Send + 'static,
    {
        let make = move || factory().map(Into::into).boxed();
        let watch = Arc::new(Watch::new());
        Self { make: Arc::new(make), kept: Arc::default(), watch, call_timeout: None }
    }

    /// How long one call to the driver may take before it is taken to hang. Unless set, as many
    /// seconds as the environment variable `CONFORMANCE_CALL_TIMEOUT` says, or else 120. Behaviours
    /// of the [full size](crate::Size::Full), whose calls move gigabytes, have ten times as long.
    #[must_use]
    pub fn call_timeout(mut self, limit: Duration) -> Self {
        self.call_timeout = Some(limit);
        self
    }

    /// A fresh driver over an empty store, at each call another.
    pub async fn driver(&self) -> Arc<dyn StorageDriver> {
        self.fixture().await.driver
    }

    /// A fresh driver whose clock stands still until it is set. Only where the fixture
    /// [offers](Fixture::with_clock) that.
    pub(crate) async fn driver_with_clock(&self) -> (Arc<dyn StorageDriver>, Clock) {
        let Fixture { driver, clock, .. } = self.fixture().await;
        (driver, Clock(clock.expect("the plan asks this of fixtures with a clock alone")))
    }

    /// A fresh fixture, whose driver is watched, and what it keeps is kept here.
    pub(crate) async fn fixture(&self) -> Fixture {
        let Fixture { driver, keep, clock } = (self.make)().await;
        // Nothing panics while it holds the lock.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).extend(keep);
        let driver = Arc::new(Watched::new(driver, Arc::clone(&self.watch)));
        Fixture { driver, keep: None, clock }
    }

    /// Whether calls take much longer than it takes to wake a thread, as far as some were made.
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

/// The clock of a driver. It shows what it was set to last.
pub(crate) struct Clock(SetClock);

impl Clock {
    /// Sets it to so many seconds after a moment that is long past.
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

/// A driver and what has to live as long as it is tested. A driver alone turns into one.
pub struct Fixture {
    pub(crate) driver: Arc<dyn StorageDriver>,
    keep: Option<Box<dyn Any + Send>>,
    pub(crate) clock: Option<SetClock>,
}

impl Fixture {
    /// `driver`, with `keep` dropped after it, at the end of the test.
    pub fn new(driver: impl StorageDriver + 'static, keep: impl Send + 'static) -> Self {
        Self { keep: Some(Box::new(keep)), ..driver.into() }
    }

    /// Says how the driver's clock is set, so that behaviours about times and ages are tested
    /// exactly, at their boundaries too. Without it they are left out.
    ///
    /// The driver has to take all of its times from that clock, and the clock has to stand still
    /// until it is set again, which may be to an earlier time.
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
