//! Opens the driver of the settings.

use std::sync::Arc;

use storage_driver::StorageDriver;
use storage_driver_registry::{Memory, Metrics};
use storage_driver_url::Location;

use crate::failure::Failure;

/// Opens a driver, for reading only if `read_only`. `metrics` show the memory of a store in memory.
pub(crate) async fn open(
    location: &Location,
    read_only: bool,
    metrics: Option<&Metrics>,
) -> Result<Arc<dyn StorageDriver>, Failure> {
    if let Some(store) = location.open_in_memory() {
        if let Some(metrics) = metrics {
            let (store, capacity) = (store.clone(), store.capacity());
            metrics.memory(move || Some(Memory { used: store.usage().held(), capacity }));
        }
        return Ok(Arc::new(store));
    }
    let opened = match location {
        Location::File { root, durability, .. } if read_only => {
            let (root, durability) = (root.clone(), *durability);
            Location::File { root, durability, read_only }.open().await
        }
        Location::Bucket(bucket) if read_only => {
            Location::Bucket(bucket.clone().read_only(true)).open().await
        }
        location => location.open().await,
    };
    opened.map_err(|source| Failure::storage(location, source))
}
