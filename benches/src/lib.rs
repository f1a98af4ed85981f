//! What the benches share: their contestants' names, a seeded generator, a naive peer, and the
//! table of ratios that ends each of them.
//!
//! Every group measures three contestants side by side, in the same run:
//!
//! - `memcpy`: the bytes copied once, with nothing around it, into memory that is at hand. The limit
//!   of a store that copies; one that takes over what it is given can be faster.
//! - `naive`: a [map of vectors](Naive) under one lock. The peer.
//! - `inmemory`: ours.
//!
//! All of them: `cargo bench -p benches`. One: `cargo bench -p benches --bench upload`. One group of
//! it: `cargo bench -p benches --bench upload -- commit`.

mod naive;
mod random;
mod ratios;

use std::time::Duration;

use criterion::Criterion;

pub use naive::Naive;
pub use random::Random;
pub use ratios::print_ratios;

/// The name of the limit.
pub const MEMCPY: &str = "memcpy";
/// The name of the peer.
pub const NAIVE: &str = "naive";
/// The name of ours.
pub const INMEMORY: &str = "inmemory";

/// 1,024 bytes.
pub const KIB: usize = 1 << 10;
/// 1,024 KiB.
pub const MIB: usize = 1 << 20;

/// A size as it stands in the name of a bench: `64KiB`.
pub fn name_of(size: usize) -> String {
    if size >= MIB { format!("{}MiB", size / MIB) } else { format!("{}KiB", size / KIB) }
}

/// Short sampling, so that all benches together take minutes.
pub fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .output_directory(&ratios::directory())
        .configure_from_args()
}
