//! [`Pair`]: subject and model, to which the same is done.

mod agree;
mod prepare;
mod writers;

use std::sync::Arc;

use storage_driver::{
    ErrorKind, Precondition, Result as Outcome, StorageDriver, StorageDriverExt, UploadInfo,
};

use self::writers::{Opening, is_unsure};
use super::{
    compare::{Difference, Versions},
    op::{Interference, Op, READERS, WRITERS},
    side::{Contents, Output, Side, Step},
};
use crate::{
    cancel_safety::cut,
    check::path,
    layers::{Fault, Faulty, Yielding},
    reference::Reference,
};

/// The two drivers that are compared.
pub(super) struct Pair {
    subject: Side,
    /// The layers around the subject that inject faults, if there are faults.
    faults: Option<Faulty<Yielding<Arc<dyn StorageDriver>>>>,
    model: Side,
    reference: Reference,
    versions: Versions,
    openings: [Option<Opening>; WRITERS],
    /// The number of contents that were made. No two are equal.
    contents: u64,
}

impl Pair {
    pub(super) fn new(driver: Arc<dyn StorageDriver>) -> Self {
        let capabilities = driver.capabilities();
        let reference = Reference::claiming(capabilities);
        Self {
            subject: Side::new(driver),
            faults: None,
            model: Side::new(Arc::new(reference.clone())),
            reference,
            versions: Versions::new(capabilities),
            openings: Default::default(),
            contents: 0,
        }
    }

    /// A pair with another driver as the model, which must keep everything on drop, as the reference does.
    pub(super) fn against(driver: Arc<dyn StorageDriver>, model: Arc<dyn StorageDriver>) -> Self {
        Self { model: Side::new(model), ..Self::new(driver) }
    }

    /// A pair with faults injected into the subject.
    pub(super) fn with_faults(driver: Arc<dyn StorageDriver>) -> Self {
        let faults = Faulty::new(Yielding::new(driver));
        let pair = Self::new(Arc::new(faults.clone()));
        Self { faults: Some(faults), ..pair }
    }

    /// Does all of `ops` to both, and compares the two at the end.
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
            return self.end_writer(writer, op, interference).await;
        }
        let step = self.fill_in(op).await;
        let (subject, model) = self.preconditions(op).await;
        match *op {
            Op::Write { writer, .. } => return self.write(writer, &step, interference).await,
            Op::SetNote { writer, .. } => return self.set_note(writer, &step).await,
            Op::DeleteMany { ref paths } if self.deletes_a_part_of(paths).await => return Ok(()),
            _ => {}
        }
        // Only an operation with a fault can have an unknown outcome.
        let saved = interference.map(|_| self.reference.save());
        let expected = self.model.perform(&step, model).await;
        let unseen = !self.subject.driver.capabilities().rejects_conflicts;
        if unseen && matches!(&expected, Err(error) if error.kind() == ErrorKind::PathConflict) {
            // The subject may succeed, after which the two could no longer be compared.
            return self.pass_over(op).await;
        }
        match self.perform(&step, subject, interference).await {
            Some(outcome) => {
                if let (Op::Read { reader, .. }, Err(error)) = (op, &outcome)
                    && error.kind() == ErrorKind::ContentChanged
                {
                    return self.content_changed(*reader).await;
                }
                self.remember(op, &expected);
                let openings = self.openings.clone();
                let unsure = |upload: &UploadInfo| is_unsure(&openings, upload);
                self.versions.compare(outcome, expected, unsure)?;
                if op.changes() { self.agree_after(op).await } else { Ok(()) }
            }
            None => self.reconcile(op, &expected, saved).await,
        }
    }

    /// Does it to the subject; `None` if the outcome is unknown.
    async fn perform(
        &mut self,
        step: &Step,
        precondition: Precondition,
        interference: Option<Interference>,
    ) -> Option<Outcome<Output>> {
        let (call, fault) = match (interference, &self.faults) {
            (Some(Interference::FailBefore { call, kind }), Some(_)) => (call, Fault::Before(kind)),
            (Some(Interference::LoseResponse { call, kind }), Some(_)) => {
                (call, Fault::LostAnswer(kind))
            }
            (Some(Interference::DropAfter { polls }), Some(_)) => {
                return cut(polls, self.subject.perform(step, precondition)).await;
            }
            _ => return Some(self.subject.perform(step, precondition).await),
        };
        let layer = self.faults.clone()?;
        layer.fail_nth(call, fault);
        let outcome = self.subject.perform(step, precondition).await;
        let struck = layer.struck() > 0;
        layer.plan(|_| None);
        (!struck).then_some(outcome)
    }

    /// Whether the operation takes effect once or never if it is dropped.
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

    /// Skips an operation on the subject that the model refused.
    async fn pass_over(&mut self, op: &Op) -> Result<(), Difference> {
        if let Op::Commit { writer } | Op::CommitTo { writer, .. } = *op
            && let Some(writer) = self.subject.writers[writer].take()
        {
            writer.suspend().await.map_err(|error| format!("suspend: {error:?}"))?;
            self.remember(op, &Ok(Output::Nothing));
        }
        Ok(())
    }

    /// Reads the rest of the readers, drops the writers, commits the uploads that are left, and compares everything.
    async fn finish(&mut self) -> Result<(), Difference> {
        for reader in 0..READERS {
            self.step(&Op::Read { reader, length: u64::MAX }, None).await?;
        }
        for writer in 0..WRITERS {
            self.step(&Op::DropWriter { writer }, None).await?;
        }
        let Contents { uploads, .. } = Contents::of(&*self.model.driver).await.map_err(broken)?;
        for (number, upload) in uploads.iter().enumerate() {
            let dest = path(&format!("/finished/{number}"));
            for driver in [&self.subject.driver, &self.model.driver] {
                let writer = driver.resume(&upload.path).await.map_err(broken)?;
                writer.commit_to(&dest, Precondition::None).await.map_err(broken)?;
            }
        }
        self.agree().await
    }
}

fn broken(error: storage_driver::Error) -> Difference {
    format!("it failed, and should not: {error:?}")
}
