//! Segments: the pieces of memory that content is made of.

use std::{fmt, sync::Arc};

use bytes::Bytes;

use crate::{budget::Budget, buffer::Buffer, usage::Usage, work};

pub(crate) const OVERHEAD: u64 = Usage::SEGMENT as u64;

/// A buffer that was filled or taken over. Whoever holds a `Bytes` of it holds it, and the last one
/// to let go gives its memory back to the budget.
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

/// A `Bytes` for which the caller exclusive: it is kept as it is, and counts with its length.
struct Adopted {
    data: Bytes,
    budget: Arc<Budget>,
}

impl AsRef<[u8]> for Adopted {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Drop for Adopted {
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

/// Makes a segment of a exclusive buffer whose length, and the [`OVERHEAD`], are reserved.
pub(crate) fn adopt(data: Bytes, budget: &Arc<Budget>) -> Bytes {
    Bytes::from_owner(Adopted { data, budget: Arc::clone(budget) })
}

/// What can be known of the memory behind a `Bytes`.
pub(crate) enum Origin {
    /// Nobody else holds the buffer, and it wastes nothing: it can be taken over as it is.
    Exact(Vec<u8>),
    /// Nobody else holds the buffer, but it is bigger than what is used of it.
    Wasteful(Vec<u8>),
    /// Others hold it too, or its size cannot be known.
    Shared(Bytes),
}

impl Origin {
    /// Asks a `Bytes` for its whole buffer.
    ///
    /// `BytesMut::capacity` alone does not tell: it leaves out what lies *before* the slice, which
    /// is most of a read buffer when its last piece is handed over. A `Vec` has the whole. Turning
    /// one into a `Vec` moves nothing if the slice begins where its buffer does, and if it does not,
    /// the bytes are going to be copied anyway, or nearly fill the buffer.
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

/// A buffer is taken over if at most one part in 64 of it is not used.
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
