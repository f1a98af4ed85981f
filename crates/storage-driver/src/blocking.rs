//! For drivers over a blocking API: a C library, `std::fs`, an SDK without async. Feature `blocking`.
//!
//! `tokio::task::spawn_blocking` alone breaks clause [9.1](crate::contract#9.1): when the future of a `put` is
//! dropped, its closure continues, and the next `put` on the same path can overtake it. The content of the
//! dropped `put` then replaces the content of its successor.
//!
//! | type | does |
//! |---|---|
//! | [`BlockingTasks`] | runs closures on threads, in order for each path, whether their futures are dropped or not |
//! | [`BlockingUpload`] | what a driver implements: one upload, with blocking calls |
//! | [`BlockingUploads`] | opens a [`Writer`](crate::Writer) over a `BlockingUpload`: buffers, fences, keeps on drop |
//!
//! The `blocking_driver` example of the conformance suite is a complete driver on these types. The cookbook
//! has a recipe: [`cookbook`](crate::cookbook).
//!
//! # Bounds
//!
//! At most `threads` closures run at once. The table of tasks has one entry for each task that runs or waits,
//! and the search for an earlier task on the same path visits these entries. A writer holds at most the buffer
//! limit and the buffer that it accepted last.

mod buffer;
mod session;
mod shared;
mod tasks;
mod turns;
mod upload;
mod uploads;

pub use tasks::BlockingTasks;
pub use upload::{BlockingUpload, OpenedUpload};
pub use uploads::BlockingUploads;
