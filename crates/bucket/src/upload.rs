//! [`Upload`]: one opening of an upload, and what it does to its journal.

mod commit;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use storage_driver::{Error, ErrorKind, Path, Result};

use crate::{
    backend::Backend,
    budget::{Budget, Held, MIN_PART, Turn},
    buffer::Buffer,
    extents::{ExtentWriter, Part},
    journal::{self, Journal, MAX_TAIL},
    objects::{Decision, Expect, Tag},
    owner::Holder,
    recent::Left,
    record::Extent,
    uploads::{End, journal_extents},
};

/// Extents below this size are small.
const SMALL_EXTENT: u64 = 2 << 20;
/// So many small extents are joined.
const JOINED: usize = 8;

/// One opening of an upload.
#[derive(Debug)]
pub(crate) struct Upload {
    backend: Arc<Backend>,
    path: Path,
    /// The state that is kept.
    journal: Journal,
    /// That of the journal's object. Whoever opens the upload after us changes it.
    tag: Tag,
    /// The state before this opening was found as this process had left it.
    again: bool,
    extents: ExtentWriter,
    /// What is behind the extents. It begins with the tail of the journal.
    buffer: Buffer,
    held: Held,
    /// To fill a part while memory is short.
    turn: Turn,
    /// Whether it has waited for memory in vain since it accepted or sent data last.
    starved: bool,
    note: Bytes,
    modified: u64,
}

/// What has to be done before more data is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pressure {
    None,
    /// Send so many bytes as a part.
    Send(usize),
    /// Wait until parts in flight are stored.
    Wait,
    /// Send what there is, however small.
    Spill,
}

impl Upload {
    /// The upload whose journal has been swapped to this state.
    pub(crate) fn new(backend: &Arc<Backend>, path: &Path, opened: Left) -> Self {
        let Left { journal, tag, again } = opened;
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
            again,
            extents,
            buffer,
            held,
            turn: backend.budget.writer(),
            starved: false,
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
        self.count(data.len());
        self.buffer.push(data);
    }

    pub(crate) fn accept_copy(&mut self, data: &[u8]) {
        self.count(data.len());
        self.buffer.copy(data);
    }

    /// Counts accepted data.
    fn count(&mut self, length: usize) {
        self.held.add(length as u64);
        self.starved = false;
        if length > 0 {
            self.modified = self.backend.now();
        }
    }

    /// What has to be done before more data is accepted. While memory is short, this takes a turn.
    pub(crate) fn pressure(&self) -> Pressure {
        let (length, part) = (self.buffer.len(), self.extents.next_part());
        if length >= part {
            return Pressure::Send(part);
        }
        let budget = &self.backend.budget;
        if length as u64 <= Budget::FREE || !budget.is_short() {
            return Pressure::None;
        }
        let has_turn = self.turn.take(part);
        if !has_turn && !self.starved {
            Pressure::Wait
        } else if !budget.is_exhausted() {
            Pressure::None
        } else if budget.is_moving() {
            Pressure::Wait
        } else if length as u64 >= MIN_PART {
            Pressure::Send(length)
        } else {
            Pressure::Spill
        }
    }

    /// Waits until memory is released, or so long.
    pub(crate) async fn wait(&mut self, most: Duration) -> Result<()> {
        let budget = Arc::clone(&self.backend.budget);
        let released = budget.released.notified();
        // It may have been released before this is told of it.
        if self.pressure() == Pressure::Wait {
            self.starved = tokio::time::timeout(most, released).await.is_err();
        }
        Ok(())
    }

    /// Takes so much of what is held to send it, and lets others have the memory that is left.
    fn launch(&mut self, length: usize) -> Held {
        self.turn.end();
        self.starved = false;
        self.held.launch(length as u64)
    }

    /// Sends the first `length` bytes of the buffer as a part.
    pub(crate) async fn send(&mut self, length: usize) -> Result<()> {
        // Others wait for this part from now on, although the server has to be asked for a place first.
        let held = self.launch(length);
        if let Err(error) = self.extents.begin().await {
            self.held.land(held);
            return Err(error);
        }
        self.extents.send(Part { payload: self.buffer.take(length), held: Some(held) })
    }

    /// Completes the extent of this opening, with all that is in the buffer.
    pub(crate) async fn spill(&mut self) -> Result<()> {
        loop {
            let part = self.extents.next_part();
            if self.buffer.len() <= part {
                break;
            }
            self.send(part).await?;
        }
        let length = self.buffer.len();
        let held = self.launch(length);
        if self.extents.is_open() {
            let payload = (length > 0).then(|| self.buffer.take(length));
            let rest = payload.map(|payload| Part { payload, held: Some(held) });
            return self.extents.finish(rest).await;
        }
        if length > 0 {
            let payload = self.buffer.take(length);
            if let Err(error) = self.extents.put(payload.clone()).await {
                self.buffer.restore(payload);
                self.held.land(held);
                return Err(error);
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
        let (journal, tag) = (self.journal.clone(), self.tag.clone());
        self.backend.recent.keep(&self.path, Left { journal, tag, again: self.again });
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
        self.backend.recent.forget(&self.path);
        self.extents.abort().await;
        self.backend.hint(&journal_extents(&self.gathered())).await?;
        match self.backend.end_journal(&self.path, self.tag.clone(), self.journal.fenced).await? {
            End::Done => Ok(()),
            End::Defeated | End::Doubt => Err(ErrorKind::WriterFenced.into()),
        }
    }
}
