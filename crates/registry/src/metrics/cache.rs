//! [`CacheMetrics`]: how a cache is used.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

/// What is looked up in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CacheLookup {
    /// The content of a manifest.
    Manifest,
    /// Whether a file is there.
    File,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Lookup {
    of: &'static str,
    outcome: &'static str,
}

/// A clone is the same metrics.
#[derive(Debug, Clone, Default)]
pub(crate) struct CacheMetrics {
    lookups: Family<Lookup, Counter>,
    used: Gauge,
    capacity: Gauge,
}

impl CacheMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let this = Self::default();
        let registry = registry.sub_registry_with_prefix("cache");
        registry.register("lookups", "Lookups in the cache", this.lookups.clone());
        let help = "Memory that the cache holds";
        registry.register_with_unit("used", help, Unit::Bytes, this.used.clone());
        let help = "The most memory that the cache may hold";
        registry.register_with_unit("capacity", help, Unit::Bytes, this.capacity.clone());
        this
    }

    pub(crate) fn count(&self, of: CacheLookup, is_hit: bool) {
        let of = match of {
            CacheLookup::Manifest => "manifest",
            CacheLookup::File => "file",
        };
        let outcome = if is_hit { "hit" } else { "miss" };
        self.lookups.get_or_create(&Lookup { of, outcome }).inc();
    }

    pub(crate) fn set_used(&self, bytes: u64) {
        self.used.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    pub(crate) fn set_capacity(&self, bytes: u64) {
        self.capacity.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}
