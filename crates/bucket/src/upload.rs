//! [`Upload`]: one opening of an upload, and what it does to its journal.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use storage_driver::{Error, ErrorKind, Metadata, Path, Precondition, Result};

use crate::{
    backend::Backend,
    budget::{Budget, Held},
    buffer::Buffer,
    extents::{ExtentWriter, MIN_PART, PART, Part},
    journal::{self, Commit, Journal, MAX_TAIL},
    namespace::Guard,
    objects::{Decision, Expect, Tag},
    owner::{self, Holder},
    record::{Body, Extent, MAX_INLINE, Origin, Record},
    time::Since,
    uploads::{End, journal_extents},
};

/// Extents below this size are small.
const SMALL_EXTENT: u64 = 2 << 20;
/// So many small extents are joined.
const JOINED: usize = 8;
/// Content of up to this many bytes is kept before a commit as well, because it costs nothing.
const KEPT_AT_COMMIT: usize = 64 << 10;

/// One opening of an upload.
#[derive(Debug)]
pub(crate) struct Upload {
    backend: Arc<Backend>,
    path: Path,
    /// The state that is kept.
    journal: Journal,
    /// That of the journal's object. Whoever opens the upload after us changes it.
    tag: Tag,
    extents: ExtentWriter,
    /// What is behind the extents. It begins with the tail of the journal.
    buffer: Buffer,
    held: Held,
    note: Bytes,
    modified: u64,
}

/// What has to be done before more data is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pressure {
    None,
    /// Send so many bytes as a part.
    Send(usize),
    /// Wait until other writers have sent theirs.
    Wait,
    /// Send what there is, however small.
    Spill,
}

impl Upload {
    pub(crate) fn new(backend: &Arc<Backend>, path: &Path, journal: Journal, tag: Tag) -> Self {
        let (id, owner) = (journal.id.clone(), journal.owner.clone());
        let extents = ExtentWriter::new(backend, id, Holder::upload(path), owner);
        let mut buffer = Buffer::default();
        let mut held = Held::new(&backend.budget);
        held.add(journal.tail.len() as u64);
        buffer.push(journal.tail.clone());
        Self {
            backend: Arc::clone(backend),
            path: path.clone(),
            tag,
            extents,
            buffer,
            held,
            note: journal.note.clone(),
            modified: journal.modified,
            journal,
        }
    }

    pub(crate) fn backend(&self) -> &Arc<Backend> {
        &self.backend
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes that were accepted.
    pub(crate) fn size(&self) -> u64 {
        let kept: u64 = self.journal.extents.iter().map(|extent| extent.length).sum();
        kept + self.extents.len() + self.buffer.len() as u64
    }

    pub(crate) fn note(&self) -> &Bytes {
        &self.note
    }

    pub(crate) fn set_note(&mut self, note: Bytes) {
        self.note = note;
    }

    pub(crate) fn accept(&mut self, data: Bytes) {
        self.held.add(data.len() as u64);
        self.date(data.len());
        self.buffer.push(data);
    }

    pub(crate) fn accept_copy(&mut self, data: &[u8]) {
        self.held.add(data.len() as u64);
        self.date(data.len());
        self.buffer.copy(data);
    }

    fn date(&mut self, length: usize) {
        if length > 0 {
            self.modified = self.backend.now();
        }
    }

    /// What has to be done before more data is accepted.
    pub(crate) fn pressure(&self) -> Pressure {
        let length = self.buffer.len();
        if length >= PART {
            return Pressure::Send(PART);
        }
        let budget = &self.backend.budget;
        if !budget.is_exhausted() || length as u64 <= Budget::FREE {
            Pressure::None
        } else if length >= MIN_PART {
            Pressure::Send(length)
        } else if budget.is_moving() {
            Pressure::Wait
        } else {
            Pressure::Spill
        }
    }

    /// Sends the first `length` bytes of the buffer as a part.
    pub(crate) async fn send(&mut self, length: usize) -> Result<()> {
        self.extents.begin().await?;
        let held = Some(self.held.launch(length as u64));
        self.extents.send(Part { payload: self.buffer.take(length), held })
    }

    /// Completes the extent of this opening, with all that is in the buffer.
    pub(crate) async fn spill(&mut self) -> Result<()> {
        while self.buffer.len() > PART {
            self.send(PART).await?;
        }
        let length = self.buffer.len();
        if self.extents.is_open() {
            let held = Some(self.held.launch(length as u64));
            let rest = (length > 0).then(|| Part { payload: self.buffer.take(length), held });
            return self.extents.finish(rest).await;
        }
        if length > 0 {
            let payload = self.buffer.take(length);
            match self.extents.put(payload.clone()).await {
                Ok(()) => drop(self.held.launch(length as u64)),
                Err(error) => {
                    self.buffer.restore(payload);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Keeps all that was accepted, and the note.
    pub(crate) async fn keep(&mut self) -> Result<()> {
        self.backend.tasks.check_open()?;
        if (self.extents.is_open() || self.buffer.len() > MAX_TAIL)
            && let Err(error) = self.spill().await
        {
            return Err(self.fenced_or(error).await);
        }
        let mut journal = self.gathered();
        journal.set_tail(self.buffer.joined());
        journal.note = self.note.clone();
        journal.modified = self.modified;
        let parts = self.join_extents(&mut journal).await;
        self.swap(journal).await?;
        // Nothing names them any more, and no reader has seen them.
        for part in parts {
            if let Err(error) = self.backend.objects.delete_final(&part.key()).await {
                tracing::debug!(%error, "an extent that was joined was not removed");
            }
        }
        Ok(())
    }

    /// The error of data that was not stored. If another writer was opened, the sweeper may have removed what it
    /// belonged to.
    async fn fenced_or(&self, error: Error) -> Error {
        match self.backend.objects.look(&journal::key(&self.path)).await {
            Ok(found) if found.as_ref().is_none_or(|found| found.tag != self.tag) => {
                ErrorKind::WriterFenced.into()
            }
            _ => error,
        }
    }

    /// Joins the last extents if they are many and small, so that the file is cheap to read. Returns those that the
    /// journal names no more. If it fails, nothing is joined.
    async fn join_extents(&mut self, journal: &mut Journal) -> Vec<Extent> {
        let is_small = |extent: &&Extent| extent.id == journal.id && extent.length < SMALL_EXTENT;
        let count = journal.extents.iter().rev().take_while(is_small).count();
        if count < JOINED {
            return Vec::new();
        }
        let first = journal.extents.len() - count;
        match self.extents.join(&journal.extents[first..]).await {
            Ok(Some(joined)) => {
                let parts = journal.extents.split_off(first);
                journal.extents.push(joined);
                parts
            }
            Ok(None) => Vec::new(),
            Err(error) => {
                tracing::debug!(%error, path = %self.path, "extents were not joined");
                Vec::new()
            }
        }
    }

    /// The journal with the extents that are complete by now.
    fn gathered(&self) -> Journal {
        let mut journal = self.journal.clone();
        journal.extents.extend(self.extents.done.iter().cloned());
        journal.owner = self.extents.owner.clone();
        journal
    }

    async fn swap(&mut self, journal: Journal) -> Result<()> {
        let key = journal::key(&self.path);
        let expect = Expect::Tag(self.tag.clone());
        match self.backend.objects.decide(&key, &journal.seal(), &expect).await? {
            Decision::Won(tag) => {
                self.tag = tag;
                // All that were complete are in the journal by now.
                self.extents.done.clear();
                self.journal = journal;
                Ok(())
            }
            Decision::Lost(_) => Err(ErrorKind::WriterFenced.into()),
        }
    }

    /// Removes the upload.
    pub(crate) async fn cancel(mut self) -> Result<()> {
        self.backend.tasks.check_open()?;
        self.extents.abort().await;
        self.backend.hint(&journal_extents(&self.gathered())).await?;
        match self.backend.end_journal(&self.path, self.tag.clone(), self.journal.fenced).await? {
            End::Done => Ok(()),
            End::Defeated | End::Doubt => Err(ErrorKind::WriterFenced.into()),
        }
    }

    /// Publishes the upload at `dest`.
    pub(crate) async fn commit(mut self, dest: Path, condition: Precondition) -> Result<Metadata> {
        self.backend.tasks.check_open()?;
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
