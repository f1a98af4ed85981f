//! The stores that are measured, a file each.

mod object_store;
mod opendal;
mod ours;

pub(crate) use self::{object_store::ObjectStore, opendal::Opendal, ours::Ours};
