//! [`Chunk`]: memory that a writer fills.

use bytes::{Bytes, BytesMut};
use memmap2::MmapMut;

/// From this size on, memory is mapped from the system, and goes back to it when the bytes are dropped. An allocator would
/// keep much of it: uploads of different sizes and ages leave holes.
const MAPPED: usize = 64 << 10;

/// Memory of a fixed size, which is filled from its beginning.
#[derive(Debug)]
pub(crate) enum Chunk {
    Allocated(BytesMut),
    Mapped { memory: MmapMut, length: usize },
}

impl Chunk {
    pub(crate) fn new(capacity: usize) -> Self {
        let mapped = (capacity >= MAPPED).then(|| MmapMut::map_anon(capacity));
        match mapped {
            Some(Ok(memory)) => Self::Mapped { memory, length: 0 },
            // The system has a limit on the number of mappings.
            _ => Self::Allocated(BytesMut::with_capacity(capacity)),
        }
    }

    /// How many more bytes it takes.
    pub(crate) fn room(&self) -> usize {
        match self {
            Self::Allocated(bytes) => bytes.capacity() - bytes.len(),
            Self::Mapped { memory, length } => memory.len() - length,
        }
    }

    /// Takes as much of `data` as there is room for, and returns how much that is.
    pub(crate) fn fill(&mut self, data: &[u8]) -> usize {
        let count = data.len().min(self.room());
        match self {
            Self::Allocated(bytes) => bytes.extend_from_slice(&data[..count]),
            Self::Mapped { memory, length } => {
                memory[*length..*length + count].copy_from_slice(&data[..count]);
                *length += count;
            }
        }
        count
    }

    pub(crate) fn freeze(self) -> Bytes {
        match self {
            Self::Allocated(bytes) => bytes.freeze(),
            Self::Mapped { memory, length } => {
                let mut bytes = Bytes::from_owner(memory);
                bytes.truncate(length);
                bytes
            }
        }
    }
}

impl Default for Chunk {
    fn default() -> Self {
        Self::Allocated(BytesMut::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_has_what_it_was_filled_with_wherever_its_memory_is() {
        for capacity in [1000, MAPPED] {
            let mut chunk = Chunk::new(capacity);
            let data: Vec<u8> = (0..=250).cycle().take(capacity + 10).collect();
            assert_eq!(chunk.fill(&data[..10]), 10);
            assert_eq!(chunk.fill(&data[10..]), capacity - 10);
            assert_eq!((chunk.room(), chunk.fill(b"more")), (0, 0));
            assert!(chunk.freeze() == data[..capacity]);
        }
        let mut chunk = Chunk::new(MAPPED);
        chunk.fill(b"part");
        assert_eq!(chunk.freeze(), "part");
    }
}
