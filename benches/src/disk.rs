//! The file system driver compared with its peers: measurements and goals.
//!
//! It works as for the in-memory driver, with one process for each figure, and one store after the other; but a
//! store is a directory here, on a disk or in memory, and all stores have made the same data durable when an
//! operation returns.

mod fixture;
mod jobs;
mod rows;
mod scale;
mod subject;
mod subjects;

pub use self::{
    jobs::{Download, Job, Listing, Puts, Range, Upload},
    rows::rows,
    scale::Scale,
};
