//! [`ReadRange`]: a range of bytes to read.

use std::ops::{self, Range};

use crate::{Error, ErrorKind};

/// A range of bytes to read. Every form of Rust's ranges converts to it. Exhaustive on purpose: a driver has to
/// read every form.
///
/// The end is clipped to the content, as in HTTP. The start is not: a read that starts past the end is a
/// mistake of the caller, and an error.
///
/// ```
/// use storage_driver::ReadRange;
///
/// assert_eq!(ReadRange::from(2..).resolve(10)?, 2..10);
/// assert_eq!(ReadRange::from(2..99).resolve(10)?, 2..10);
/// assert_eq!(ReadRange::from(10..).resolve(10)?, 10..10);
/// assert_eq!(ReadRange::Suffix(3).resolve(10)?, 7..10);
/// assert_eq!(ReadRange::Suffix(99).resolve(10)?, 0..10);
/// assert!(ReadRange::from(11..).resolve(10).is_err());
/// # Ok::<(), storage_driver::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum ReadRange {
    /// The whole file.
    #[default]
    Full,
    /// From this offset to the end.
    Offset(u64),
    /// From `start` to `end`, which is excluded.
    Bounded(Range<u64>),
    /// The last N bytes: the whole file if it has fewer, nothing if N is 0.
    Suffix(u64),
}

impl ReadRange {
    /// The range of bytes within content of `size` bytes.
    ///
    /// # Errors
    ///
    /// [`InvalidOffset`](ErrorKind::InvalidOffset) if the range starts past the end of the content,
    /// or past its own end.
    pub fn resolve(&self, size: u64) -> Result<Range<u64>, Error> {
        let range = match *self {
            Self::Full => 0..size,
            Self::Offset(start) => start..size.max(start),
            Self::Bounded(Range { start, end }) => start..end,
            Self::Suffix(length) => size.saturating_sub(length)..size,
        };
        if range.start > size || range.start > range.end {
            return Err(Error::new(ErrorKind::InvalidOffset { offset: range.start, size }));
        }
        Ok(range.start..range.end.min(size))
    }
}

impl From<ops::RangeFull> for ReadRange {
    fn from(_: ops::RangeFull) -> Self {
        Self::Full
    }
}

impl From<ops::RangeFrom<u64>> for ReadRange {
    fn from(range: ops::RangeFrom<u64>) -> Self {
        Self::Offset(range.start)
    }
}

impl From<Range<u64>> for ReadRange {
    fn from(range: Range<u64>) -> Self {
        Self::Bounded(range)
    }
}

impl From<ops::RangeTo<u64>> for ReadRange {
    fn from(range: ops::RangeTo<u64>) -> Self {
        Self::Bounded(0..range.end)
    }
}

impl From<ops::RangeInclusive<u64>> for ReadRange {
    fn from(range: ops::RangeInclusive<u64>) -> Self {
        // No content has 2^64 bytes, so clipping the end at `u64::MAX` loses nothing.
        Self::Bounded(*range.start()..range.end().saturating_add(1))
    }
}

impl From<ops::RangeToInclusive<u64>> for ReadRange {
    fn from(range: ops::RangeToInclusive<u64>) -> Self {
        Self::Bounded(0..range.end.saturating_add(1))
    }
}
