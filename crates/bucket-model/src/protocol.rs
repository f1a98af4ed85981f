//! The programs of the protocol, in modules that are named as those of the code.

mod namespace;
mod objects;
mod opening;
mod owner;
mod sweep;
mod upload;
mod uploads;

use crate::{
    run::{Failure, Result, Run, Stop},
    store::{Nonce, Path},
};

pub(crate) use upload::Upload;

/// A precondition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Condition {
    /// None.
    Always,
    /// No file may be there.
    Absent,
    /// What the caller has just read must be there.
    AsRead,
}

/// A precondition with the version that the caller has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precondition {
    None,
    IfAbsent,
    IfVersion(Nonce),
}

impl Precondition {
    fn check(self, version: Option<Nonce>) -> Result<()> {
        let holds = match self {
            Self::None => true,
            Self::IfAbsent => version.is_none(),
            Self::IfVersion(wanted) => version == Some(wanted),
        };
        if holds { Ok(()) } else { Err(Failure::PreconditionFailed.into()) }
    }
}

/// An operation of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// Opens a new upload.
    Create(Path),
    /// Opens an upload that is there.
    Resume(Path),
    /// Opens the upload again that this process had open last, as it remembers it.
    Reopen(Path),
    /// Opens an upload that begins with a file.
    Append(Path),
    /// Writes an extent.
    Write,
    /// Keeps what was written.
    Sync,
    /// Publishes the upload.
    Commit(Path, Condition),
    /// Cancels an upload, open or not.
    Cancel(Path),
    /// Puts a file that lies in its record.
    Put(Path, Condition),
    /// Puts a file that lies in an extent.
    PutLarge(Path, Condition),
    /// Moves a file.
    Rename(Path, Path),
    /// Deletes a file and the upload at its path.
    Delete(Path),
    /// Sweeps what hints point to.
    Sweep,
    /// Sweeps everything.
    DeepSweep,
}

/// How an operation ended, and the upload that its actor has open then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) result: std::result::Result<(), Failure>,
    pub(crate) open: Option<Upload>,
}

impl Op {
    /// Runs the operation until it needs a reply or ends.
    pub(crate) fn run(
        self,
        run: &mut Run<'_>,
        open: Option<&Upload>,
    ) -> std::result::Result<Ended, Stop> {
        let mut open = open.cloned();
        let result = match self.attempt(run, &mut open) {
            Ok(()) => Ok(()),
            Err(Stop::Failed(failure)) => Err(failure),
            Err(pending) => return Err(pending),
        };
        if matches!(self, Self::Commit(..)) {
            open = None;
        }
        Ok(Ended { result, open })
    }

    fn attempt(self, run: &mut Run<'_>, open: &mut Option<Upload>) -> Result<()> {
        match self {
            Self::Create(path) => *open = Some(opening::create(run, path)?),
            Self::Resume(path) => *open = Some(opening::resume(run, path)?),
            Self::Reopen(path) => *open = Some(opening::reopen(run, path, open.take())?),
            Self::Append(path) => *open = Some(opening::append(run, path)?),
            Self::Write => opened(open)?.write(run)?,
            Self::Sync => opened(open)?.keep(run)?,
            Self::Commit(dest, condition) => {
                let condition = condition.read(run, dest)?;
                opened(open)?.commit(run, dest, condition)?;
            }
            Self::Cancel(path) => uploads::cancel_upload(run, path)?,
            Self::Put(path, condition) => {
                let condition = condition.read(run, path)?;
                namespace::put(run, path, false, condition)?;
            }
            Self::PutLarge(path, condition) => {
                let condition = condition.read(run, path)?;
                namespace::put(run, path, true, condition)?;
            }
            Self::Rename(from, to) => namespace::rename(run, from, to)?,
            Self::Delete(path) => namespace::delete(run, path)?,
            Self::Sweep => sweep::sweep(run, false)?,
            Self::DeepSweep => sweep::sweep(run, true)?,
        }
        Ok(())
    }

    /// The upload that the operation opens.
    pub(crate) fn opens(self) -> Option<Path> {
        match self {
            Self::Create(path) | Self::Resume(path) | Self::Reopen(path) | Self::Append(path) => {
                Some(path)
            }
            _ => None,
        }
    }

    pub(crate) fn is_sweep(self) -> bool {
        matches!(self, Self::Sweep | Self::DeepSweep)
    }
}

impl Condition {
    fn read(self, run: &mut Run<'_>, path: Path) -> Result<Precondition> {
        match self {
            Self::Always => Ok(Precondition::None),
            Self::Absent => Ok(Precondition::IfAbsent),
            Self::AsRead => match namespace::at(run, path)?.version() {
                Some(version) => Ok(Precondition::IfVersion(version)),
                None => Err(Failure::NotFound.into()),
            },
        }
    }
}

fn opened(open: &mut Option<Upload>) -> Result<&mut Upload> {
    open.as_mut().ok_or(Stop::Failed(Failure::NotFound))
}
