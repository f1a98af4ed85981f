//! [`ByteSize`]: a number of bytes with a unit.

use std::{fmt, str::FromStr};

/// A number of bytes, parsed from text such as `4096`, `32KiB`, `5GiB` or `1 MB`.
///
/// It is a whole number and a unit: `B` or none, `KiB`, `MiB`, `GiB`, `TiB` (powers of 1,024), `kB`,
/// `MB`, `GB`, `TB` (of 1,000), in small or capital letters. It is written exactly, in the largest
/// unit of 1,024 of which it is a multiple:
///
/// ```
/// use storage_driver_url::ByteSize;
///
/// let size: ByteSize = "1536 MiB".parse()?;
/// assert_eq!(size, ByteSize(1536 << 20));
/// assert_eq!(size.to_string(), "1536MiB");
/// assert_eq!(ByteSize(1_000_000).to_string(), "1000000");
/// # Ok::<(), storage_driver_url::ParseByteSizeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

/// Why a text is not a [`ByteSize`].
///
/// ```
/// use storage_driver_url::{ByteSize, ParseByteSizeError};
///
/// assert_eq!("much".parse::<ByteSize>(), Err(ParseByteSizeError::NotASize));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseByteSizeError {
    /// No digits at its beginning, or no unit after them.
    #[error("not a size; write a whole number and B, KiB, MiB, GiB, TiB, kB, MB, GB or TB")]
    NotASize,
    /// 2^64 bytes or more.
    #[error("more than 64 bits hold")]
    TooLarge,
}

/// Units with their bytes; those of 1,024 from the largest on.
const UNITS: [(&str, u64); 10] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("", 1),
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

impl FromStr for ByteSize {
    type Err = ParseByteSizeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let unit = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit.trim_start()));
        let (false, Some((_, bytes))) = (number.is_empty(), unit) else {
            return Err(ParseByteSizeError::NotASize);
        };
        let size = number.parse().ok().and_then(|number: u64| number.checked_mul(*bytes));
        size.map(Self).ok_or(ParseByteSizeError::TooLarge)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit =
            UNITS.iter().find(|(_, bytes)| self.0 >= *bytes && self.0.is_multiple_of(*bytes));
        let (name, bytes) = unit.copied().unwrap_or(("", 1));
        f.pad(&format!("{}{name}", self.0 / bytes))
    }
}
