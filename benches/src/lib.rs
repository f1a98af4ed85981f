//! The drivers and the registry, compared with the limits of the machine and with their peers.
//!
//! A subject is a store that is measured: ours, or a peer by its own fastest way. A job is one measurement of
//! one subject, in a separate process; [`Measurements`](harness::Measurements) runs many of them, a few times,
//! subjects in turn, and keeps medians. [`harness`] knows nothing of what is measured; [`memory`], [`disk`],
//! [`bucket`] and [`registry`] are the areas, and none of them knows another. [`load`] measures nothing: it counts requests. The commands are in `README.md`.

pub mod bucket;
pub mod disk;
pub mod harness;
pub mod load;
pub mod memory;
pub mod registry;
