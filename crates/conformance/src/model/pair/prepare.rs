//! Preparing an operation: what depends on the state of the model is filled in.

use storage_driver::{Path, Precondition, ReadRange, Stat, StorageDriver};

use super::Pair;
use crate::{
    Pattern,
    check::path,
    model::{
        op::{Mode, Offset, Op, When},
        side::Step,
    },
};

impl Pair {
    /// Fills in what depends on the state of the store.
    pub(super) async fn fill_in(&mut self, op: &Op) -> Step {
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
            Some((at, range)) => range.resolve(self.size(&path(at)).await.unwrap_or_default()),
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
        self.model.driver.upload(at).await.ok()??.size
    }

    /// The precondition of an operation, for subject and model.
    pub(super) async fn preconditions(&mut self, op: &Op) -> (Precondition, Precondition) {
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
            // Where versions recur, a version that is stale to the model may be the current one of the subject.
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

    /// Whether a deletion of these paths fails at a directory, before which a driver that is not linearizable may have
    /// deleted some of them.
    pub(super) async fn deletes_a_part_of(&mut self, paths: &[&'static str]) -> bool {
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
}
