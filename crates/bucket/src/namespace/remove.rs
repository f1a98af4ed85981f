//! Removing files and directories.

use std::{collections::HashSet, pin::pin, sync::Arc};

use futures::{StreamExt, TryStreamExt, stream};
use storage_driver::{Error, ErrorKind, Path, Precondition, Result};

use super::At;
use crate::{
    backend::{Backend, file_key},
    objects::Removal,
};

/// How many deletions run at once.
const PARALLEL: usize = 16;

impl Backend {
    /// Removes the file at `path` and the upload at it.
    pub(crate) async fn delete(
        self: &Arc<Self>,
        path: &Path,
        condition: &Precondition,
    ) -> Result<()> {
        let (at, upload) = futures::join!(self.at(path), self.upload(path));
        let (at, upload) = (at?, upload?);
        if let At::Nothing(_) = at {
            match self.no_file(path).await {
                error if !error.is_not_found() || upload.is_none() => return Err(error),
                _ => condition.check(None)?,
            }
        } else {
            match self.remove_file(path, condition, Some(at)).await {
                Err(error) if error.is_not_found() && upload.is_some() && condition.is_none() => {}
                result => result?,
            }
        }
        if upload.is_some() {
            match self.cancel_upload(path).await {
                Err(error) if error.is_not_found() => {}
                result => result?,
            }
        }
        Ok(())
    }

    /// Removes the file at `path`.
    async fn remove_file(
        &self,
        path: &Path,
        condition: &Precondition,
        mut known: Option<At>,
    ) -> Result<()> {
        let key = file_key(path);
        loop {
            let at = match known.take() {
                Some(at) => at,
                None => self.at(path).await?,
            };
            let At::File(file) = at else { return Err(ErrorKind::PathNotFound.into()) };
            condition.check(Some(&file.record.version))?;
            self.let_go(&file).await?;
            match self.objects.withdraw(&key, &file.state).await? {
                Removal::Done => return Ok(()),
                Removal::Gone => return Err(ErrorKind::PathNotFound.into()),
                Removal::Changed(found) => known = Some(At::of(&key, Some(&found))?),
            }
        }
    }

    /// Removes everything below `path`, and the uploads at and below it.
    pub(crate) async fn delete_dir(self: &Arc<Self>, path: &Path) -> Result<()> {
        if let At::File(_) = self.at(path).await? {
            return Err(ErrorKind::NotADirectory.into());
        }
        let prefix = format!("{}/", file_key(path));
        let files = self.delete_listed(prefix).await?;
        let uploads = self.cancel_all(path, &|_| true).await?;
        match files + uploads {
            0 => Err(ErrorKind::PathNotFound.into()),
            _ => Ok(()),
        }
    }

    async fn delete_listed(self: &Arc<Self>, prefix: String) -> Result<u64> {
        let mut pages = pin!(self.objects.pages_below(prefix));
        let mut removed = 0;
        while let Some(items) = pages.try_next().await? {
            let removals = items.into_iter().map(|item| async move {
                let Ok(path) = Path::parse(format!("/{}", item.key)) else { return Ok(0) };
                if !self.is_file(&item).await? {
                    return Ok(0);
                }
                match self.remove_file(&path, &Precondition::None, None).await {
                    Ok(()) => Ok(1),
                    Err(error) if error.is_not_found() => Ok(0),
                    Err(error) => Err(error.at(&path)),
                }
            });
            let removals = stream::iter(removals).buffer_unordered(PARALLEL);
            removed += removals.try_fold(0, async |sum, one| Ok::<_, Error>(sum + one)).await?;
        }
        Ok(removed)
    }

    /// Deletes each of `paths`.
    pub(crate) async fn delete_many(self: &Arc<Self>, paths: &[Path]) -> Result<()> {
        // As one after the other, but paths that have nothing to do with each other at once.
        let mut batch = Batch::default();
        for path in paths {
            if batch.overlaps(path) {
                self.delete_batch(std::mem::take(&mut batch)).await?;
            }
            batch.add(path);
        }
        self.delete_batch(batch).await
    }

    async fn delete_batch(self: &Arc<Self>, batch: Batch) -> Result<()> {
        let deletions = batch.paths.into_iter().map(|path| async move {
            match self.delete(&path, &Precondition::None).await {
                Err(error) if error.is_not_found() => Ok(()),
                result => result.map_err(|error| error.at(&path)),
            }
        });
        stream::iter(deletions).buffered(PARALLEL).try_for_each(async |()| Ok(())).await
    }
}

/// Paths of which none is at or below another.
#[derive(Default)]
struct Batch {
    paths: Vec<Path>,
    members: HashSet<Path>,
    above: HashSet<Path>,
}

impl Batch {
    fn overlaps(&self, path: &Path) -> bool {
        self.members.contains(path)
            || self.above.contains(path)
            || path.ancestors().any(|above| self.members.contains(&above))
    }

    fn add(&mut self, path: &Path) {
        self.above.extend(path.ancestors());
        self.members.insert(path.clone());
        self.paths.push(path.clone());
    }
}
