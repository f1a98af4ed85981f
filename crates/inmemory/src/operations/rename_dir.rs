//! The rename of a directory.

use storage_driver::{Error, ErrorKind, Path, Result};

use crate::{
    deferred_drop::DeferredDrop,
    dir::{Directory, Measure, Node, Removed},
    job::Job,
    state::State,
    store::Store,
};

impl Store {
    /// # Errors
    ///
    /// In this order: `PathNotFound`, `NotADirectory`, `PathConflict`; `InvalidPath` if a path below would be
    /// too long; `StorageFull`.
    pub(crate) async fn rename_dir(&self, from: &Path, to: &Path) -> Result<DeferredDrop> {
        // A measure is dropped under the lock, where the tree holds the directory too.
        if let Renamed::Done(removed) = rename_dir(&mut *self.write().await?, from, to, None)? {
            return Ok(removed.into());
        }
        // A job measures the directory, so that nothing changes between that and the rename.
        self.run(|_| RenameDir::new(from, to)).await.map(|(_, deferred)| deferred)
    }
}

/// The progress of the rename of a directory.
enum Renamed {
    /// It is done, and this is left.
    Done(Removed),
    /// Nothing has changed: a path below may become too long, which has to be measured.
    MayBeTooLong(Measure),
}

/// Renames a directory, if it is known that no path becomes too long: `longest` is the length of the longest
/// path below, if that was measured.
fn rename_dir(
    state: &mut State,
    from: &Path,
    to: &Path,
    longest: Option<usize>,
) -> Result<Renamed> {
    let dir = state.tree().dir(from)?;
    if from == to {
        return Ok(Renamed::Done(Removed::default()));
    }
    if to.starts_with(from) || state.tree().get(to).is_some() {
        return Err(Error::new(ErrorKind::PathConflict).at(to));
    }
    let plan = state.tree().plan(to)?;
    match dir.fits(to, longest) {
        Ok(true) => {}
        Ok(false) => return Err(Error::new(ErrorKind::InvalidPath).at(to)),
        Err(measure) => return Ok(Renamed::MayBeTooLong(measure)),
    }
    // Nothing is at `to`, so that nothing is replaced.
    match &dir {
        Directory::Real(dir) => {
            let place = plan.for_dir(state.budget())?;
            let dir = dir.renamed(to.name().unwrap_or_default(), state.budget())?;
            let _ = state.publish_dir(place, Node::from(dir));
        }
        Directory::Implied(file, at) => {
            let to = to.join(&file.text()[*at..]).map_err(|_| ErrorKind::InvalidPath)?;
            let place = state.place(&to, &[])?;
            let file = file.moved(state.budget(), place.text(), None)?;
            let _ = state.publish(place, file);
        }
    }
    Ok(Renamed::Done(state.remove(from)))
}

/// Renames a directory of which it is not known whether all paths below stay short enough.
struct RenameDir {
    from: Path,
    to: Path,
    measure: Option<Measure>,
    removed: Removed,
}

impl RenameDir {
    fn new(from: &Path, to: &Path) -> Self {
        Self { from: from.clone(), to: to.clone(), measure: None, removed: Removed::default() }
    }
}

impl Job for RenameDir {
    fn advance(&mut self, state: &mut State) -> Option<Result<u64>> {
        let longest = match &mut self.measure {
            None => None,
            Some(measure) => Some(measure.advance()?),
        };
        match rename_dir(state, &self.from, &self.to, longest) {
            Ok(Renamed::Done(removed)) => {
                self.removed = removed;
                Some(Ok(1))
            }
            Ok(Renamed::MayBeTooLong(measure)) => {
                self.measure = Some(measure);
                None
            }
            Err(error) => Some(Err(error)),
        }
    }

    fn into_deferred(self: Box<Self>) -> DeferredDrop {
        let mut deferred = DeferredDrop::from(self.removed);
        self.measure.into_iter().for_each(|measure| deferred.add_dir(measure.into_dir()));
        deferred
    }
}
