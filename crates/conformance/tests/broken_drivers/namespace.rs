//! Lies about the namespace: rename, copy, delete, touch, shutdown.

use std::{collections::BTreeSet, sync::Mutex};

use futures::TryStreamExt;
use tokio::task::yield_now;

use crate::breakage::*;

fn path(text: &str) -> Path {
    Path::parse(text).expect("a path")
}

/// Directories that were ever made stay, also when nothing is left in them.
#[derive(Debug, Default)]
pub(crate) struct KeepsEmptyDirectories {
    honest: Reference,
    made: Mutex<BTreeSet<Path>>,
}

/// 2.2: a directory stays when its last file is gone.
#[async_trait]
impl Breakage for KeepsEmptyDirectories {
    fn honest(&self) -> &Reference {
        &self.honest
    }

    async fn put_content(
        &self,
        path: &Path,
        content: Payload,
        precondition: Precondition,
    ) -> Result<Metadata> {
        let file = self.honest.put_content(path, content, precondition).await?;
        self.made.lock().unwrap().extend(std::iter::successors(path.parent(), Path::parent));
        Ok(file)
    }

    async fn stat(&self, path: &Path) -> Result<Stat> {
        match self.honest.stat(path).await {
            Err(error) if error.is_not_found() && self.made.lock().unwrap().contains(path) => {
                Ok(Stat::Directory(path.clone()))
            }
            other => other,
        }
    }
}

broken! {
    /// 2.3: a put at a directory removes what is in it.
    ReplacesDirectories {
        async fn put_content(
            &self,
            path: &Path,
            content: Payload,
            precondition: Precondition,
        ) -> Result<Metadata> {
            if !path.is_root() && self.0.stat(path).await.is_ok_and(|stat| stat.is_dir()) {
                self.0.delete(path, Precondition::None).await?;
            }
            self.0.put_content(path, content, precondition).await
        }
    }
}

broken! {
    /// 7.1: a rename is a copy and a deletion, which makes a new version.
    RenamesByCopy {
        async fn rename(
            &self,
            from: &Path,
            to: &Path,
            precondition: Precondition,
        ) -> Result<Metadata> {
            let file = self.0.copy(from, to, precondition).await?;
            if from != to {
                self.0.delete(from, Precondition::None).await?;
            }
            Ok(file)
        }
    }
}

broken! {
    /// 7.1 and 9.1: a rename removes what is at its end, waits, and moves the file then.
    RenamesInTwoSteps {
        async fn rename(
            &self,
            from: &Path,
            to: &Path,
            precondition: Precondition,
        ) -> Result<Metadata> {
            let is_file = self.0.stat(from).await.is_ok_and(|stat| stat.is_file());
            if is_file && from != to && precondition.is_none() {
                drop(self.0.rename(to, &path("/trash"), Precondition::None).await);
                yield_now().await;
            }
            self.0.rename(from, to, precondition).await
        }
    }
}

broken! {
    /// 7.3: a rename from nothing removes what is at its end.
    RenamesNothing {
        async fn rename(
            &self,
            from: &Path,
            to: &Path,
            precondition: Precondition,
        ) -> Result<Metadata> {
            if !self.0.exists(from).await? && !from.is_root() && !to.is_root() {
                drop(self.0.delete(to, Precondition::None).await);
            }
            self.0.rename(from, to, precondition).await
        }
    }
}

broken! {
    /// 7.3: a directory goes into itself, and is gone.
    SwallowsItself {
        async fn rename_dir(&self, from: &Path, to: &Path) -> Result<()> {
            if from != to && to.starts_with(from) && self.0.exists(from).await? {
                return self.0.delete_dir(from).await;
            }
            self.0.rename_dir(from, to).await
        }
    }
}

broken! {
    /// 7.2: `atomic_rename` is claimed, and a directory moves file by file.
    MovesFileByFile {
        async fn rename_dir(&self, from: &Path, to: &Path) -> Result<()> {
            let files: Vec<Entry> = self.0.walk(from, WalkOptions::new()).try_collect().await?;
            // Whatever is wrong, an honest rename says so.
            if to.starts_with(from) || self.0.exists(to).await? || to.is_root() || from.is_root() {
                return self.0.rename_dir(from, to).await;
            }
            for file in files.iter().filter(|entry| entry.is_file()) {
                let below = file.path().strip_prefix(from).expect("it is below");
                self.0.rename(file.path(), &to.join(below)?, Precondition::None).await?;
                yield_now().await;
            }
            Ok(())
        }
    }
}

broken! {
    /// 7.4: a deletion takes those along whose names begin alike.
    DeletesSiblings {
        async fn delete_dir(&self, path: &Path) -> Result<()> {
            self.0.delete_dir(path).await?;
            let dir = path.parent().expect("it was no root");
            let Ok(page) = self.0.list(&dir, ListOptions::new()).await else { return Ok(()) };
            for entry in page.items {
                if entry.path().as_str().starts_with(path.as_str()) {
                    match entry.is_dir() {
                        true => self.0.delete_dir(entry.path()).await?,
                        false => self.0.delete(entry.path(), Precondition::None).await?,
                    }
                }
            }
            Ok(())
        }
    }
}

broken! {
    /// 7.4: a deletion leaves uploads. (What is renamed leaves its uploads behind.)
    DeleteLeavesUploads {
        async fn delete_dir(&self, at: &Path) -> Result<()> {
            let trash = path("/trash/1");
            let moved = self.0.rename_dir(at, &trash).await.is_ok();
            self.0.delete_dir(if moved { &trash } else { at }).await
        }
    }
}

broken! {
    /// 7.4: `delete` removes a tree.
    DeletesTrees {
        async fn delete(&self, path: &Path, precondition: Precondition) -> Result<()> {
            match self.0.stat(path).await {
                Ok(Stat::Directory(_)) if precondition != Precondition::IfAbsent => {
                    self.0.delete_dir(path).await
                }
                _ => self.0.delete(path, precondition).await,
            }
        }
    }
}

broken! {
    /// 7.4: `delete_dir` removes a file.
    DeleteDirTakesFiles {
        async fn delete_dir(&self, path: &Path) -> Result<()> {
            match self.0.stat(path).await {
                Ok(Stat::File(_)) => self.0.delete(path, Precondition::None).await,
                _ => self.0.delete_dir(path).await,
            }
        }
    }
}

broken! {
    /// 7.5: `linearizable` is claimed, and a `delete_many` that fails has deleted some.
    DeletesSome {
        async fn delete_many(&self, paths: &[Path]) -> Result<()> {
            for path in paths {
                match self.0.delete(path, Precondition::None).await {
                    Err(error) if error.is_not_found() => {}
                    result => result?,
                }
            }
            Ok(())
        }
    }
}

broken! {
    /// 7.7: a touch ignores its precondition.
    TouchIgnoresConditions {
        async fn touch(&self, path: &Path, precondition: Precondition) -> Result<Metadata> {
            match precondition {
                Precondition::IfVersion(_) => self.0.touch(path, Precondition::None).await,
                other => self.0.touch(path, other).await,
            }
        }
    }
}

broken! {
    /// 8.6: a condition is checked before the conflict.
    ChecksConditionsFirst {
        async fn put_content(
            &self,
            path: &Path,
            content: Payload,
            precondition: Precondition,
        ) -> Result<Metadata> {
            if let (Precondition::IfVersion(_), Ok(Stat::Directory(_))) =
                (&precondition, self.0.stat(path).await)
                && !path.is_root()
            {
                return Err(Error::new(ErrorKind::PreconditionFailed).at(path));
            }
            self.0.put_content(path, content, precondition).await
        }
    }
}

broken! {
    /// 7.5: what is missing is an error, and the rest is left.
    StopsAtTheMissing {
        async fn delete_many(&self, paths: &[Path]) -> Result<()> {
            for path in paths {
                self.0.delete(path, Precondition::None).await?;
            }
            Ok(())
        }
    }
}

broken! {
    /// 7.6: a copy has the version of its source.
    CopySharesTheVersion {
        async fn copy(
            &self,
            from: &Path,
            to: &Path,
            precondition: Precondition,
        ) -> Result<Metadata> {
            let content = self.0.get_bytes(from, u64::MAX).await;
            let file = self.0.copy(from, to, precondition).await?;
            if from == to {
                return Ok(file);
            }
            let file = self.0.rename(from, to, Precondition::None).await?;
            self.0.put(from, content?).await?;
            Ok(file)
        }
    }
}

broken! {
    /// 7.7: a touch keeps the version.
    TouchKeepsTheVersion {
        async fn touch(&self, path: &Path, _: Precondition) -> Result<Metadata> {
            self.0.get_content(path, u64::MAX).await.map(|content| content.metadata().clone())
        }
    }
}

broken! {
    /// 9.4: a driver that was shut down continues to work.
    NeverShutsDown {
        async fn shutdown(&self) -> Result<()> {
            Ok(())
        }
    }
}

broken! {
    /// 8.5: what cannot be deleted is said to be deleted.
    SwallowsErrorsOfDelete {
        async fn delete(&self, path: &Path, precondition: Precondition) -> Result<()> {
            drop(self.0.delete(path, precondition).await);
            Ok(())
        }
    }
}

broken! {
    /// 7.4: `IfAbsent` is taken for no condition.
    DeleteIgnoresIfAbsent {
        async fn delete(&self, path: &Path, precondition: Precondition) -> Result<()> {
            let precondition = match precondition {
                Precondition::IfAbsent => Precondition::None,
                other => other,
            };
            self.0.delete(path, precondition).await
        }
    }
}

broken! {
    /// 7.4: the condition is checked before it is looked at whether anything is there.
    DeleteChecksFirst {
        async fn delete(&self, path: &Path, precondition: Precondition) -> Result<()> {
            let conditional = matches!(precondition, Precondition::IfVersion(_));
            match self.0.delete(path, precondition).await {
                Err(error) if error.is_not_found() && conditional => {
                    Err(ErrorKind::PreconditionFailed.into())
                }
                other => other,
            }
        }
    }
}

broken! {
    /// 7.4: a conditional deletion takes the file alone.
    ConditionalDeleteLeavesUploads {
        async fn delete(&self, at: &Path, precondition: Precondition) -> Result<()> {
            if let (Precondition::IfVersion(version), Ok(Stat::File(file))) =
                (&precondition, self.0.stat(at).await)
                && file.version == *version
            {
                let trash = path("/trash/1");
                self.0.rename(at, &trash, Precondition::None).await?;
                return self.0.delete(&trash, precondition).await;
            }
            self.0.delete(at, precondition).await
        }
    }
}

broken! {
    /// 7.4: an upload without a file fulfils every condition.
    DeletesUploadsIfVersion {
        async fn delete(&self, path: &Path, precondition: Precondition) -> Result<()> {
            match (&precondition, self.0.stat(path).await) {
                (Precondition::IfVersion(_), Err(_)) => {
                    self.0.delete(path, Precondition::None).await
                }
                _ => self.0.delete(path, precondition).await,
            }
        }
    }
}

broken! {
    /// 5.7: a deletion fences first, and may fail then.
    FailedDeleteFences {
        async fn delete(&self, path: &Path, precondition: Precondition) -> Result<()> {
            drop(self.0.resume(path).await);
            self.0.delete(path, precondition).await
        }
    }
}

broken! {
    /// 7.5: uploads at a file's path are left. (What is renamed leaves its upload behind.)
    DeleteManyLeavesUploads {
        async fn delete_many(&self, paths: &[Path]) -> Result<()> {
            for at in paths {
                let trash = path("/trash/1");
                let moved = self.0.rename(at, &trash, Precondition::None).await;
                match self.0.delete(if moved.is_ok() { &trash } else { at }, Precondition::None).await
                {
                    Err(error) if error.is_not_found() => {}
                    result => result?,
                }
            }
            Ok(())
        }
    }
}

/// What each directory was first found by.
#[derive(Debug, Default)]
pub(crate) struct ForgetsDirectories {
    honest: Reference,
    first: Mutex<std::collections::HashMap<Path, Path>>,
}

/// 2.2: a directory is known by the first file that made it, and gone with that.
#[async_trait]
impl Breakage for ForgetsDirectories {
    fn honest(&self) -> &Reference {
        &self.honest
    }

    async fn put_content(
        &self,
        path: &Path,
        content: Payload,
        precondition: Precondition,
    ) -> Result<Metadata> {
        let file = self.honest.put_content(path, content, precondition).await?;
        let mut first = self.first.lock().unwrap();
        for dir in std::iter::successors(path.parent(), Path::parent) {
            first.entry(dir).or_insert_with(|| path.clone());
        }
        Ok(file)
    }

    async fn stat(&self, path: &Path) -> Result<Stat> {
        let first = self.first.lock().unwrap().get(path).cloned();
        match (self.honest.stat(path).await, first) {
            (Ok(Stat::Directory(dir)), Some(first)) if !path.is_root() => {
                self.honest.stat(&first).await.map(|_| Stat::Directory(dir))
            }
            (stat, _) => stat,
        }
    }
}

/// Directories that renames made.
#[derive(Debug, Default)]
pub(crate) struct FailedRenameMakesDirectories {
    honest: Reference,
    made: Mutex<BTreeSet<Path>>,
}

/// 2.2: a rename makes directories before it looks at its condition.
#[async_trait]
impl Breakage for FailedRenameMakesDirectories {
    fn honest(&self) -> &Reference {
        &self.honest
    }

    async fn rename(&self, from: &Path, to: &Path, precondition: Precondition) -> Result<Metadata> {
        self.made.lock().unwrap().extend(std::iter::successors(to.parent(), Path::parent));
        self.honest.rename(from, to, precondition).await
    }

    async fn stat(&self, path: &Path) -> Result<Stat> {
        match self.honest.stat(path).await {
            Err(error) if error.is_not_found() && self.made.lock().unwrap().contains(path) => {
                Ok(Stat::Directory(path.clone()))
            }
            other => other,
        }
    }
}

broken! {
    /// 7.1: a rename onto itself does nothing, whatever the condition.
    OwnRenameIgnoresConditions {
        async fn rename(
            &self,
            from: &Path,
            to: &Path,
            precondition: Precondition,
        ) -> Result<Metadata> {
            let precondition = if from == to { Precondition::None } else { precondition };
            self.0.rename(from, to, precondition).await
        }
    }
}

broken! {
    /// 7.6: a copy onto itself does nothing, whatever the condition.
    OwnCopyIgnoresConditions {
        async fn copy(
            &self,
            from: &Path,
            to: &Path,
            precondition: Precondition,
        ) -> Result<Metadata> {
            let precondition = if from == to { Precondition::None } else { precondition };
            self.0.copy(from, to, precondition).await
        }
    }
}

broken! {
    /// 7.6: a copy is said to be as old as its source.
    CopyKeepsTheTime {
        async fn copy(
            &self,
            from: &Path,
            to: &Path,
            precondition: Precondition,
        ) -> Result<Metadata> {
            let source = self.0.stat(from).await?.into_file()?;
            let file = self.0.copy(from, to, precondition).await?;
            Ok(Metadata::new(file.path, file.size, source.modified, file.version))
        }
    }
}

broken! {
    /// 7.1: a rename is of the moment.
    RenameDates {
        async fn rename(
            &self,
            from: &Path,
            to: &Path,
            precondition: Precondition,
        ) -> Result<Metadata> {
            self.0.touch(from, Precondition::None).await?;
            self.0.rename(from, to, precondition).await
        }
    }
}
