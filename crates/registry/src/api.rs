//! The HTTP interface of the specification.
//!
//! A module imports only modules that are listed above it:
//!
//! ```text
//! error   accept   byteranges   conditions   cursors   endpoint
//! body    range    responses
//! service                                     the state of all requests, and a request
//! redirect
//! blobs   catalog  lists  manifests  uploads  the handlers
//! routes                                      which request is handled where
//! ```

mod accept;
mod blobs;
mod body;
mod byteranges;
mod catalog;
mod conditions;
mod cursors;
mod endpoint;
pub(crate) mod error;
mod lists;
mod manifests;
mod range;
mod redirect;
mod responses;
mod routes;
mod service;
mod uploads;

pub(crate) use self::{catalog::Repositories, cursors::Cursors, routes::router, service::Api};
