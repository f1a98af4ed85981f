//! The contract, clause by clause, on the server in process.

use std::{
    sync::{Arc, Mutex},
    time::SystemTime,
};

use conformance::Fixture;
use storage_driver_bucket::{
    Builder,
    double::{Double, Ways},
};

/// A store whose clock is the system's until the suite sets it.
async fn fresh(ways: Ways) -> Fixture {
    let held = Arc::new(Mutex::new(None));
    let shown = Arc::clone(&held);
    let clock = move || shown.lock().unwrap().unwrap_or_else(SystemTime::now);
    let driver = Builder::double(&Double::new(ways)).clock(clock).open().await.unwrap();
    Fixture::from(driver).with_clock(move |time| *held.lock().unwrap() = Some(time))
}

conformance::suite!(|| async { fresh(Ways::default()).await });
