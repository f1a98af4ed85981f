//! The jobs, a file each. All sizes are in bytes and powers of two.

mod allocation;
mod churn;
mod emptying;
mod fork;
mod growing;
mod listing;
mod mixed;
mod objects;
mod publish;
mod range;
mod timeline;
mod tmpfs;
mod under_load;
mod upload;
mod write_owned;

pub use self::{
    allocation::Allocation,
    churn::Churn,
    emptying::Emptying,
    fork::Fork,
    growing::Growing,
    listing::Listing,
    mixed::Mixed,
    objects::Objects,
    publish::Publish,
    range::{RANGE, Range},
    timeline::Timeline,
    under_load::{HISTOGRAM_BUCKETS, HISTOGRAM_PER_OCTAVE, Load, UnderLoad},
    upload::Upload,
    write_owned::WriteOwned,
};

use std::time::{Duration, Instant};

use crate::{
    harness::{Random, Source},
    memory::Subject,
};

/// The path of the one large blob.
const BLOB: &str = "docker/registry/v2/blobs/sha256/aa/aa/data";
/// The size of a small object, where it matters.
const OBJECT: usize = 4 << 10;
/// How long after a deletion it is measured what is still resident: freed memory may wait for a second.
const IDLE: Duration = Duration::from_millis(1500);

/// Uploads `size` bytes in copied chunks.
async fn upload<S: Subject>(on: &S, key: &S::Key, source: &Source, size: u64, chunk: usize) {
    let mut upload = on.begin(key, false).await;
    for chunk in source.chunks(size, chunk) {
        on.write(&mut upload, chunk).await;
    }
    on.commit(upload).await;
}

/// Nanoseconds an operation, of so many since `start`.
fn mean(start: Instant, of: usize) -> f64 {
    start.elapsed().as_nanos() as f64 / of as f64
}

/// Puts them into a random order, which is the same in every run.
fn shuffle<T>(items: &mut [T]) {
    const SEED: u64 = 4;
    let mut random = Random::new(SEED);
    for at in (1..items.len()).rev() {
        items.swap(at, random.below(at + 1));
    }
}
