//! Renames, copies and touches of a file.

use storage_driver::{Metadata, Path, Precondition, Result};

use crate::{deferred_drop::DeferredDrop, store::Store};

impl Store {
    /// # Errors
    ///
    /// In this order: `PathNotFound`, `IsADirectory`, `PathConflict`, `PreconditionFailed`, `StorageFull`.
    pub(crate) async fn rename(
        &self,
        from: &Path,
        to: &Path,
        precondition: &Precondition,
    ) -> Result<(Metadata, DeferredDrop)> {
        let mut state = self.write().await?;
        let file = state.tree().file(from)?;
        let place = state.place(to, &[precondition])?;
        if from == to {
            return Ok((file.metadata(to), DeferredDrop::default()));
        }
        let file = file.moved(self.budget(), place.text(), None)?;
        let (metadata, replaced) = state.publish(place, file);
        let moved = state.remove(from);
        drop(state);
        let mut deferred = DeferredDrop::from(replaced);
        deferred.add(moved);
        Ok((metadata, deferred))
    }

    /// # Errors
    ///
    /// As [`rename`](Self::rename).
    pub(crate) async fn copy(
        &self,
        from: &Path,
        to: &Path,
        precondition: &Precondition,
    ) -> Result<(Metadata, DeferredDrop)> {
        let mut state = self.write().await?;
        let file = state.tree().file(from)?;
        let place = state.place(to, &[precondition])?;
        if from == to {
            return Ok((file.metadata(to), DeferredDrop::default()));
        }
        let file = file.copied(self.budget(), place.text(), Some(self.stamp()))?;
        let (metadata, replaced) = state.publish(place, file);
        drop(state);
        Ok((metadata, replaced.into()))
    }

    /// # Errors
    ///
    /// In this order: `Unsupported`, `PathNotFound`, `IsADirectory`, `PreconditionFailed`, `StorageFull`.
    pub(crate) async fn touch(&self, path: &Path, precondition: &Precondition) -> Result<Metadata> {
        precondition.require_existing()?;
        let mut state = self.write().await?;
        let file = state.tree().file(path)?;
        let place = state.place(path, &[precondition])?;
        let file = file.moved(self.budget(), place.text(), Some(self.stamp()))?;
        let (metadata, replaced) = state.publish(place, file);
        drop(state);
        // The new file shares the content of the old one, or has copied it: at most 4 KiB.
        drop(replaced);
        Ok(metadata)
    }
}
