//! Broken drivers: rename, copy and touch.

use futures::TryStreamExt;
use tokio::task::yield_now;

use super::breakage::*;

broken_drivers! {
    RenamesByCopy as rename_that_makes_a_version: ["renaming::rename_keeps_the_version"];
    RenamesInTwoSteps as rename_that_is_dropped_half_way: [
        "cancel_safety::dropped_rename_moves_once_or_never",
        "model::operations_with_faults_take_effect_once_or_never",
    ];
    RenamesNothing as rename_of_nothing: [
        "renaming::rename_from_nothing_names_from_and_leaves_to",
        "model::sequences_return_what_the_model_returns",
    ];
    SwallowsItself as directory_that_swallows_itself: [
        "directories::rename_into_own_subtree_is_a_path_conflict",
    ];
    MovesFileByFile as directory_that_moves_in_parts: [
        "cancel_safety::dropped_rename_dir_loses_no_file",
        "linearizability::operations_on_several_paths_take_effect_at_one_moment",
    ];
    CopySharesTheVersion as copy_that_shares_the_version: ["copying::copy_makes_a_new_version"];
    CopyKeepsTheTime as copy_that_keeps_the_time: ["times::a_copy_sets_the_time"];
    RenameDates as rename_that_sets_the_time: ["times::a_later_rename_keeps_the_time"];
    TouchKeepsTheVersion as touch_that_keeps_the_version: [
        "copying::touch_makes_a_new_version_of_the_same_content",
    ];
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
            let file = self.inner.copy(from, to, precondition).await?;
            if from != to {
                self.inner.delete(from, Precondition::None).await?;
            }
            Ok(file)
        }
    }
}

broken! {
    /// 7.1 and 9.1: a rename removes the file at its destination, waits, and then moves the file.
    RenamesInTwoSteps {
        async fn rename(
            &self,
            from: &Path,
            to: &Path,
            precondition: Precondition,
        ) -> Result<Metadata> {
            let is_file = self.inner.stat(from).await.is_ok_and(|stat| stat.is_file());
            if is_file && from != to && precondition.is_none() {
                drop(self.inner.rename(to, &path("/trash"), Precondition::None).await);
                yield_now().await;
            }
            self.inner.rename(from, to, precondition).await
        }
    }
}

broken! {
    /// 7.3: a rename from nothing removes the file at its destination.
    RenamesNothing {
        async fn rename(
            &self,
            from: &Path,
            to: &Path,
            precondition: Precondition,
        ) -> Result<Metadata> {
            if !self.inner.exists(from).await? && !from.is_root() && !to.is_root() {
                drop(self.inner.delete(to, Precondition::None).await);
            }
            self.inner.rename(from, to, precondition).await
        }
    }
}

broken! {
    /// 7.3: a directory that is moved into itself is deleted.
    SwallowsItself {
        async fn rename_dir(&self, from: &Path, to: &Path) -> Result<()> {
            if from != to && to.starts_with(from) && self.inner.exists(from).await? {
                return self.inner.delete_dir(from).await;
            }
            self.inner.rename_dir(from, to).await
        }
    }
}

broken! {
    /// 7.2: `atomic_rename` is claimed, and a directory moves file by file.
    MovesFileByFile {
        async fn rename_dir(&self, from: &Path, to: &Path) -> Result<()> {
            let files: Vec<Entry> = self.inner.walk(from, WalkOptions::new()).try_collect().await?;
            // The errors are those of the reference.
            if to.starts_with(from) || to.is_root() || from.is_root() || self.inner.exists(to).await? {
                return self.inner.rename_dir(from, to).await;
            }
            for file in files.iter().filter(|entry| entry.is_file()) {
                let below = file.path().strip_prefix(from).expect("it is below");
                self.inner.rename(file.path(), &to.join(below)?, Precondition::None).await?;
                yield_now().await;
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
            let content = self.inner.get_bytes(from, u64::MAX).await;
            let file = self.inner.copy(from, to, precondition).await?;
            if from == to {
                return Ok(file);
            }
            let file = self.inner.rename(from, to, Precondition::None).await?;
            self.inner.put(from, content?).await?;
            Ok(file)
        }
    }
}

broken! {
    /// 7.6: a copy has the time of its source.
    CopyKeepsTheTime {
        async fn copy(
            &self,
            from: &Path,
            to: &Path,
            precondition: Precondition,
        ) -> Result<Metadata> {
            let source = self.inner.stat(from).await?.into_file()?;
            let file = self.inner.copy(from, to, precondition).await?;
            Ok(Metadata::new(file.path, file.size, source.modified, file.version))
        }
    }
}

broken! {
    /// 7.1: a rename sets the time.
    RenameDates {
        async fn rename(
            &self,
            from: &Path,
            to: &Path,
            precondition: Precondition,
        ) -> Result<Metadata> {
            self.inner.touch(from, Precondition::None).await?;
            self.inner.rename(from, to, precondition).await
        }
    }
}

broken! {
    /// 7.7: a touch keeps the version.
    TouchKeepsTheVersion {
        async fn touch(&self, path: &Path, _: Precondition) -> Result<Metadata> {
            self.inner.get_content(path, u64::MAX).await.map(|content| content.metadata().clone())
        }
    }
}
