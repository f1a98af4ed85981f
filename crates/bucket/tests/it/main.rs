//! Tests of the driver on the server in process, in one program.

mod access;
mod costs;
mod faults;
mod foreign;
mod interleavings;
mod liars;
mod listing;
mod long_walks;
mod memory;
mod opening;
mod processes;
mod publishing;
mod random_trees;
mod resuming;
mod support;
mod sweeping;
mod takeover;
mod throttling;
