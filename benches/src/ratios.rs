//! [`print_ratios`]: ours beside the peer and the limit.

use std::{collections::BTreeMap, env, fs, path::Path, path::PathBuf, time::SystemTime};

use crate::{INMEMORY, MEMCPY, NAIVE};

/// Where Criterion keeps what it measured.
pub(crate) fn directory() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    env::var_os("CRITERION_HOME")
        .map_or_else(|| target.unwrap_or_else(default).join("criterion"), PathBuf::from)
}

/// Prints, for each bench of `groups` that was measured since `start`, its time and how many
/// times as long the peer and the limit took.
#[expect(clippy::print_stdout, reason = "that is its purpose")]
pub fn print_ratios(groups: &[&str], start: SystemTime) {
    let mut lines = Vec::new();
    for group in groups {
        for (parameter, ours) in times(group, INMEMORY, start) {
            let ratio = |name| match times(group, name, start).get(&parameter) {
                Some(other) => format!("{:.2}", other / ours),
                None => String::from("-"),
            };
            let (naive, memcpy) = (ratio(NAIVE), ratio(MEMCPY));
            let bench = format!("{group}/{parameter}");
            lines.push(format!("{bench:28} {:>12} {naive:>12} {memcpy:>12}", time(ours)));
        }
    }
    if !lines.is_empty() {
        println!("\n{:28} {:>12} {:>12} {:>12}", "", INMEMORY, "naive/ours", "memcpy/ours");
        println!("{}", lines.join("\n"));
    }
}

/// The times of one contestant, in nanoseconds, by parameter.
fn times(group: &str, contestant: &str, start: SystemTime) -> BTreeMap<String, f64> {
    let Ok(entries) = fs::read_dir(directory().join(group).join(contestant)) else {
        return BTreeMap::new();
    };
    let time = |dir: PathBuf| -> Option<(String, f64)> {
        let estimates = dir.join("new/estimates.json");
        if fs::metadata(&estimates).ok()?.modified().ok()? < start {
            return None;
        }
        let estimates: serde_json::Value =
            serde_json::from_slice(&fs::read(estimates).ok()?).ok()?;
        let parameter = dir.file_name()?.to_str()?.to_owned();
        // What Criterion prints: the slope, or the mean where it did not fit one.
        let of = |statistic| estimates[statistic]["point_estimate"].as_f64();
        Some((parameter, of("slope").or_else(|| of("mean"))?))
    };
    entries.filter_map(|entry| time(entry.ok()?.path())).collect()
}

fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        ns if ns < 1e3 => format!("{ns:.0} ns"),
        ns if ns < 1e6 => format!("{:.2} µs", ns / 1e3),
        ns if ns < 1e9 => format!("{:.2} ms", ns / 1e6),
        ns => format!("{:.2} s", ns / 1e9),
    }
}
