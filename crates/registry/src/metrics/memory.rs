//! [`Memory`]: the memory of a store and of the process, read at every scrape.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::gauge::ConstGauge,
    registry::Unit,
};

/// The memory that a store uses, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// How much it uses.
    pub used: u64,
    /// The most that it may use, if that is bounded.
    pub capacity: Option<u64>,
}

type Source = Arc<dyn Fn() -> Option<Memory> + Send + Sync>;

/// Gauges whose values are read when they are encoded.
#[derive(Default)]
pub(super) struct MemoryGauges(Mutex<Option<Source>>);

impl MemoryGauges {
    pub(super) fn set(&self, source: Source) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(source);
    }

    fn store(&self) -> Option<Memory> {
        // The lock is not held while the source is called: it may set another source.
        let source = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        source.and_then(|source| source())
    }
}

impl Collector for MemoryGauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let memory = self.store();
        for (name, help, value) in [
            ("process_resident_memory", "Resident memory of the process", resident()),
            (
                "registry_memory_used",
                "Memory that the store holds",
                memory.map(|memory| memory.used),
            ),
            (
                "registry_memory_capacity",
                "The most memory that the store may hold",
                memory.and_then(|memory| memory.capacity),
            ),
        ] {
            let Some(value) = value else { continue };
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            let kind = gauge.metric_type();
            let encoder = encoder.encode_descriptor(name, help, Some(&Unit::Bytes), kind)?;
            gauge.encode(encoder)?;
        }
        Ok(())
    }
}

impl fmt::Debug for MemoryGauges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryGauges").finish_non_exhaustive()
    }
}

/// The resident memory of this process in bytes. Linux only.
fn resident() -> Option<u64> {
    // Not `statm`, which counts pages: their size would take another call.
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    resident_in(&status)
}

fn resident_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn the_source_is_asked_at_every_encoding() {
        let metrics = Metrics::new();
        let used = Arc::new(Mutex::new(5));
        let source = Arc::clone(&used);
        metrics.memory(move || {
            Some(Memory { used: *source.lock().unwrap(), capacity: Some(1 << 30) })
        });
        assert!(metrics.encode().contains("registry_memory_used_bytes 5\n"));
        *used.lock().unwrap() = 7;
        let text = metrics.encode();
        assert!(text.contains("registry_memory_used_bytes 7\n"), "{text}");
        assert!(text.contains("registry_memory_capacity_bytes 1073741824\n"), "{text}");
    }

    #[test]
    fn a_store_without_a_bound_has_no_capacity() {
        let metrics = Metrics::new();
        metrics.memory(|| Some(Memory { used: 1, capacity: None }));
        assert!(!metrics.encode().contains("registry_memory_capacity"));
    }

    #[test]
    fn a_store_that_is_not_in_memory_has_no_gauge() {
        let metrics = Metrics::new();
        metrics.memory(|| None);
        assert!(!metrics.encode().contains("registry_memory"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_resident_memory_of_the_process_is_reported() {
        let text = Metrics::new().encode();
        assert!(text.contains("\nprocess_resident_memory_bytes "), "{text}");
    }

    #[test]
    fn resident_memory_is_read_in_kibibytes() {
        let status = "Name:\tregistry\nVmRSS:\t    1234 kB\nThreads:\t1\n";
        assert_eq!(resident_in(status), Some(1234 * 1024));
    }

    #[test]
    fn a_status_without_resident_memory_has_none() {
        assert_eq!(resident_in("Name:\tkthreadd\nVmRSS:\t kB\n"), None);
    }
}
