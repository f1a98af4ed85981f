//! Tests of the driver on the server in process, in one program.

mod access;
mod costs;
mod faults;
mod foreign;
mod memory;
mod opening;
mod support;
mod sweeping;
mod takeover;
