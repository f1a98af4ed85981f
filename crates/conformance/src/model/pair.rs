//! [`Pair`]: subject and model, to which the same is done.

mod writers;

use std::sync::Arc;

use storage_driver::{
    Entry, ErrorKind, Path, Precondition, ReadRange, Result as Answered, Stat, StorageDriver,
    StorageDriverExt, UploadInfo,
};

use self::writers::{Opening, is_unsure};
use super::{
    compare::{Difference, Versions, content},
    op::{Interference, Mode, Offset, Op, READERS, Range, WRITERS, When},
    side::{Answer, Side, Step},
};
use crate::{
    Pattern,
    cancel_safety::cut,
    check::{LIMIT, path},
    layers::{Fault, Faulty, Yielding},
    reference::{Reference, State},
};

type Interfered = Faulty<Yielding<Arc<dyn StorageDriver>>>;

/// The two drivers that are compared.
pub(super) struct Pair {
    subject: Side,
    /// The layers around the subject, where it is with_faults with.
    with_faults: Option<Interfered>,
    model: Side,
    reference: Reference,
    versions: Versions,
    openings: [Option<Opening>; WRITERS],
    /// How many contents were made; each is another.
    contents: u64,
}

impl Pair {
    pub(super) fn new(driver: Arc<dyn StorageDriver>) -> Self {
        let capabilities = driver.capabilities();
        let reference = Reference::claiming(capabilities);
        Self {
            subject: Side::new(driver),
            with_faults: None,
            model: Side::new(Arc::new(reference.clone())),
            reference,
            versions: Versions::new(capabilities),
            openings: Default::default(),
            contents: 0,
        }
    }

    /// A pair with another driver as the model, which has to keep everything on drop, as the
    /// reference does where the subject does.
    pub(super) fn beside(driver: Arc<dyn StorageDriver>, model: Arc<dyn StorageDriver>) -> Self {
        Self { model: Side::new(model), ..Self::new(driver) }
    }

    /// A pair whose subject can be with_faults with.
    pub(super) fn with_faults(driver: Arc<dyn StorageDriver>) -> Self {
        let with_faults = Faulty::new(Yielding::new(driver));
        let pair = Self::new(Arc::new(with_faults.clone()));
        Self { with_faults: Some(with_faults), ..pair }
    }

    /// Does all of `ops` to both, and compares all that there is at the end.
    pub(super) async fn play(
        mut self,
        ops: &[(Op, Option<Interference>)],
    ) -> Result<(), Difference> {
        for (number, (op, interference)) in ops.iter().enumerate() {
            let done = self.step(op, *interference).await;
            done.map_err(|difference| format!("at step {number}, {op:?}: {difference}"))?;
        }
        self.finish().await.map_err(|difference| format!("after the last step: {difference}"))
    }

    async fn step(
        &mut self,
        op: &Op,
        interference: Option<Interference>,
    ) -> Result<(), Difference> {
        let interference =
            interference.filter(|interference| self.can_interfere(op, *interference));
        if let Op::Writer { writer, at, mode } = *op {
            self.make_room(writer, &path(at), mode, interference.is_some()).await?;
        }
        if let Op::Close { writer } | Op::DropWriter { writer } = *op
            && (interference.is_some() || matches!(op, Op::DropWriter { .. }))
        {
            return self.let_go(writer, op, interference).await;
        }
        let step = self.fill_in(op).await;
        let (subject, model) = self.preconditions(op).await;
        match *op {
            Op::Write { writer, .. } => return self.write(writer, &step, interference).await,
            Op::SetNote { writer, .. } => return self.set_note(writer, &step).await,
            Op::DeleteMany { ref paths } if self.deletes_a_part_of(paths).await => return Ok(()),
            _ => {}
        }
        let saved = self.reference.save();
        let expected = self.model.perform(&step, model).await;
        let unseen = !self.subject.driver.capabilities().rejects_conflicts;
        if unseen && matches!(&expected, Err(error) if error.kind() == ErrorKind::PathConflict) {
            // The subject may let it happen, and then nothing can be compared any more.
            return self.pass_over(op).await;
        }
        match self.perform(&step, subject, interference).await {
            Some(answer) => {
                if let (Op::Read { reader, .. }, Err(error)) = (op, &answer)
                    && error.kind() == ErrorKind::ContentChanged
                {
                    return self.content_changed(*reader).await;
                }
                self.remember(op, &expected);
                let openings = self.openings.clone();
                let unsure = |upload: &UploadInfo| is_unsure(&openings, upload);
                self.versions.answers(answer, expected, unsure)?;
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
        interference: Option<Interference>,
    ) -> Option<Answered<Answer>> {
        let (call, fault) = match (interference, &self.with_faults) {
            (Some(Interference::FailBefore { call, kind }), Some(_)) => (call, Fault::Before(kind)),
            (Some(Interference::LoseAnswer { call, kind }), Some(_)) => {
                (call, Fault::LostAnswer(kind))
            }
            (Some(Interference::DropAfter { polls }), Some(_)) => {
                return cut(polls, self.subject.perform(step, precondition)).await;
            }
            _ => return Some(self.subject.perform(step, precondition).await),
        };
        let layer = self.with_faults.clone()?;
        layer.fail_nth(call, fault);
        let answer = self.subject.perform(step, precondition).await;
        let struck = layer.struck() > 0;
        layer.plan(|_| None);
        (!struck).then_some(answer)
    }

    /// Whether a cut-off operation is once or never.
    fn can_interfere(&self, op: &Op, interference: Interference) -> bool {
        let capabilities = self.subject.driver.capabilities();
        !matches!(interference, Interference::DropAfter { .. })
            || match op {
                Op::DeleteMany { .. } | Op::CancelUploads { .. } => false,
                Op::SetNote { .. } => false,
                Op::DeleteDir { .. } => capabilities.linearizable,
                Op::Rename { .. } | Op::RenameDir { .. } => capabilities.atomic_rename,
                Op::CommitTo { .. } => capabilities.atomic_commit_to,
                _ => true,
            }
    }

    /// Fills in what depends on the state of the store.
    async fn fill_in(&mut self, op: &Op) -> Step {
        let (length, of) = match *op {
            Op::Put { length, .. } | Op::Write { length, .. } | Op::SetNote { length, .. } => {
                (length, None)
            }
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

    async fn size(&mut self, at: &Path) -> Option<u64> {
        let stat = self.model.driver.stat(at).await.ok()?;
        Some(stat.into_file().ok()?.size)
    }

    async fn upload_size(&mut self, at: &Path) -> Option<u64> {
        let (_, uploads) = self.model.everything().await.ok()?;
        uploads.iter().find(|upload| upload.path == *at)?.size
    }

    /// The precondition of an operation, for subject and model.
    async fn preconditions(&mut self, op: &Op) -> (Precondition, Precondition) {
        let (at, when) = match *op {
            Op::Put { at, when, .. } | Op::Delete { at, when } | Op::Touch { at, when } => {
                (at, when)
            }
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

    /// Whether a deletion of these paths fails at a directory, where a driver that is not linearizable may
    /// have deleted some of them.
    async fn deletes_a_part_of(&mut self, paths: &[&'static str]) -> bool {
        if self.subject.driver.capabilities().linearizable {
            return false;
        }
        for at in paths {
            if self.model.driver.stat(&path(at)).await.is_ok_and(|stat| stat.is_dir()) {
                return true;
            }
        }
        false
    }

    /// Leaves out, on the subject, what the model refused.
    async fn pass_over(&mut self, op: &Op) -> Result<(), Difference> {
        if let Op::Commit { writer } | Op::CommitTo { writer, .. } = *op
            && let Some(writer) = self.subject.writers[writer].take()
        {
            writer.suspend().await.map_err(|error| format!("suspend: {error:?}"))?;
            self.remember(op, &Ok(Answer::Nothing));
        }
        Ok(())
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
                .answers(subject, model, |_| false)
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
        let unsure = |upload: &UploadInfo| is_unsure(&self.openings, upload);
        versions.uploads(&subject_uploads, &model_uploads, unsure)?;
        for entry in model.iter().filter(|entry| contents && entry.is_file()) {
            self.same_content(entry, &mut versions).await?;
        }
        self.versions = versions;
        Ok(())
    }

    async fn same_content(
        &mut self,
        entry: &Entry,
        versions: &mut Versions,
    ) -> Result<(), Difference> {
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
            for driver in [&self.subject.driver, &self.model.driver] {
                let writer = driver.resume(&upload.path).await.map_err(broken)?;
                writer.commit_to(&dest, Precondition::None).await.map_err(broken)?;
            }
        }
        self.agree(true).await
    }
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
        Range::From(start) => ReadRange::Offset(at(start)),
        Range::Bounded(start, end) => ReadRange::Bounded(at(start)..at(end)),
        Range::Last(length) => ReadRange::Suffix(at(length)),
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
            | Op::Upload { .. }
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
        | Op::DeleteDir { at }
        | Op::Touch { at, .. } => vec![path(at)],
        Op::Rename { from, to, .. } | Op::RenameDir { from, to } | Op::Copy { from, to, .. } => {
            vec![path(from), path(to)]
        }
        _ => Vec::new(),
    }
}
