#![doc = include_str!("../README.md")]
//!
//! # The pieces
//!
//! From the bottom: [`http`] counts requests, has their deadlines and injects faults; [`double`] is the server in process;
//! `clients` are three clients of the engine with different time-outs; `objects` is the bucket as keys with conditions,
//! with `decide` as its one way to write an object that matters, and `publish` for files; `record`, `journal`, `owner`
//! and `lineage` are the formats; `namespace`, `uploads`, `upload`, `ordered`, `pages` and `sweep` are the protocol; [`Bucket`]
//! is the driver.

mod access;
mod backend;
mod bucket;
mod budget;
mod buffer;
mod builder;
mod chunk;
mod clients;
pub mod double;
mod envelope;
mod error;
mod extents;
pub mod http;
mod journal;
mod lease;
mod lineage;
mod listing;
mod namespace;
mod nonce;
mod objects;
mod opening;
mod ordered;
mod owner;
mod pages;
mod probe;
mod reading;
mod recent;
mod record;
mod redirect;
mod session;
mod sweep;
mod tasks;
mod time;
mod turns;
mod upload;
mod uploads;
mod walking;

pub use access::{AccessCause, AccessError};
pub use bucket::Bucket;
pub use builder::Builder;
pub use object_store;
pub use probe::Unsuitable;
