//! What this process has resident, as the kernel says.

use std::fs;

/// What is resident now, in bytes; 0 where there is no `/proc`.
pub(crate) fn resident() -> u64 {
    status("VmRSS:")
}

/// The most that was resident since `forget_peak`, in bytes.
pub(crate) fn peak() -> u64 {
    status("VmHWM:")
}

/// Begins a new peak where the kernel lets it; otherwise it goes on from the start of the process.
pub(crate) fn forget_peak() {
    let _ = fs::write("/proc/self/clear_refs", "5");
}

fn status(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) << 10
}
