//! Opening, writing and dropping: what is known of the open writers.

use bytes::Bytes;
use storage_driver::{
    ErrorKind, Path, Precondition, Result as Outcome, StorageDriverExt, UploadInfo, Writer,
};

use super::{Pair, WRITERS};
use crate::{
    check::path,
    model::{
        compare::Difference,
        op::{Interference, Mode, Op},
        side::{Output, Step},
    },
};

/// What is known of an open writer.
#[derive(Debug, Clone)]
pub(super) struct Opening {
    at: Path,
    /// The number of bytes that are certainly kept; `None` if the upload may not be kept at all.
    kept: Option<u64>,
    size: u64,
    /// The note that is certainly kept, and then the notes that were set after it.
    notes: Vec<Bytes>,
    fenced: bool,
}

impl Opening {
    pub(super) fn is_unsure(&self) -> bool {
        !self.fenced && (self.kept != Some(self.size) || self.notes.len() > 1)
    }
}

impl Pair {
    /// Drops the writers that opening another would disturb.
    pub(super) async fn make_room(
        &mut self,
        slot: usize,
        at: &Path,
        mode: Mode,
        interference: bool,
    ) -> Result<(), Difference> {
        self.end_writer(slot, &Op::DropWriter { writer: slot }, None).await?;
        let keeps = self.subject.driver.capabilities().keeps_on_drop;
        for other in 0..WRITERS {
            let Some(opening) = self.openings[other].clone().filter(|it| it.at == *at) else {
                continue;
            };
            if interference {
                // It will be unknown whether it is fenced.
                self.end_writer(other, &Op::DropWriter { writer: other }, None).await?;
            } else if !keeps && opening.is_unsure() && matches!(mode, Mode::Resume(_)) {
                self.settle(&opening).await?;
            }
        }
        Ok(())
    }

    /// Ends a writer by a drop, or by a `suspend` with an unknown outcome.
    pub(super) async fn end_writer(
        &mut self,
        slot: usize,
        op: &Op,
        interference: Option<Interference>,
    ) -> Result<(), Difference> {
        let step = self.fill_in(op).await;
        self.model.writers[slot] = None;
        drop(self.perform(&step, Precondition::None, interference).await);
        self.subject.writers[slot] = None;
        let Some(opening) = self.openings[slot].take() else { return Ok(()) };
        let keeps = self.subject.driver.capabilities().keeps_on_drop;
        if !keeps && opening.is_unsure() { self.settle(&opening).await } else { Ok(()) }
    }

    /// Finds out how much of an upload was kept, and truncates the model to it.
    pub(super) async fn settle(&mut self, opening: &Opening) -> Result<(), Difference> {
        let at = &opening.at;
        let all = self.model.driver.resume(at).await.map(|writer| writer.size());
        let all = all.map_err(|error| format!("the model lost an upload: {error:?}"))?;
        match self.subject.driver.resume(at).await {
            Ok(writer) => {
                let (size, kept) = (writer.size(), opening.kept.unwrap_or_default());
                if size < kept || size > all {
                    return Err(format!("{size} bytes of {at} were kept, of {kept} to {all}"));
                }
                if !opening.notes.contains(writer.note()) {
                    return Err(format!("the note of {at} was never set: {:?}", writer.note()));
                }
                self.reference.truncate_upload(at, size, writer.note().clone());
            }
            Err(error) if error.is_not_found() && opening.kept.is_none() => {
                let cancelled = self.model.driver.cancel_upload(at).await;
                cancelled.map_err(|error| format!("the model lost an upload: {error:?}"))?;
            }
            Err(error) => return Err(format!("the upload at {at} was not kept: {error:?}")),
        }
        self.fence(at);
        Ok(())
    }

    pub(super) fn fence(&mut self, at: &Path) {
        let fenced = self.openings.iter_mut().flatten().filter(|opening| opening.at == *at);
        fenced.for_each(|opening| opening.fenced = true);
    }

    /// A write. The size of the writer tells whether a dropped write took effect.
    pub(super) async fn write(
        &mut self,
        slot: usize,
        step: &Step,
        interference: Option<Interference>,
    ) -> Result<(), Difference> {
        let length = step.data.len() as u64;
        let before = self.subject.writers[slot].as_ref().map(|writer| writer.size());
        let outcome = self.perform(step, Precondition::None, interference).await;
        let after = self.subject.writers[slot].as_ref().map(|writer| writer.size());
        if outcome.is_none() && after == before {
            return Ok(());
        }
        let expected = self.model.perform(step, Precondition::None).await;
        match &expected {
            // A fenced writer may accept data until the data reaches the backend.
            _ if self.openings[slot].as_ref().is_some_and(|opening| opening.fenced) => {
                match outcome {
                    Some(Err(error)) if error.kind() != ErrorKind::WriterFenced => Err(format!(
                        "it failed with {error:?}, and should fail because it is fenced"
                    )),
                    _ => Ok(()),
                }
            }
            _ => {
                if after != before.map(|before| before + length) {
                    return Err(format!(
                        "the size of the writer was {before:?}, is {after:?}, and {length} bytes \
                         were written"
                    ));
                }
                if let Some(opening) = &mut self.openings[slot] {
                    opening.size += length;
                }
                let Some(outcome) = outcome else { return Ok(()) };
                self.versions.compare(outcome, expected, |_| false)
            }
        }
    }

    /// Sets a note. It reaches the backend only when it is kept, so a fenced writer may accept one.
    pub(super) async fn set_note(&mut self, slot: usize, step: &Step) -> Result<(), Difference> {
        let set = self.subject.perform(step, Precondition::None).await;
        let expected = self.model.perform(step, Precondition::None).await;
        let Some(opening) = &mut self.openings[slot] else { return Ok(()) };
        match (set, expected) {
            (Err(error), _) if opening.fenced && error.kind() == ErrorKind::WriterFenced => Ok(()),
            (Ok(_), Err(_)) if opening.fenced => Ok(()),
            (Ok(_), Ok(_)) => {
                opening.notes.push(step.data.clone());
                let subject = self.subject.writers[slot].as_ref().map(Writer::note);
                if subject != Some(&step.data) {
                    return Err(format!("the writer's note is {subject:?}"));
                }
                Ok(())
            }
            (set, expected) => Err(format!("{set:?} and should be {expected:?}")),
        }
    }

    /// Updates what is known of the writers after `op`.
    pub(super) fn remember(&mut self, op: &Op, expected: &Outcome<Output>) {
        match (op, expected) {
            (Op::Writer { writer, at, mode }, Ok(Output::Size(size))) => {
                let at = path(at);
                self.fence(&at);
                let kept = matches!(mode, Mode::Resume(_)).then_some(*size);
                let note = self.model.writers[*writer].as_ref().map(Writer::note);
                let notes = vec![note.cloned().unwrap_or_default()];
                self.openings[*writer] =
                    Some(Opening { at, kept, size: *size, notes, fenced: false });
            }
            (Op::Sync { writer }, Ok(_)) => {
                if let Some(opening) = &mut self.openings[*writer] {
                    opening.kept = Some(opening.size);
                    opening.notes.drain(..opening.notes.len() - 1);
                }
            }
            (
                Op::Close { writer }
                | Op::Commit { writer }
                | Op::CommitTo { writer, .. }
                | Op::Cancel { writer },
                _,
            ) => self.openings[*writer] = None,
            (Op::CancelUpload { at } | Op::Delete { at, .. }, Ok(_)) => self.fence(&path(at)),
            (Op::CancelUploads { at, old: false } | Op::DeleteDir { at }, Ok(_)) => {
                self.fence_below(&path(at))
            }
            (Op::DeleteMany { paths }, Ok(_)) => {
                paths.iter().for_each(|at| self.fence(&path(at)));
            }
            _ => {}
        }
    }

    fn fence_below(&mut self, dir: &Path) {
        let below = self.openings.iter_mut().flatten().filter(|it| it.at.starts_with(dir));
        below.for_each(|opening| opening.fenced = true);
    }
}

pub(super) fn is_unsure(openings: &[Option<Opening>], upload: &UploadInfo) -> bool {
    openings.iter().flatten().any(|opening| opening.at == upload.path && opening.is_unsure())
}
