//! Storing a whole file: from a payload, or from another file.

use std::sync::Arc;

use storage_driver::{Metadata, Path, Payload, Precondition, Result};

use crate::{Filesystem, store::SMALL, upload::uploads::Uploads};

/// Content of at most this size, 64 KiB, is written in microseconds if no disk is waited for.
const BRIEF: u64 = 64 << 10;

impl Filesystem {
    pub(super) async fn put(
        &self,
        path: &Path,
        content: Payload,
        precondition: Precondition,
    ) -> Result<Metadata> {
        let at = path.clone();
        let size = content.len() as u64;
        if size <= SMALL {
            // One task on one thread, if on any.
            let held = self.store().locks.paths(None, &[path]).await;
            let put = move |uploads: &Arc<Uploads>| {
                let staged = uploads.store.stage_content(&content, &at)?;
                uploads.store.publish_staged(staged, &at, &precondition)
            };
            return match size <= BRIEF {
                true => self.change_briefly(&[path], held, put).await,
                false => self.change(&[path], held, put).await,
            };
        }
        let dest = path.clone();
        let stage = move |uploads: &Arc<Uploads>| uploads.store.stage_content(&content, &dest);
        let staged = self.prepare(path, stage).await?;
        let held = self.store().locks.paths(None, &[path]).await;
        let put =
            move |uploads: &Arc<Uploads>| uploads.store.publish_staged(staged, &at, &precondition);
        self.change(&[path], held, put).await
    }

    pub(super) async fn copy_file(
        &self,
        from: &Path,
        to: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        self.store().work.wait_abandoned(from).await;
        let (source, target) = (from.clone(), to.clone());
        let stage = move |uploads: &Arc<Uploads>| uploads.store.stage_copy(&source, &target);
        let staged = self.prepare(from, stage).await?;
        let held = self.store().locks.paths(None, &[to]).await;
        let target = to.clone();
        let copy = move |uploads: &Arc<Uploads>| {
            uploads
                .store
                .publish_staged(staged, &target, &precondition)
                .map_err(|error| error.at(&target))
        };
        self.change(&[to], held, copy).await
    }
}
