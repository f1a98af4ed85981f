//! Uploads that are looked at, and one that is cancelled.

use storage_driver::{ErrorKind, ListOptions, Page, Path, Result, UploadInfo};

use crate::{
    deferred_drop::DeferredDrop,
    reclaimer::ReclaimGuard,
    store::Store,
    uploads::RemovedUploads,
    work::{ENTRIES, collect},
};

impl Store {
    /// The uploads at and below a path, without their notes.
    pub(crate) async fn uploads(
        &self,
        path: &Path,
        options: &ListOptions,
    ) -> Result<Page<UploadInfo>> {
        let mut deferred = DeferredDrop::default();
        let (first, below) = self.view(|state| {
            deferred.add_table(state.uploads().clone());
            let mut below = state.uploads().below(path, options.start_after.as_ref());
            // A page is of one moment, as far as one poll may list it.
            let first = below.by_ref().take(options.limit.min(ENTRIES));
            Ok((first.map(|upload| upload.info()).collect(), below))
        })?;
        let table = ReclaimGuard { deferred, reclaimer: self.reclaimer() };
        let rest = below.map(|upload| upload.info());
        let page = collect(path, options, first, rest).await;
        table.reclaim().await;
        Ok(page)
    }

    /// The upload at a path, with the note that belongs to its data. It waits while a session copies what one
    /// write brought.
    pub(crate) fn upload(&self, path: &Path) -> Result<Option<UploadInfo>> {
        self.with_upload(path, |upload, slot| upload.info().with_note(slot.note.to_bytes()))
    }

    /// # Errors
    ///
    /// `PathNotFound`.
    pub(crate) async fn cancel_upload(&self, path: &Path) -> Result<DeferredDrop> {
        let mut state = self.write().await?;
        let upload = state.remove_upload_at(path).ok_or(ErrorKind::PathNotFound)?;
        drop(state);
        let mut deferred = DeferredDrop::default();
        deferred.add_cancelled(RemovedUploads::One(upload));
        Ok(deferred)
    }
}
