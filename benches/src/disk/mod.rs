//! The file system driver beside its peers: what is measured, and what is to be reached.
//!
//! It is the same as for the in-memory driver, one process a figure, and stores in turn; but a store
//! is a directory here, which is on a disk or in memory, and what is durable when an operation
//! returns is the same for all.

mod fixture;
mod jobs;
mod mount;
mod place;
mod rows;
mod scale;
mod subject;
mod subjects;

pub use self::{
    jobs::{Download, Job, Listing, Puts, Range, Upload},
    place::{Place, Places},
    rows::rows,
    scale::Scale,
};
