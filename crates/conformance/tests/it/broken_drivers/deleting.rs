//! Broken drivers: deletions.

use super::breakage::*;

broken_drivers! {
    DeletesSiblings as deletion_of_siblings: ["deleting::delete_dir_of_a_leaves_ab"];
    DeleteLeavesUploads as deletion_that_leaves_uploads: [
        "deleting::delete_dir_removes_uploads_at_and_below_the_path",
        "model::sequences_return_what_the_model_returns",
    ];
    DeletesTrees as deletion_of_a_tree: [
        "deleting::delete_of_a_directory_is_refused",
        "deleting::delete_if_version_of_a_directory_is_refused",
        "model::sequences_return_what_the_model_returns",
    ];
    DeleteDirTakesFiles as delete_dir_of_a_file: ["deleting::delete_dir_of_a_file_is_refused"];
    DeletesSome as delete_many_that_deletes_some: [
        "deleting::delete_many_of_a_directory_is_refused",
    ];
    StopsAtTheMissing as delete_many_that_stops: [
        "deleting::delete_many_skips_missing_files",
    ];
    DeleteManyLeavesUploads as delete_many_that_leaves_uploads: [
        "deleting::delete_many_removes_the_upload_at_each_path",
    ];
    DeleteIgnoresIfAbsent as delete_that_ignores_if_absent: [
        "deleting::delete_if_absent_is_unsupported_whatever_is_there",
    ];
    DeleteChecksFirst as delete_of_nothing_that_fails_its_condition: [
        "deleting::delete_if_version_of_nothing_is_not_found",
    ];
    ConditionalDeleteLeavesUploads as conditional_deletion_that_leaves_uploads: [
        "deleting::delete_if_version_removes_the_upload_at_the_path",
    ];
    DeletesUploadsIfVersion as conditional_deletion_of_an_upload: [
        "deleting::delete_if_version_of_an_upload_alone_fails",
    ];
    FailedDeleteFences as deletion_that_fails_and_fences: [
        "deleting::a_deletion_that_fails_fences_no_writer",
    ];
    SwallowsErrorsOfDelete as swallowed_error: ["deleting::delete_of_nothing_is_not_found"];
}

broken! {
    /// 7.4: a deletion also deletes siblings whose names begin with the same text.
    DeletesSiblings {
        async fn delete_dir(&self, path: &Path) -> Result<()> {
            self.inner.delete_dir(path).await?;
            let dir = path.parent().expect("it was no root");
            let Ok(page) = self.inner.list(&dir, ListOptions::new()).await else { return Ok(()) };
            for entry in page.items {
                if entry.path().as_str().starts_with(path.as_str()) {
                    match entry.is_dir() {
                        true => self.inner.delete_dir(entry.path()).await?,
                        false => self.inner.delete(entry.path(), Precondition::None).await?,
                    }
                }
            }
            Ok(())
        }
    }
}

broken! {
    /// 7.4: a deletion leaves uploads, because a rename leaves them.
    DeleteLeavesUploads {
        async fn delete_dir(&self, at: &Path) -> Result<()> {
            let trash = path("/trash/1");
            let moved = self.inner.rename_dir(at, &trash).await.is_ok();
            self.inner.delete_dir(if moved { &trash } else { at }).await
        }
    }
}

broken! {
    /// 7.4: `delete` deletes a directory.
    DeletesTrees {
        async fn delete(&self, path: &Path, precondition: Precondition) -> Result<()> {
            match self.inner.stat(path).await {
                Ok(Stat::Directory(_)) if precondition != Precondition::IfAbsent => {
                    self.inner.delete_dir(path).await
                }
                _ => self.inner.delete(path, precondition).await,
            }
        }
    }
}

broken! {
    /// 7.4: `delete_dir` deletes a file.
    DeleteDirTakesFiles {
        async fn delete_dir(&self, path: &Path) -> Result<()> {
            match self.inner.stat(path).await {
                Ok(Stat::File(_)) => self.inner.delete(path, Precondition::None).await,
                _ => self.inner.delete_dir(path).await,
            }
        }
    }
}

broken! {
    /// 7.5: `linearizable` is claimed, and a `delete_many` that fails has deleted some.
    DeletesSome {
        async fn delete_many(&self, paths: &[Path]) -> Result<()> {
            for path in paths {
                match self.inner.delete(path, Precondition::None).await {
                    Err(error) if error.is_not_found() => {}
                    result => result?,
                }
            }
            Ok(())
        }
    }
}

broken! {
    /// 7.5: a missing file is an error, and the files after it are not deleted.
    StopsAtTheMissing {
        async fn delete_many(&self, paths: &[Path]) -> Result<()> {
            for path in paths {
                self.inner.delete(path, Precondition::None).await?;
            }
            Ok(())
        }
    }
}

broken! {
    /// 7.5: the uploads at the paths are left, because a rename leaves them.
    DeleteManyLeavesUploads {
        async fn delete_many(&self, paths: &[Path]) -> Result<()> {
            for at in paths {
                let trash = path("/trash/1");
                let moved = self.inner.rename(at, &trash, Precondition::None).await.is_ok();
                let at = if moved { &trash } else { at };
                match self.inner.delete(at, Precondition::None).await {
                    Err(error) if error.is_not_found() => {}
                    result => result?,
                }
            }
            Ok(())
        }
    }
}

broken! {
    /// 7.4: `IfAbsent` is treated as no condition.
    DeleteIgnoresIfAbsent {
        async fn delete(&self, path: &Path, precondition: Precondition) -> Result<()> {
            let precondition = match precondition {
                Precondition::IfAbsent => Precondition::None,
                other => other,
            };
            self.inner.delete(path, precondition).await
        }
    }
}

broken! {
    /// 7.4: the condition is checked before the file is looked up.
    DeleteChecksFirst {
        async fn delete(&self, path: &Path, precondition: Precondition) -> Result<()> {
            let conditional = matches!(precondition, Precondition::IfVersion(_));
            match self.inner.delete(path, precondition).await {
                Err(error) if error.is_not_found() && conditional => {
                    Err(ErrorKind::PreconditionFailed.into())
                }
                other => other,
            }
        }
    }
}

broken! {
    /// 7.4: a conditional deletion leaves the upload at the path.
    ConditionalDeleteLeavesUploads {
        async fn delete(&self, at: &Path, precondition: Precondition) -> Result<()> {
            if let (Precondition::IfVersion(version), Ok(Stat::File(file))) =
                (&precondition, self.inner.stat(at).await)
                && file.version == *version
            {
                let trash = path("/trash/1");
                self.inner.rename(at, &trash, Precondition::None).await?;
                return self.inner.delete(&trash, precondition).await;
            }
            self.inner.delete(at, precondition).await
        }
    }
}

broken! {
    /// 7.4: an upload without a file meets every condition.
    DeletesUploadsIfVersion {
        async fn delete(&self, path: &Path, precondition: Precondition) -> Result<()> {
            match (&precondition, self.inner.stat(path).await) {
                (Precondition::IfVersion(_), Err(_)) => {
                    self.inner.delete(path, Precondition::None).await
                }
                _ => self.inner.delete(path, precondition).await,
            }
        }
    }
}

broken! {
    /// 5.7: a deletion fences before it can fail.
    FailedDeleteFences {
        async fn delete(&self, path: &Path, precondition: Precondition) -> Result<()> {
            drop(self.inner.resume(path).await);
            self.inner.delete(path, precondition).await
        }
    }
}

broken! {
    /// 8.5: a deletion that fails returns success.
    SwallowsErrorsOfDelete {
        async fn delete(&self, path: &Path, precondition: Precondition) -> Result<()> {
            drop(self.inner.delete(path, precondition).await);
            Ok(())
        }
    }
}
