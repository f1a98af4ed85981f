//! Tests of the driver on the server in process, in one program.

mod access;
mod costs;
mod faults;
mod foreign;
mod listing;
mod memory;
mod opening;
mod publishing;
mod support;
mod sweeping;
mod takeover;
mod throttling;
