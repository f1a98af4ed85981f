//! What a registry sends to its bucket, and what that means for a million pushes a day.
//!
//! Requests are counted on the server in process, with their keys. A replay draws the same requests for other images, with
//! random arrivals, and shows which keys a service that divides its bucket by prefix would have to separate first.
//! Nothing here measures time.

mod actions;
mod bill;
mod collection;
mod image;
mod keys;
mod partitions;
mod recorder;
mod replay;
mod report;
mod terms;

pub use self::{report::Report, terms::Terms};
