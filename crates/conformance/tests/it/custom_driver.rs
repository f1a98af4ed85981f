//! The suite on the driver of the `custom_driver` example.

#[path = "../../examples/custom_driver/driver.rs"]
mod driver;

storage_driver_conformance::suite!(|| async { driver::MapDriver::new() });
