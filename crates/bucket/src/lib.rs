//! A storage driver on an object store.

mod backend;
mod bucket;
mod budget;
mod buffer;
mod builder;
mod clients;
pub mod double;
mod envelope;
mod error;
mod extents;
pub mod http;
mod journal;
mod listing;
mod namespace;
mod nonce;
mod objects;
mod opening;
mod owner;
mod probe;
mod reading;
mod record;
mod session;
mod sweep;
mod tasks;
mod time;
mod upload;
mod uploads;

pub use bucket::Bucket;
pub use builder::Builder;
pub use probe::Unsuitable;
pub use sweep::{SweepOptions, SweepReport};
