//! A storage driver on an object store.

mod clients;
pub mod double;
mod envelope;
mod error;
pub mod http;
mod nonce;
mod objects;
