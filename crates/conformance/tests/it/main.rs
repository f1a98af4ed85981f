//! The integration tests of the suite: one module for each subject.

mod blocking_driver;
mod broken_drivers;
mod clauses;
mod custom_driver;
mod layers;
mod reference;
mod runner;
