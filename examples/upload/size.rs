//! [`Size`]: a number of bytes, as people write it.

use std::{fmt, str::FromStr};

/// A number of bytes: `4096`, `32KiB`, `5GiB`, `1 MB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Size(pub(crate) u64);

/// Units with their bytes; those of 1,024 in the order in which [`Size`] prints them.
const UNITS: [(&str, u64); 10] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
    ("", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

impl FromStr for Size {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let unit = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit.trim_start()));
        let (false, Some((_, bytes))) = (number.is_empty(), unit) else {
            return Err(
                "not a size; write a whole number and B, KiB, MiB, GiB, TiB, kB, MB, GB or TB",
            );
        };
        let size = number.parse().ok().and_then(|number: u64| number.checked_mul(*bytes));
        size.map(Self).ok_or("more than 64 bits hold")
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.iter().find(|(_, bytes)| self.0 >= *bytes) {
            Some((name, bytes)) if *bytes > 1 => {
                write!(f, "{:.2} {name}", self.0 as f64 / *bytes as f64)
            }
            _ => write!(f, "{} B", self.0),
        }
    }
}
