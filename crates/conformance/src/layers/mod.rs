//! Layers over a driver that make its life harder: await points where it has none, delays, and faults.
//!
//! They are drivers themselves, over any other, so that what stands above a driver (a registry, say)
//! can be tested with them too.

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

/// Commits the writer inside, by the call that the caller of the layer made.
async fn commit(inner: Writer, dest: &Path, precondition: Precondition) -> Result<Metadata> {
    if dest == inner.path() && precondition.is_none() {
        inner.commit().await
    } else {
        inner.commit_to(dest, precondition).await
    }
}
