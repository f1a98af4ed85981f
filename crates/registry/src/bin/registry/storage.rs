//! The store that the settings name.

use std::sync::Arc;

use drivers::Location;
use inmemory::InMemory;
use registry::{Memory, Metrics};
use storage_driver::StorageDriver;

use crate::failure::Failure;

/// Opens the store, and has `metrics` tell of its memory, if that is where it is.
pub(crate) async fn open(
    location: &Location,
    metrics: Option<&Metrics>,
) -> Result<Arc<dyn StorageDriver>, Failure> {
    if let Location::InMemory { capacity } = location {
        let builder = InMemory::builder();
        let store = match capacity {
            Some(capacity) => builder.capacity(*capacity).build(),
            None => builder.build(),
        };
        if let Some(metrics) = metrics {
            let (store, capacity) = (store.clone(), *capacity);
            metrics.memory(move || Some(Memory { used: store.usage().held(), capacity }));
        }
        return Ok(Arc::new(store));
    }
    let opened = location.open().await;
    opened.map_err(|source| Failure::Storage { location: location.clone(), source })
}
