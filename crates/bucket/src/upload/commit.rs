//! The end of an upload: it is published.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use storage_driver::{Error, ErrorKind, Metadata, Path, Precondition, Result};

use super::Upload;
use crate::{
    backend::Backend,
    journal::{self, Commit, Journal},
    namespace::Guard,
    owner::{self, Holder},
    record::{Body, Extent, MAX_INLINE, Origin, Record},
    time::Since,
};

/// Content of up to this many bytes is kept before a commit as well, because it costs nothing.
const KEPT_AT_COMMIT: usize = 64 << 10;

impl Upload {
    /// Publishes the upload at `dest`.
    pub(crate) async fn commit(mut self, dest: Path, condition: Precondition) -> Result<Metadata> {
        self.backend.tasks.check_open()?;
        self.backend.recent.forget(&self.path);
        if let Err(error) = self.backend.check_length(&dest) {
            self.keep().await?;
            return Err(error);
        }
        let base = self.journal.base.as_deref().filter(|_| dest == self.path);
        let condition = match Backend::with_base(base, condition) {
            Ok(condition) => condition,
            Err(error) => {
                self.keep().await?;
                return Err(error);
            }
        };
        let (record, journal) = match self.prepare(&dest).await {
            Ok(prepared) => prepared,
            Err(error) => {
                // Perhaps it works now. What is kept already stays kept in any case.
                self.keep().await?;
                return Err(error);
            }
        };
        let since = Since::now();
        self.swap(journal).await?;
        let backend = Arc::clone(&self.backend);
        let mut guard = StillOurs { upload: &mut self, since };
        match backend.replace(&dest, &condition, record, &mut guard).await {
            Ok(metadata) => {
                let key = journal::key(&self.path);
                // The commit has taken effect. Whoever meets the journal sees that, and removes it.
                if let Err(error) =
                    backend.objects.remove(&key, &self.tag, self.journal.fenced).await
                {
                    tracing::debug!(%error, path = %self.path, "a journal was not removed");
                }
                Ok(metadata)
            }
            Err(error) => {
                if error.kind() == ErrorKind::PreconditionFailed {
                    // It has not taken effect, and no request is under way.
                    self.journal.commit = None;
                    self.keep().await?;
                } else if error.kind() != ErrorKind::WriterFenced
                    && let Err(error) = self.keep().await
                {
                    // If the commit took effect, its journal may be gone. That does not mean that it was fenced.
                    tracing::debug!(%error, path = %self.path, "an upload was not kept");
                }
                Err(error)
            }
        }
    }

    /// The record to publish at `dest`, and the journal that announces it.
    async fn prepare(&mut self, dest: &Path) -> Result<(Record, Journal)> {
        let now = self.backend.now();
        let small = self.journal.extents.is_empty() && self.extents.len() == 0;
        let commit = Commit::new(dest);
        let (body, mut journal) = if small && self.buffer.len() <= MAX_INLINE {
            let mut journal = self.journal.clone();
            if self.buffer.len() <= KEPT_AT_COMMIT {
                journal.set_tail(self.buffer.joined());
                (journal.note, journal.modified) = (self.note.clone(), self.modified);
            }
            (Body::Inline(self.buffer.joined()), journal)
        } else {
            self.spill().await?;
            let extents = self.gathered().extents;
            self.hold_for(dest, &extents).await?;
            let mut journal = self.gathered();
            journal.set_tail(Bytes::new());
            (journal.note, journal.modified) = (self.note.clone(), self.modified);
            (Body::Extents(extents), journal)
        };
        let mut record = Record::new(self.size(), now, body);
        let upload = self.path.as_str().to_owned();
        record.origin = Some(Origin { upload, commit: commit.nonce.clone() });
        journal.commit = Some(commit);
        Ok((record, journal))
    }

    /// Makes the destination a holder of the extents.
    async fn hold_for(&mut self, dest: &Path, extents: &[Extent]) -> Result<()> {
        let id = self.extents.id().to_owned();
        let (own, shared): (Vec<_>, Vec<_>) =
            extents.iter().cloned().partition(|extent| extent.id == id);
        if !own.is_empty() {
            // Unless a commit was tried before, the journal is the only holder.
            let known = self.extents.owner.clone().filter(|_| !self.journal.shared);
            let known = known.map(|tag| (tag, vec![self.extents.holder().clone()]));
            let objects = &self.backend.objects;
            let tag = owner::add(objects, &id, Holder::file(dest), known).await?;
            self.extents.owner = Some(tag);
            self.journal.shared = true;
        }
        self.backend.hold(&shared, &Holder::file(dest)).await
    }
}

/// Checks that no one has opened the upload since it was kept: before a commit is tried again, and after a pause.
struct StillOurs<'a> {
    upload: &'a mut Upload,
    since: Since,
}

#[async_trait]
impl Guard for StillOurs<'_> {
    async fn check(&mut self, is_read: bool) -> Result<()> {
        if !is_read && self.since.elapsed() < self.upload.backend.patience() {
            return Ok(());
        }
        let since = Since::now();
        let journal = self.upload.journal.clone();
        self.upload.swap(journal).await.map_err(|error| match error.kind() {
            ErrorKind::WriterFenced => error,
            _ => Error::new(ErrorKind::Unavailable).with_source(error),
        })?;
        self.since = since;
        Ok(())
    }
}
