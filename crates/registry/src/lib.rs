//! An OCI registry on any storage driver.

mod access;

pub use crate::access::{AccessRequest, Action, Authorize, Refusal};
