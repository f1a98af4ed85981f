//! The in-memory driver compared with its limits and its peers.

mod job;
pub mod jobs;
mod key;
mod limit;
pub mod plots;
pub mod polls;
mod rows;
mod scale;
mod subject;
mod subjects;

pub use self::{
    job::Job,
    key::{ABOVE, key},
    rows::rows,
    scale::Scale,
    subject::Subject,
    subjects::{Naive, ObjectStore, Opendal, Ours},
};
