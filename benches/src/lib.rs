//! What the drivers take, beside the machine's limits and its peers.
//!
//! A [`Subject`] is a store that is measured: ours, or a peer by its own fastest way. A [`Job`] is
//! one measurement of one subject, in a process of its own; [`Measurements`] runs many of them, a
//! few times, subjects in turn, and keeps medians. Four programs and a bench are made of these:
//!
//! - `cargo run --release -p benches --bin table`: every goal, and whether it is met.
//! - `cargo run --release -p benches --bin disk`: the same of the file system driver, by [`disk`].
//! - `cargo run --release -p benches --bin registries`: and of the registry, by [`registry`].
//! - `cargo run --release -p benches --bin plots`: the plots in `docs/`.
//! - `cargo bench -p benches -- put`: one group by Criterion, to compare before with after.

mod allocator;
mod clock;
pub mod disk;
mod figures;
mod job;
pub mod jobs;
mod key;
mod limit;
mod measurements;
pub mod plots;
mod process;
mod random;
pub mod registry;
mod runtime;
mod source;
mod subject;
mod subjects;
pub mod table;

pub use figures::Figures;
pub use job::{Job, Who, run_if_asked};
pub use key::{ABOVE, key};
pub use measurements::Measurements;
pub use random::Random;
pub use source::Source;
pub use subject::Subject;
pub use subjects::{Naive, ObjectStore, Opendal, Ours};

/// 1,024 bytes.
pub const KIB: u64 = 1 << 10;
/// 1,024 KiB.
pub const MIB: u64 = 1 << 20;
/// 1,024 MiB.
pub const GIB: u64 = 1 << 30;
