//! Broken drivers: when directories exist, and what they exclude.

use std::{
    collections::{BTreeSet, HashMap},
    iter::successors,
    sync::Mutex,
};

use super::breakage::*;

broken_drivers! {
    ReplacesDirectories as put_that_replaces_a_directory: [
        "namespace::a_put_at_a_directory_is_a_path_conflict",
    ];
    ForgetsDirectories as directory_that_goes_with_its_first_child: [
        "namespace::a_directory_stays_when_its_first_child_goes",
    ];
    KeepsEmptyDirectories as empty_directory: [
        "namespace::the_last_deletion_removes_all_directories_above",
    ];
    FailedRenameMakesDirectories as rename_that_fails_and_makes_directories: [
        "namespace::a_rename_that_fails_leaves_no_directory",
    ];
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
            if !path.is_root() && self.inner.stat(path).await.is_ok_and(|stat| stat.is_dir()) {
                self.inner.delete(path, Precondition::None).await?;
            }
            self.inner.put_content(path, content, precondition).await
        }
    }
}

broken! {
    /// 2.2: a directory exists as long as the first file that was put in it.
    ForgetsDirectories(first: Mutex<HashMap<Path, Path>>) {
        async fn put_content(
            &self,
            path: &Path,
            content: Payload,
            precondition: Precondition,
        ) -> Result<Metadata> {
            let file = self.inner.put_content(path, content, precondition).await?;
            let mut first = self.first.lock().unwrap();
            for dir in successors(path.parent(), Path::parent) {
                first.entry(dir).or_insert_with(|| path.clone());
            }
            Ok(file)
        }

        async fn stat(&self, path: &Path) -> Result<Stat> {
            let first = self.first.lock().unwrap().get(path).cloned();
            match (self.inner.stat(path).await, first) {
                (Ok(Stat::Directory(dir)), Some(first)) if !path.is_root() => {
                    self.inner.stat(&first).await.map(|_| Stat::Directory(dir))
                }
                (stat, _) => stat,
            }
        }
    }
}

/// The directories that an operation made, which `stat` finds also when nothing is in them.
#[derive(Debug, Default)]
struct Made(Mutex<BTreeSet<Path>>);

impl Made {
    fn above(&self, path: &Path) {
        self.0.lock().unwrap().extend(successors(path.parent(), Path::parent));
    }

    fn stat(&self, path: &Path, stat: Result<Stat>) -> Result<Stat> {
        match stat {
            Err(error) if error.is_not_found() && self.0.lock().unwrap().contains(path) => {
                Ok(Stat::Directory(path.clone()))
            }
            other => other,
        }
    }
}

broken! {
    /// 2.2: a directory stays when its last file is deleted.
    KeepsEmptyDirectories(made: Made) {
        async fn put_content(
            &self,
            path: &Path,
            content: Payload,
            precondition: Precondition,
        ) -> Result<Metadata> {
            let file = self.inner.put_content(path, content, precondition).await?;
            self.made.above(path);
            Ok(file)
        }

        async fn stat(&self, path: &Path) -> Result<Stat> {
            self.made.stat(path, self.inner.stat(path).await)
        }
    }
}

broken! {
    /// 2.2: a rename makes directories before it checks its condition.
    FailedRenameMakesDirectories(made: Made) {
        async fn rename(
            &self,
            from: &Path,
            to: &Path,
            precondition: Precondition,
        ) -> Result<Metadata> {
            self.made.above(to);
            self.inner.rename(from, to, precondition).await
        }

        async fn stat(&self, path: &Path) -> Result<Stat> {
            self.made.stat(path, self.inner.stat(path).await)
        }
    }
}
