//! A storage driver on a file system.

#![cfg(target_os = "linux")]

mod buffers;
mod builder;
mod clock;
mod driver;
mod durability;
mod error;
mod list;
mod locks;
mod names;
mod reader;
mod record;
mod recovery;
mod store;
mod sys;
#[cfg(test)]
mod tests;
mod trash;
mod upload;
mod walk;
mod work;
mod write;

use std::{fmt, path::PathBuf, sync::Arc};

use storage_driver::Result;

use crate::store::Store;
pub use crate::{
    builder::Builder,
    durability::{Durability, ParseDurabilityError},
};

/// A storage driver on a directory of a file system: see the [crate].
#[derive(Clone)]
pub struct Filesystem {
    store: Arc<Store>,
}

impl Filesystem {
    /// Opens a directory with the defaults of [`Builder`].
    ///
    /// # Errors
    ///
    /// As [`Builder::open`].
    pub async fn open(root: impl Into<PathBuf>) -> Result<Self> {
        Self::builder().open(root).await
    }

    /// Opens a directory otherwise.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

impl fmt::Debug for Filesystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filesystem")
            .field("root", &self.store.location)
            .field("durability", &self.store.settings.durability)
            .finish_non_exhaustive()
    }
}
