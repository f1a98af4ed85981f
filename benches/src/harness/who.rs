//! [`Who`]: the subjects of measurements.

use serde::{Deserialize, Serialize};

/// Who is measured: a limit, a peer, or ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Who {
    /// `memcpy` into fresh memory of small pages.
    Small,
    /// `memcpy` into fresh memory, populated 2 MiB at a time.
    Populated,
    /// `memcpy` into fresh memory of huge pages.
    Huge,
    /// `memcpy` into memory that has been used.
    Touched,
    /// A slice of one contiguous buffer.
    Slice,
    /// A file in `/dev/shm`.
    Tmpfs,
    /// `std::fs` on a thread that waits.
    Plain,
    /// `tokio::fs`, by hand.
    Tokio,
    /// `object_store`.
    ObjectStore,
    /// `opendal`.
    Opendal,
    /// A map of vectors under a lock.
    Naive,
    /// TCP between two threads.
    Loopback,
    /// SHA-256 by `sha2`.
    Sha2,
    /// CNCF distribution's registry.
    Distribution,
    /// The driver: in memory, or on a disk; or the registry.
    Ours,
}

impl Who {
    /// The peers that are stores.
    pub const PEERS: [Self; 3] = [Self::ObjectStore, Self::Opendal, Self::Naive];

    /// As it stands in a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "small pages",
            Self::Populated => "populated",
            Self::Huge => "huge pages",
            Self::Touched => "touched",
            Self::Slice => "slice",
            Self::Tmpfs => "tmpfs",
            Self::Plain => "plain",
            Self::Tokio => "tokio::fs",
            Self::ObjectStore => "object_store",
            Self::Opendal => "opendal",
            Self::Naive => "naive",
            Self::Loopback => "loopback",
            Self::Sha2 => "sha2",
            Self::Distribution => "distribution",
            Self::Ours => "ours",
        }
    }
}
