//! The contract, clause by clause, on the in-memory driver.

use std::{
    sync::{Arc, Mutex},
    time::SystemTime,
};

use inmemory::InMemory;
use storage_driver_conformance::Fixture;

/// A store whose clock is the system's until the suite sets it.
fn fresh() -> Fixture {
    let held = Arc::new(Mutex::new(None));
    let shown = Arc::clone(&held);
    let clock = move || shown.lock().unwrap().unwrap_or_else(SystemTime::now);
    let driver = InMemory::builder().clock(clock).build();
    Fixture::from(driver).with_clock(move |time| *held.lock().unwrap() = Some(time))
}

storage_driver_conformance::suite!(|| async { fresh() });

/// So that no behaviour disappears unnoticed, from the suite or from the claims of the driver.
#[test]
fn the_suite_has_this_many_behaviours_for_it() {
    let plan = storage_driver_conformance::plan(&fresh());
    assert_eq!((plan.quick(), plan.full()), (634, 4));
}
