//! Segments: the buffers that content consists of.

use std::{fmt, sync::Arc};

use bytes::Bytes;

use crate::{budget::Budget, buffer::Buffer, usage::Usage, work};

pub(crate) const OVERHEAD: u64 = Usage::SEGMENT as u64;

/// A buffer that was filled by the store or adopted. Each `Bytes` of it keeps it alive, and the drop of the
/// last one gives its memory back to the budget.
struct Segment {
    data: Buffer,
    budget: Arc<Budget>,
}

impl AsRef<[u8]> for Segment {
    fn as_ref(&self) -> &[u8] {
        self.data.as_ref()
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        work::count(1);
        work::count_freed(self.data.capacity());
        self.budget.recycle(std::mem::take(&mut self.data), OVERHEAD);
    }
}

/// A `Bytes` that the caller declared [exclusive](storage_driver::WriterOptions::exclusive_buffers): it is
/// kept as it is, and counts with its length.
struct Exclusive {
    data: Bytes,
    budget: Arc<Budget>,
}

impl AsRef<[u8]> for Exclusive {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        let bytes = self.data.len() as u64;
        work::count_freed(self.data.len());
        self.data = Bytes::new();
        self.budget.release(bytes, OVERHEAD);
    }
}

/// Makes a segment of a buffer whose capacity, and the [`OVERHEAD`], are reserved.
pub(crate) fn seal(data: impl Into<Buffer>, budget: &Arc<Budget>) -> Bytes {
    Bytes::from_owner(Segment { data: data.into(), budget: Arc::clone(budget) })
}

/// Makes a segment of an exclusive buffer whose length, and the [`OVERHEAD`], are reserved.
pub(crate) fn seal_exclusive(data: Bytes, budget: &Arc<Budget>) -> Bytes {
    Bytes::from_owner(Exclusive { data, budget: Arc::clone(budget) })
}

/// The memory behind a `Bytes`, as far as it can be known.
pub(crate) enum Origin {
    /// This is the only reference to the buffer, which wastes nothing: it can be adopted as it is.
    Exact(Vec<u8>),
    /// This is the only reference to the buffer, but too much of it is unused.
    Wasteful(Vec<u8>),
    /// There are other references, or its size is unknown.
    Shared(Bytes),
}

impl Origin {
    /// The whole buffer of a `Bytes`.
    ///
    /// `BytesMut::capacity` is not enough: it leaves out what lies *before* the slice, which is most of a read
    /// buffer when its last piece is written. A `Vec` has the whole. The conversion into a `Vec` moves
    /// nothing if the slice begins where its buffer does; otherwise the bytes are copied anyway, or nearly
    /// fill the buffer.
    pub(crate) fn of(data: Bytes) -> Self {
        let data = match data.try_into_mut() {
            Ok(data) => Vec::from(data),
            Err(data) => return Self::Shared(data),
        };
        if data.capacity() - data.len() <= data.len() / MAX_WASTE {
            Self::Exact(data)
        } else {
            Self::Wasteful(data)
        }
    }
}

/// A buffer is adopted if at most one part in 64 of it is not used.
const MAX_WASTE: usize = 64;

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exact(_) => "Exact",
            Self::Wasteful(_) => "Wasteful",
            Self::Shared(_) => "Shared",
        })
    }
}
