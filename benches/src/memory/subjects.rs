//! The stores that are measured, a file each.

mod naive;
mod object_store;
mod opendal;
mod ours;

pub use self::{naive::Naive, object_store::ObjectStore, opendal::Opendal, ours::Ours};
