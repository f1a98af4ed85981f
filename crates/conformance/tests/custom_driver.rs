//! The driver of the `custom_driver` example, held to the contract: a test per behaviour.

#[path = "../examples/custom_driver/driver.rs"]
mod driver;

storage_driver_conformance::suite!(|| async { driver::MapDriver::new() });
