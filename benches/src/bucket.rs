//! The object-store driver compared with its peers, on one server: measurements and goals.
//!
//! Each job starts its own server, Ceph with one OSD in memory, so that no subject finds what another has left.

mod jobs;
mod rows;
mod scale;
mod subject;
mod subjects;

pub use self::{
    jobs::{Job, Listing, Small, Streams},
    rows::rows,
    scale::Scale,
};
