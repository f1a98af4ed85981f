//! [`Pair`]: subject and model, to which the same is done.

use std::sync::Arc;

use storage_driver::{
    Entry, ErrorKind, Path, Precondition, ReadRange, Result as Answered, Stat, StorageDriver,
    StorageDriverExt, Upload,
};

use super::{
    compare::{Difference, Versions, content},
    op::{Meddling, Mode, Offset, Op, READERS, Range, WRITERS, When},
    side::{Answer, Side, Step},
};
use crate::{
    Pattern,
    check::{LIMIT, path},
    drops::cut,
    layers::{Fault, Faulty, Yielding},
    reference::{Reference, State},
};

type Meddled = Faulty<Yielding<Arc<dyn StorageDriver>>>;

/// The two drivers that are compared.
pub(super) struct Pair {
    subject: Side,
    /// The layers around the subject, where it is meddled with.
    meddled: Option<Meddled>,
    model: Side,
    reference: Reference,
    versions: Versions,
    openings: [Option<Opening>; WRITERS],
    /// How many contents were made; each is another.
    contents: u64,
}

/// What is known of an open writer.
#[derive(Debug, Clone)]
struct Opening {
    at: Path,
    /// What is kept for sure, if it is sure that anything is.
    kept: Option<u64>,
    size: u64,
    fenced: bool,
}

impl Opening {
    fn is_unsure(&self) -> bool {
        !self.fenced && self.kept != Some(self.size)
    }
}

impl Pair {
    pub(super) fn new(driver: Arc<dyn StorageDriver>) -> Self {
        let capabilities = driver.capabilities();
        let reference = Reference::claiming(capabilities);
        Self {
            subject: Side::new(driver),
            meddled: None,
            model: Side::new(Arc::new(reference.clone())),
            reference,
            versions: Versions::new(capabilities),
            openings: Default::default(),
            contents: 0,
        }
    }

    /// A pair whose subject can be meddled with.
    pub(super) fn meddled(driver: Arc<dyn StorageDriver>) -> Self {
        let meddled = Faulty::new(Yielding::new(driver));
        let pair = Self::new(Arc::new(meddled.clone()));
        Self { meddled: Some(meddled), ..pair }
    }

    /// Does all of `ops` to both, and compares all that there is at the end.
    pub(super) async fn play(mut self, ops: &[(Op, Option<Meddling>)]) -> Result<(), Difference> {
        for (number, (op, meddling)) in ops.iter().enumerate() {
            let done = self.step(op, *meddling).await;
            done.map_err(|difference| format!("at step {number}, {op:?}: {difference}"))?;
        }
        self.finish().await.map_err(|difference| format!("after the last step: {difference}"))
    }

    async fn step(&mut self, op: &Op, meddling: Option<Meddling>) -> Result<(), Difference> {
        let meddling = meddling.filter(|meddling| self.can_meddle(op, *meddling));
        if let Op::Writer { writer, at, mode } = *op {
            self.make_room(writer, &path(at), mode, meddling.is_some()).await?;
        }
        if let Op::Close { writer } | Op::DropWriter { writer } = *op
            && (meddling.is_some() || matches!(op, Op::DropWriter { .. }))
        {
            return self.let_go(writer, op, meddling).await;
        }
        let step = self.fill_in(op).await;
        let (subject, model) = self.preconditions(op).await;
        if let Op::Write { writer, .. } = *op {
            return self.write(writer, &step, meddling).await;
        }
        let saved = self.reference.save();
        let expected = self.model.perform(&step, model).await;
        let unseen = !self.subject.driver.capabilities().sees_conflicts;
        if unseen && matches!(&expected, Err(error) if error.kind() == ErrorKind::PathConflict) {
            // The subject may let it happen, and then nothing can be compared any more.
            return self.pass_over(op).await;
        }
        let answer = self.perform(&step, subject, meddling).await;
        if let Op::CancelUploads { .. } = op {
            return self.cancelled(answer, saved).await;
        }
        match answer {
            Some(answer) => {
                if let (Op::Read { reader, .. }, Err(error)) = (op, &answer)
                    && error.kind() == ErrorKind::ContentChanged
                {
                    return self.content_changed(*reader).await;
                }
                self.remember(op, &expected);
                let openings = self.openings.clone();
                let unsure = |upload: &Upload| is_unsure(&openings, upload);
                self.versions.answers(op, answer, expected, unsure)?;
                if changes(op) { self.agree_after(op).await } else { Ok(()) }
            }
            None => self.reconcile(op, &expected, saved).await,
        }
    }

    /// Does it to the subject; `None` where nobody knows what became of it.
    async fn perform(
        &mut self,
        step: &Step,
        precondition: Precondition,
        meddling: Option<Meddling>,
    ) -> Option<Answered<Answer>> {
        let (call, fault) = match (meddling, &self.meddled) {
            (Some(Meddling::FailBefore { call, kind }), Some(_)) => (call, Fault::Before(kind)),
            (Some(Meddling::LoseAnswer { call, kind }), Some(_)) => (call, Fault::LostAnswer(kind)),
            (Some(Meddling::DropAfter { polls }), Some(_)) => {
                return cut(polls, self.subject.perform(step, precondition)).await;
            }
            _ => return Some(self.subject.perform(step, precondition).await),
        };
        let layer = self.meddled.clone()?;
        layer.fail_nth(call, fault);
        let answer = self.subject.perform(step, precondition).await;
        let struck = layer.struck() > 0;
        layer.plan(|_| None);
        (!struck).then_some(answer)
    }

    /// Whether a cut-off operation is once or never.
    fn can_meddle(&self, op: &Op, meddling: Meddling) -> bool {
        let capabilities = self.subject.driver.capabilities();
        !matches!(meddling, Meddling::DropAfter { .. })
            || match op {
                Op::DeleteMany { .. } | Op::CancelUploads { .. } => false,
                Op::Delete { .. } => capabilities.linearizable,
                Op::Rename { .. } | Op::RenameDir { .. } => capabilities.atomic_rename,
                Op::CommitTo { .. } => capabilities.one_step_commit_to,
                _ => true,
            }
    }

    /// Fills in what depends on the state of the store.
    async fn fill_in(&mut self, op: &Op) -> Step {
        let (length, of) = match *op {
            Op::Put { length, .. } | Op::Write { length, .. } => (length, None),
            Op::GetRange { at, range } | Op::Open { at, range, .. } => (0, Some((at, range))),
            _ => (0, None),
        };
        self.contents += 1;
        let data = Pattern::new(self.contents).bytes(0..length);
        let range = match of {
            Some((at, range)) => resolve(range, self.size(&path(at)).await.unwrap_or_default()),
            None => ReadRange::Full,
        };
        let offset = match *op {
            Op::Writer { at, mode: Mode::Resume(offset), .. } => {
                Some((offset, self.upload_size(&path(at)).await))
            }
            Op::Writer { at, mode: Mode::Append(offset), .. } => {
                Some((offset, self.size(&path(at)).await))
            }
            _ => None,
        };
        let offset = offset.and_then(|(offset, size)| match offset {
            Offset::None => None,
            Offset::Right => Some(size.unwrap_or_default()),
            Offset::Wrong => Some(size.unwrap_or_default() + 1),
        });
        Step { op: op.clone(), data, range, offset }
    }

    async fn size(&self, at: &Path) -> Option<u64> {
        let stat = self.model.driver.stat(at).await.ok()?;
        Some(stat.into_file().ok()?.size)
    }

    async fn upload_size(&self, at: &Path) -> Option<u64> {
        let (_, uploads) = self.model.everything().await.ok()?;
        uploads.iter().find(|upload| upload.path == *at)?.size
    }

    /// The precondition of an operation, for subject and model.
    async fn preconditions(&self, op: &Op) -> (Precondition, Precondition) {
        let (at, when) = match *op {
            Op::Put { at, when, .. } | Op::Delete { at, when } => (at, when),
            Op::CommitTo { dest: at, when, .. }
            | Op::Rename { to: at, when, .. }
            | Op::Copy { to: at, when, .. } => (at, when),
            _ => return (Precondition::None, Precondition::None),
        };
        let current = match self.model.driver.stat(&path(at)).await {
            Ok(Stat::File(metadata)) => Some(metadata.version),
            _ => None,
        };
        let known = match when {
            When::Always => return (Precondition::None, Precondition::None),
            When::IfAbsent => return (Precondition::IfAbsent, Precondition::IfAbsent),
            When::IfCurrent => {
                current.clone().and_then(|model| Some((self.versions.of(&model)?, model)))
            }
            When::IfVersion(n) => self.versions.nth(n),
        };
        match known.or_else(|| self.versions.nth(0)) {
            // Where versions return, one that is stale to the model may be current again.
            Some((subject, model))
                if current.as_ref() != Some(&model)
                    && current.and_then(|current| self.versions.of(&current)).as_ref()
                        == Some(&subject) =>
            {
                (Precondition::None, Precondition::None)
            }
            Some((subject, model)) => {
                (Precondition::IfVersion(subject), Precondition::IfVersion(model))
            }
            None => (Precondition::None, Precondition::None),
        }
    }

    /// Drops what is in the way of opening a writer.
    async fn make_room(
        &mut self,
        slot: usize,
        at: &Path,
        mode: Mode,
        meddling: bool,
    ) -> Result<(), Difference> {
        self.let_go(slot, &Op::DropWriter { writer: slot }, None).await?;
        let keeps = self.subject.driver.capabilities().keeps_on_drop;
        for other in 0..WRITERS {
            let Some(opening) = self.openings[other].clone().filter(|it| it.at == *at) else {
                continue;
            };
            if meddling {
                // Whether it is fenced will not be known.
                self.let_go(other, &Op::DropWriter { writer: other }, None).await?;
            } else if !keeps && opening.is_unsure() && matches!(mode, Mode::Resume(_)) {
                self.settle(&opening).await?;
            }
        }
        Ok(())
    }

    /// Lets go of a writer, by a drop or by a close of which nobody knows what became of it.
    async fn let_go(
        &mut self,
        slot: usize,
        op: &Op,
        meddling: Option<Meddling>,
    ) -> Result<(), Difference> {
        let step = self.fill_in(op).await;
        self.model.writers[slot] = None;
        drop(self.perform(&step, Precondition::None, meddling).await);
        self.subject.writers[slot] = None;
        let Some(opening) = self.openings[slot].take() else { return Ok(()) };
        let keeps = self.subject.driver.capabilities().keeps_on_drop;
        if !keeps && opening.is_unsure() { self.settle(&opening).await } else { Ok(()) }
    }

    /// Finds out how much of an upload was kept, and goes on from there.
    async fn settle(&mut self, opening: &Opening) -> Result<(), Difference> {
        let at = &opening.at;
        let all = self.model.driver.resume(at).await.map(|writer| writer.size());
        let all = all.map_err(|error| format!("the model lost an upload: {error:?}"))?;
        match self.subject.driver.resume(at).await {
            Ok(writer) => {
                let (size, kept) = (writer.size(), opening.kept.unwrap_or_default());
                if size < kept || size > all {
                    return Err(format!("{size} bytes of {at} were kept, of {kept} to {all}"));
                }
                self.reference.truncate_upload(at, size);
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

    fn fence(&mut self, at: &Path) {
        let fenced = self.openings.iter_mut().flatten().filter(|opening| opening.at == *at);
        fenced.for_each(|opening| opening.fenced = true);
    }

    /// A write. Only a writer itself can tell what became of one that was cut off.
    async fn write(
        &mut self,
        slot: usize,
        step: &Step,
        meddling: Option<Meddling>,
    ) -> Result<(), Difference> {
        let length = step.data.len() as u64;
        let before = self.subject.writers[slot].as_ref().map(|writer| writer.size());
        let answer = self.perform(step, Precondition::None, meddling).await;
        let after = self.subject.writers[slot].as_ref().map(|writer| writer.size());
        if answer.is_none() && after == before {
            return Ok(());
        }
        let expected = self.model.perform(step, Precondition::None).await;
        match &expected {
            // A fenced writer may take data until it reaches the backend.
            Err(fenced) if fenced.kind() == ErrorKind::WriterFenced => match answer {
                Some(Err(error)) if error.kind() != ErrorKind::WriterFenced => {
                    Err(format!("it failed with {error:?}, and should with {fenced:?}"))
                }
                _ => Ok(()),
            },
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
                let Some(answer) = answer else { return Ok(()) };
                self.versions.answers(&step.op, answer, expected, |_| false)
            }
        }
    }

    /// Leaves out, on the subject, what the model refused.
    async fn pass_over(&mut self, op: &Op) -> Result<(), Difference> {
        if let Op::Commit { writer } | Op::CommitTo { writer, .. } = *op
            && let Some(writer) = self.subject.writers[writer].take()
        {
            writer.close().await.map_err(|error| format!("close: {error:?}"))?;
            self.remember(op, &Ok(Answer::Nothing));
        }
        Ok(())
    }

    /// Goes on from what the subject cancelled: what was written at this very moment may stay.
    async fn cancelled(
        &mut self,
        answer: Option<Answered<Answer>>,
        saved: State,
    ) -> Result<(), Difference> {
        let count = match answer {
            Some(Ok(Answer::Cancelled(count))) => Some(count),
            Some(other) => return Err(format!("it should answer a count, and did {other:?}")),
            None => None,
        };
        let after = self.model.everything().await.map_err(broken)?.1;
        self.reference.restore(saved);
        let before = self.model.everything().await.map_err(broken)?.1;
        let left = self.subject.everything().await.map_err(broken)?.1;
        let is_in = |uploads: &[Upload], path: &Path| uploads.iter().any(|it| it.path == *path);
        let mut gone = 0;
        for Upload { path, .. } in &before {
            if !is_in(&left, path) {
                if is_in(&after, path) {
                    return Err(format!("the upload at {path} should have stayed"));
                }
                self.model.driver.cancel_upload(path).await.map_err(broken)?;
                self.fence(path);
                gone += 1;
            }
        }
        if let Some(count) = count.filter(|count| *count != gone) {
            return Err(format!("{gone} uploads are gone, and {count} were said to be cancelled"));
        }
        self.agree(false).await
    }

    /// A reader that cannot hold its snapshot says so, if there is reason to.
    async fn content_changed(&mut self, slot: usize) -> Result<(), Difference> {
        self.subject.readers[slot] = None;
        let Some(reader) = self.model.readers[slot].take() else { return Ok(()) };
        let then = reader.metadata();
        match self.model.driver.stat(&then.path).await {
            Ok(Stat::File(now)) if now.version == then.version => {
                Err("the content did not change, and the reader says so".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Keeps account of the writers, after `op`.
    fn remember(&mut self, op: &Op, expected: &Answered<Answer>) {
        match (op, expected) {
            (Op::Writer { writer, at, mode }, Ok(Answer::Size(size))) => {
                let at = path(at);
                self.fence(&at);
                let kept = matches!(mode, Mode::Resume(_)).then_some(*size);
                self.openings[*writer] = Some(Opening { at, kept, size: *size, fenced: false });
            }
            (Op::Sync { writer }, Ok(_)) => {
                if let Some(opening) = &mut self.openings[*writer] {
                    opening.kept = Some(opening.size);
                }
            }
            (
                Op::Close { writer }
                | Op::Commit { writer }
                | Op::CommitTo { writer, .. }
                | Op::Cancel { writer },
                _,
            ) => self.openings[*writer] = None,
            (Op::CancelUpload { at }, Ok(_)) => self.fence(&path(at)),
            (Op::Delete { at, .. }, Ok(_)) => self.fence_below(&path(at)),
            (Op::DeleteMany { paths }, _) => {
                paths.iter().for_each(|at| self.fence_below(&path(at)));
            }
            _ => {}
        }
    }

    fn fence_below(&mut self, dir: &Path) {
        let below = self.openings.iter_mut().flatten().filter(|it| it.at.starts_with(dir));
        below.for_each(|opening| opening.fenced = true);
    }

    /// After an operation of which nobody knows what became of it: the subject is where the model is
    /// after it, or where it was before.
    async fn reconcile(
        &mut self,
        op: &Op,
        expected: &Answered<Answer>,
        saved: State,
    ) -> Result<(), Difference> {
        match *op {
            Op::Open { reader, .. } | Op::Read { reader, .. } | Op::DropReader { reader } => {
                self.subject.readers[reader] = None;
                self.model.readers[reader] = None;
            }
            Op::Writer { writer, .. } => {
                self.subject.writers[writer] = None;
                self.model.writers[writer] = None;
            }
            Op::Commit { writer } | Op::CommitTo { writer, .. } | Op::Cancel { writer } => {
                // It is still there if the operation was never polled.
                self.subject.writers[writer] = None;
            }
            _ => {}
        }
        // What was dropped happens before the next operation on its path, or never.
        for at in paths(op) {
            drop(self.subject.driver.stat(&at).await);
            drop(self.subject.driver.uploads(&at, Default::default()).await);
        }
        let opening = match *op {
            Op::Commit { writer } | Op::CommitTo { writer, .. } | Op::Cancel { writer } => {
                self.openings[writer].take()
            }
            _ => None,
        };
        let Err(after) = self.agree(true).await else {
            // A writer that was not handed over is no opening, and a sync that was not answered has
            // kept nothing for sure.
            if !matches!(op, Op::Writer { .. } | Op::Sync { .. }) {
                self.remember(op, expected);
            }
            return Ok(());
        };
        self.reference.restore(saved);
        if let Some(opening) = opening.filter(Opening::is_unsure)
            && !self.subject.driver.capabilities().keeps_on_drop
        {
            self.settle(&opening).await?;
        }
        self.agree(true).await.map_err(|before| {
            format!("it took effect in part: after it, {after}; before it, {before}")
        })
    }

    /// Whether the two hold the same after `op`, by all that can be asked without reading contents.
    async fn agree_after(&mut self, op: &Op) -> Result<(), Difference> {
        for at in paths(op) {
            let subject = self.subject.driver.stat(&at).await.map(Answer::Stat);
            let model = self.model.driver.stat(&at).await.map(Answer::Stat);
            self.versions
                .answers(op, subject, model, |_| false)
                .map_err(|difference| format!("stat of {at} afterwards: {difference}"))?;
        }
        self.agree(false).await
    }

    /// Whether the two hold the same. Without `contents`, as far as versions and sizes tell.
    async fn agree(&mut self, contents: bool) -> Result<(), Difference> {
        let (subject, subject_uploads) = self.subject.everything().await.map_err(broken)?;
        let (model, model_uploads) = self.model.everything().await.map_err(broken)?;
        let mut versions = self.versions.clone();
        versions.entries(&subject, &model)?;
        let unsure = |upload: &Upload| is_unsure(&self.openings, upload);
        versions.uploads(&subject_uploads, &model_uploads, unsure)?;
        for entry in model.iter().filter(|entry| contents && entry.is_file()) {
            self.same_content(entry, &mut versions).await?;
        }
        self.versions = versions;
        Ok(())
    }

    async fn same_content(&self, entry: &Entry, versions: &mut Versions) -> Result<(), Difference> {
        let at = entry.path();
        let subject = self.subject.driver.get_content(at, LIMIT).await.map_err(broken)?;
        let model = self.model.driver.get_content(at, LIMIT).await.map_err(broken)?;
        versions.file(subject.metadata(), model.metadata())?;
        content(&subject.into_bytes(), &model.into_bytes())
            .map_err(|difference| format!("{at}: {difference}"))
    }

    /// Reads what readers have left, lets go of the writers, publishes what is left of uploads, and
    /// compares all that there is.
    async fn finish(&mut self) -> Result<(), Difference> {
        for reader in 0..READERS {
            self.step(&Op::Read { reader, length: u64::MAX }, None).await?;
        }
        for writer in 0..WRITERS {
            self.step(&Op::DropWriter { writer }, None).await?;
        }
        let (_, uploads) = self.model.everything().await.map_err(broken)?;
        for (number, upload) in uploads.iter().enumerate() {
            let dest = path(&format!("/finished/{number}"));
            for side in [&self.subject, &self.model] {
                let writer = side.driver.resume(&upload.path).await.map_err(broken)?;
                writer.commit_to(&dest, Precondition::None).await.map_err(broken)?;
            }
        }
        self.agree(true).await
    }
}

fn is_unsure(openings: &[Option<Opening>], upload: &Upload) -> bool {
    openings.iter().flatten().any(|opening| opening.at == upload.path && opening.is_unsure())
}

fn broken(error: storage_driver::Error) -> Difference {
    format!("it failed, and should not: {error:?}")
}

/// The range that is meant, of a file of `size` bytes.
fn resolve(range: Range, size: u64) -> ReadRange {
    let at = |sixteenths: u64| match sixteenths {
        17.. => size + sixteenths - 16,
        _ => size * sixteenths / 16,
    };
    match range {
        Range::Full => ReadRange::Full,
        Range::From(start) => ReadRange::From(at(start)),
        Range::Bounded(start, end) => ReadRange::Bounded(at(start)..at(end)),
        Range::Last(length) => ReadRange::Last(at(length)),
    }
}

/// Whether it may change what there is.
fn changes(op: &Op) -> bool {
    !matches!(
        op,
        Op::Get { .. }
            | Op::GetRange { .. }
            | Op::Open { .. }
            | Op::Read { .. }
            | Op::DropReader { .. }
            | Op::Stat { .. }
            | Op::List { .. }
            | Op::Walk { .. }
            | Op::Uploads { .. }
    )
}

/// The paths that it is about, those of writers excepted.
fn paths(op: &Op) -> Vec<Path> {
    match *op {
        Op::Put { at, .. }
        | Op::Writer { at, .. }
        | Op::CommitTo { dest: at, .. }
        | Op::CancelUpload { at }
        | Op::Delete { at, .. }
        | Op::Touch { at } => vec![path(at)],
        Op::Rename { from, to, .. } | Op::RenameDir { from, to } | Op::Copy { from, to, .. } => {
            vec![path(from), path(to)]
        }
        _ => Vec::new(),
    }
}
