//! The suite on the driver of the `blocking_driver` example.

#[path = "../../examples/blocking_driver/driver.rs"]
mod driver;
#[path = "../../examples/blocking_driver/library.rs"]
mod library;

storage_driver_conformance::suite!(|| async { driver::BlockingDriver::new() });
