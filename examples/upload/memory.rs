//! What the operating system says of memory. Only Linux is asked; elsewhere there is no answer.

use std::{fs, hint::black_box, time::Instant};

/// The most memory that this process was resident in so far, in bytes.
pub(crate) fn peak() -> Option<u64> {
    field("/proc/self/status", "VmHWM:")
}

/// What could still be allocated on this machine without swapping, in bytes.
pub(crate) fn available() -> Option<u64> {
    field("/proc/meminfo", "MemAvailable:")
}

/// How long it takes to copy so many bytes into memory that was never used, as any store that copies
/// must; measured on a part.
pub(crate) fn seconds_to_copy(bytes: u64) -> f64 {
    const PIECE: usize = 1 << 20;
    const PIECES: usize = 64;
    let source = black_box(vec![1; PIECE]);
    let start = Instant::now();
    let copies: Vec<Vec<u8>> = (0..PIECES).map(|_| source.clone()).collect();
    let took = start.elapsed();
    drop(black_box(copies));
    took.as_secs_f64() * bytes as f64 / (PIECE * PIECES) as f64
}

/// A field of one of those files, whose lines are `Name:   1234 kB`.
fn field(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = value.trim().strip_suffix(" kB")?.parse().ok()?;
    kib.checked_mul(1024)
}
