//! The registry compared with CNCF distribution's: measurements and goals.
//!
//! A job starts a server, is its only client, and stops it at the end. Both servers are separate programs on
//! the same machine, and receive the same requests from the same client, which uses one thread.

mod bucket;
mod client;
mod content;
mod jobs;
mod limit;
mod rows;
mod scale;
mod server;

pub use self::{
    jobs::{Act, Chunks, Costs, Deletion, Job, Lists, Requests, Streams, Zb},
    rows::rows,
    scale::Scale,
    server::{Storage, Target},
};
