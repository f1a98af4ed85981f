//! Layers over a driver that add await points, delays and faults.
//!
//! They are drivers themselves, over any other driver, so that users of a driver, such as a registry, can be tested
//! with them too.

mod delayed;
mod faulty;
mod watched;
mod yielding;

use storage_driver::{Metadata, Path, Precondition, Result, Writer};

pub(crate) use watched::Watched;
pub use {
    delayed::Delayed,
    faulty::{Call, Fault, Faulty},
    yielding::Yielding,
};

/// Commits the writer inside by the method that the caller used.
async fn commit(inner: Writer, dest: &Path, precondition: Precondition) -> Result<Metadata> {
    if dest == inner.path() && precondition.is_none() {
        inner.commit().await
    } else {
        inner.commit_to(dest, precondition).await
    }
}
