//! The registry beside distribution's: what is measured, and what is to be reached.
//!
//! A job starts a server, of which it is the only client, and stops it in the end. Both servers are
//! programs of their own on the same machine, and get the same requests by the same client, which
//! stays on one thread.

mod client;
mod content;
mod jobs;
mod limit;
mod rows;
mod scale;
mod server;

pub use self::{
    jobs::{Job, Lists, Requests, Streams},
    rows::rows,
    scale::Scale,
    server::{Storage, Target},
};
