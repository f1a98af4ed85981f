//! What is measured, a file each. All sizes are in bytes and powers of two.

mod allocation;
mod beside;
mod fork;
mod hand_over;
mod listing;
mod mixed;
mod objects;
mod publish;
mod range;
mod timeline;
mod tmpfs;
mod upload;

pub use self::{
    allocation::Allocation,
    beside::{Beside, HISTOGRAM_BUCKETS, HISTOGRAM_PER_OCTAVE, Load},
    fork::Fork,
    hand_over::HandOver,
    listing::Listing,
    mixed::Mixed,
    objects::Objects,
    publish::Publish,
    range::{RANGE, Range},
    timeline::Timeline,
    upload::Upload,
};

use crate::{Source, Subject};

/// Where the one large blob is.
const BLOB: &str = "docker/registry/v2/blobs/sha256/aa/aa/data";
/// The size of a small object, where it matters.
const OBJECT: usize = 4 << 10;

/// Uploads `size` bytes in copied chunks.
async fn upload<S: Subject>(on: &S, key: &S::Key, source: &Source, size: u64, chunk: usize) {
    let mut upload = on.begin(key, false).await;
    for chunk in source.chunks(size, chunk) {
        on.write(&mut upload, chunk).await;
    }
    on.commit(upload).await;
}
