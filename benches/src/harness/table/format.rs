//! Figures in words.

use crate::harness::{GIB, KIB, MIB};

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
    /// Nanoseconds.
    Nanoseconds,
    /// Bytes, given in the unit that suits them.
    Size,
    /// Bytes, given as such.
    Bytes,
    /// Thousands of operations a second.
    Rate,
    /// Operations a second.
    PerSecond,
    /// MiB a second.
    Throughput,
    /// A part or a multiple.
    Times,
    /// A whole number.
    Count,
}

impl Unit {
    /// The number, short.
    pub fn show(self, number: f64) -> String {
        match self {
            _ if number == 0.0 => String::from("0"),
            Self::Seconds => format!("{} s", short(number)),
            Self::Milliseconds => format!("{} ms", short(number)),
            Self::Microseconds => format!("{} µs", short(number)),
            Self::Nanoseconds => format!("{} ns", short(number)),
            Self::Size if number >= GIB as f64 => format!("{} GiB", short(number / GIB as f64)),
            Self::Size if number >= MIB as f64 => format!("{} MiB", short(number / MIB as f64)),
            Self::Size => format!("{} KiB", short(number / KIB as f64)),
            Self::Bytes => format!("{} B", short(number)),
            Self::Rate => format!("{} k/s", short(number)),
            Self::PerSecond => format!("{} /s", short(number)),
            Self::Throughput => format!("{} MiB/s", short(number)),
            Self::Times => format!("{number:.2}"),
            Self::Count => format!("{number:.0}"),
        }
    }
}

/// Three digits, or all before the point, in groups of three.
fn short(number: f64) -> String {
    match number.abs() {
        n if n < 1.0 => format!("{number:.3}"),
        n if n < 10.0 => format!("{number:.2}"),
        n if n < 100.0 => format!("{number:.1}"),
        _ if number < 0.0 => format!("-{}", short(-number)),
        _ => group(number.abs().round() as u64),
    }
}

fn group(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A power of two of bytes: `64 KiB`.
pub fn size(bytes: u64) -> String {
    match bytes {
        bytes if bytes >= GIB => format!("{} GiB", bytes / GIB),
        bytes if bytes >= MIB => format!("{} MiB", bytes / MIB),
        bytes => format!("{} KiB", bytes / KIB),
    }
}

/// How many objects: `1 M`, `100 k`.
pub fn count(objects: usize) -> String {
    match objects {
        objects if objects >= 1_000_000 => format!("{} M", objects / 1_000_000),
        objects if objects >= 1_000 => format!("{} k", objects / 1_000),
        objects => objects.to_string(),
    }
}

#[test]
fn numbers_are_short() {
    assert_eq!(Unit::Nanoseconds.show(1_234_567.8), "1,234,568 ns");
    assert_eq!(Unit::Seconds.show(0.25), "0.250 s");
    assert_eq!(Unit::Size.show(1.5 * MIB as f64), "1.50 MiB");
}
