//! The store that the settings name.

use std::sync::Arc;

use drivers::Location;
use storage_driver::StorageDriver;

use crate::failure::Failure;

/// Opens the store.
pub(crate) async fn open(location: &Location) -> Result<Arc<dyn StorageDriver>, Failure> {
    let opened = location.open().await;
    opened.map_err(|source| Failure::Storage { location: location.clone(), source })
}
