//! Whole content that is put at a path.

use std::iter::once;

use storage_driver::{Metadata, Path, Payload, Precondition, Result};

use crate::{
    deferred_drop::DeferredDrop,
    file::{File, SMALL, Stamp},
    reclaimer::Reclaimer,
    segment_builder::SegmentBuilder,
    store::Store,
    work::{YIELD_EVERY, yield_now},
};

impl Store {
    /// # Errors
    ///
    /// In this order: `PathConflict`, `PreconditionFailed`, `StorageFull`.
    pub(crate) async fn put(
        &self,
        path: &Path,
        content: Payload,
        precondition: &Precondition,
    ) -> Result<(Metadata, DeferredDrop)> {
        if content.len() <= SMALL {
            return self.put_small(path, &content, precondition).await;
        }
        self.require_open()?;
        self.make_room(content.len());
        let content = self.copy_in(content).await;
        let mut filled = match content {
            Ok(filled) => filled,
            // A conflict and a failed precondition are reported before a full store.
            Err(full) => {
                self.view(|state| state.place(path, &[precondition]).map(drop))?;
                return Err(full);
            }
        };
        let mut state = self.write().await?;
        let place = state.place(path, &[precondition])?;
        let file = self.file_of(place.text(), &mut filled.builder)?;
        let (metadata, replaced) = state.publish(place, file);
        drop(state);
        Ok((metadata, replaced.into()))
    }

    /// Makes segments of the content, and yields to other tasks in between.
    async fn copy_in(&self, content: Payload) -> Result<Filling<'_>> {
        let builder = self.segment_builder(Some(content.len() as u64));
        let mut filling = Filling { builder, reclaimer: self.reclaimer() };
        let mut until_yield = YIELD_EVERY;
        for part in content {
            let copied = filling.builder.adopt(part, false)?.unwrap_or_default();
            // To adopt a buffer costs about as much as to copy a KiB.
            for piece in once(&copied[..0]).chain(copied.chunks(YIELD_EVERY)) {
                if until_yield == 0 {
                    yield_now().await;
                    until_yield = YIELD_EVERY;
                }
                filling.builder.pack(piece)?;
                until_yield = until_yield.saturating_sub(piece.len().max(1 << 10));
            }
        }
        filling.builder.seal_tail();
        Ok(filling)
    }

    async fn put_small(
        &self,
        path: &Path,
        content: &Payload,
        precondition: &Precondition,
    ) -> Result<(Metadata, DeferredDrop)> {
        // The file is made before the lock is taken to change something: its memory may have to come from the
        // system.
        let (mut place, changes) =
            self.view(|state| Ok((state.place(path, &[precondition])?, state.tree().changes())))?;
        let text = place.text();
        let mut file = File::small(self.budget(), text, content, Stamp::NONE)?;
        let mut state = self.write().await?;
        if state.tree().changes() != changes {
            place = state.place(path, &[precondition])?;
            if place.text() != text {
                file = file.moved(self.budget(), place.text(), None)?;
            }
        }
        let (metadata, replaced) = state.publish(place, file.stamped(self.stamp()));
        drop(state);
        Ok((metadata, replaced.into()))
    }
}

/// Content that is being made into segments. They go to the reclaimer if this is dropped.
struct Filling<'a> {
    builder: SegmentBuilder,
    reclaimer: &'a Reclaimer,
}

impl Drop for Filling<'_> {
    fn drop(&mut self) {
        let mut deferred = DeferredDrop::default();
        deferred.add_builder(&mut self.builder);
        self.reclaimer.add(deferred);
    }
}
