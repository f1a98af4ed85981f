//! [`Subject`]: what is put to the test.

use std::{
    any::Any,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use futures::{FutureExt, future::BoxFuture};
use storage_driver::StorageDriver;

/// A driver under test, as a factory of fresh ones.
///
/// A clone shares the factory and what the fixtures keep.
#[derive(Clone)]
pub struct Subject {
    make: Arc<dyn Fn() -> BoxFuture<'static, Fixture> + Send + Sync>,
    kept: Arc<Mutex<Vec<Box<dyn Any + Send>>>>,
}

impl Subject {
    /// A subject whose drivers `factory` makes. Each is over a store of its own, empty.
    ///
    /// ```
    /// # use conformance::{Subject, reference::Reference};
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
        Self { make: Arc::new(make), kept: Arc::default() }
    }

    /// A fresh driver over an empty store, at each call another.
    pub async fn driver(&self) -> Arc<dyn StorageDriver> {
        let Fixture { driver, keep } = (self.make)().await;
        // Nothing panics while it holds the lock.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).extend(keep);
        driver
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").finish_non_exhaustive()
    }
}

/// A driver and what has to live as long as it is tested. A driver alone turns into one.
pub struct Fixture {
    driver: Arc<dyn StorageDriver>,
    keep: Option<Box<dyn Any + Send>>,
}

impl Fixture {
    /// `driver`, with `keep` dropped after it, at the end of the test.
    pub fn new(driver: impl StorageDriver + 'static, keep: impl Send + 'static) -> Self {
        Self { driver: Arc::new(driver), keep: Some(Box::new(keep)) }
    }
}

impl<D: StorageDriver + 'static> From<D> for Fixture {
    fn from(driver: D) -> Self {
        Self { driver: Arc::new(driver), keep: None }
    }
}

impl fmt::Debug for Fixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fixture").field("driver", &self.driver).finish_non_exhaustive()
    }
}
