//! The integration tests of the contract crate: one module for each noun.

mod async_send_sync;
#[cfg(feature = "blocking")]
mod blocking;
mod contract;
mod copy;
mod driver;
mod error;
mod ext;
mod layer;
mod list;
mod metadata;
mod path;
mod payload;
mod range;
mod reader;
mod support;
mod version;
mod walk;
mod writer;
