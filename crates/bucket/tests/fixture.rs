//! What the suite needs of a store: a driver, and the clock that it takes its times from.

use std::{
    sync::{Arc, Mutex},
    time::SystemTime,
};

use storage_driver_bucket::Builder;
use storage_driver_conformance::Fixture;

/// A store whose clock is the system's until the suite sets it.
pub(crate) async fn fixture(builder: Builder) -> Fixture {
    let held = Arc::new(Mutex::new(None));
    let shown = Arc::clone(&held);
    let clock = move || shown.lock().unwrap().unwrap_or_else(SystemTime::now);
    let driver = builder.clock(clock).open().await.unwrap();
    Fixture::from(driver).with_clock(move |time| *held.lock().unwrap() = Some(time))
}
