//! The jobs, a file each. All sizes are in bytes and powers of two.

mod allocation;
mod fork;
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
    fork::Fork,
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

use crate::{harness::Source, memory::Subject};

/// The path of the one large blob.
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
