//! [`Size`]: a number of bytes, as people read it.

use std::fmt;

/// A number of bytes, shown in the largest unit that it fills, with two digits after the point.
/// (`ByteSize`, in which options are given, is shown exactly.)
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size(pub(crate) u64);

const UNITS: [(&str, u64); 4] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.iter().find(|(_, bytes)| self.0 >= *bytes) {
            Some((name, bytes)) => write!(f, "{:.2} {name}", self.0 as f64 / *bytes as f64),
            None => write!(f, "{} B", self.0),
        }
    }
}
