//! The resident memory and the processor time of a process, from the kernel.

use std::fs;

/// The resident memory in bytes; 0 where there is no `/proc`.
pub(crate) fn resident() -> u64 {
    status("VmRSS:")
}

/// The peak of resident memory since `forget_peak`, in bytes.
pub(crate) fn peak() -> u64 {
    status("VmHWM:")
}

/// Begins a new peak where the kernel allows it; otherwise the peak is that since the start of the process.
pub(crate) fn forget_peak() {
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// The peak of resident memory of another process, in bytes.
pub(crate) fn peak_of(process: u32) -> u64 {
    status_of(&process.to_string(), "VmHWM:")
}

/// The processor time that this process has taken, in seconds.
pub(crate) fn worked() -> f64 {
    worked_by("self")
}

/// The processor time that another has taken, in seconds.
pub(crate) fn worked_of(process: u32) -> f64 {
    worked_by(&process.to_string())
}

/// How many times the threads of another process were exchanged on a processor; those of threads that have ended are lost.
pub(crate) fn switches_of(process: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let of_thread = |thread: fs::DirEntry| {
        let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        let counts = status.lines().filter_map(|line| line.split_once("ctxt_switches:"));
        counts.filter_map(|(_, count)| count.trim().parse::<f64>().ok()).sum::<f64>()
    };
    threads.map(of_thread).sum()
}

/// How many fields after the name, which is in parentheses, the times are in `stat`.
const TIMES: usize = 11;
/// The kernel counts them in hundredths of a second.
const TICKS: f64 = 100.0;

fn worked_by(process: &str) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let times = fields.split_whitespace().skip(TIMES).take(2);
    times.filter_map(|time| time.parse::<f64>().ok()).sum::<f64>() / TICKS
}

fn status(field: &str) -> u64 {
    status_of("self", field)
}

fn status_of(process: &str, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) << 10
}
