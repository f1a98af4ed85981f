//! Broken drivers: appends, and what they start from.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use super::breakage::*;

broken_drivers! {
    AppendLosesTheRace as append_that_loses_the_race: [
        "appending::append_commits_only_onto_its_base",
    ];
    CreateKeepsTheBase as create_that_remembers_an_append: [
        "appending::create_after_an_append_forgets_its_base",
    ];
    AppendChecksContent as append_that_compares_contents: [
        "appending::append_onto_a_touched_file_fails",
        "appending::append_onto_equal_content_of_another_version_fails",
    ];
    AppendChecksThePathAlone as append_that_is_lost_by_a_rename: [
        "appending::append_onto_a_file_renamed_away_and_back_succeeds",
    ];
    AppendOfNothingIsNothing as append_of_nothing_without_a_commit: [
        "appending::append_of_nothing_gives_a_new_version",
    ];
}

broken! {
    /// 5.5: an append commits onto any version of the file.
    AppendLosesTheRace {
        async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
            let writer = self.inner.writer(path, options.clone()).await?;
            let WriteMode::Append { .. } = options.mode else { return Ok(writer) };
            let content = self.inner.get_bytes(path, u64::MAX).await?;
            let mut writer = self.inner.create(path).await?;
            writer.write_bytes(content).await?;
            Ok(writer)
        }
    }
}

/// The version of a file.
async fn version(driver: &Reference, path: &Path) -> Option<Version> {
    driver.stat(path).await.ok()?.into_file().ok().map(|file| file.version)
}

broken! {
    /// 5.3: a new upload keeps the base of the append before it.
    CreateKeepsTheBase(bases: Mutex<HashMap<Path, Version>>) {
        async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
            let mode = options.mode;
            let base = version(&self.inner, path).await;
            let inner = self.inner.writer(path, options).await?;
            let mut bases = self.bases.lock().unwrap();
            if let (WriteMode::Append { .. }, Some(base)) = (&mode, base) {
                bases.insert(path.clone(), base);
            }
            Ok(match (mode, bases.get(path)) {
                (WriteMode::Create, Some(base)) => broken_writer(inner, Based(base.clone())),
                _ => inner,
            })
        }
    }
}

struct Based(Version);

impl BrokenWriter for Based {
    async fn commit(self, commit: Commit<'_>) -> Result<Metadata> {
        let precondition = Precondition::IfVersion(self.0);
        Commit { precondition, ..commit }.run().await
    }
}

/// A broken driver whose appends are of one [`BrokenWriter`], made from the reference and the content that was
/// there.
macro_rules! appends_with {
    ($(#[$doc:meta])* $name:ident, $behaviour:expr) => {
        broken! {
            $(#[$doc])*
            $name {
                async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
                    let WriteMode::Append { .. } = options.mode else {
                        return self.inner.writer(path, options).await;
                    };
                    let behaviour: fn(Reference, Content) -> _ = $behaviour;
                    let inner = self.inner.writer(path, options).await?;
                    let content = self.inner.get_content(path, u64::MAX).await?;
                    Ok(broken_writer(inner, behaviour(self.inner.clone(), content)))
                }
            }
        }
    };
}

appends_with! {
    /// 5.5: an append commits onto equal content of any version.
    AppendChecksContent, |driver, content| OntoEqual { driver, content: content.into_bytes() }
}

struct OntoEqual {
    driver: Reference,
    content: Bytes,
}

impl BrokenWriter for OntoEqual {
    async fn commit(self, commit: Commit<'_>) -> Result<Metadata> {
        match self.driver.get_bytes(commit.dest, u64::MAX).await {
            Ok(content) if commit.is_to_own_path() && content == self.content => {
                // A commit to another path does not check what the append started from.
                let (aside, Commit { inner, dest, precondition }) = (path("/aside"), commit);
                inner.commit_to(&aside, Precondition::None).await?;
                self.driver.rename(&aside, dest, precondition).await
            }
            _ => commit.run().await,
        }
    }
}

broken! {
    /// 5.5: an append is lost when its file is renamed, also if it is renamed back.
    AppendChecksThePathAlone(renamed: Arc<Mutex<HashSet<Path>>>) {
        async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
            let inner = self.inner.writer(path, options).await?;
            self.renamed.lock().unwrap().remove(path);
            Ok(broken_writer(inner, LosesRenamed { renamed: Arc::clone(&self.renamed) }))
        }

        async fn rename(
            &self,
            from: &Path,
            to: &Path,
            precondition: Precondition,
        ) -> Result<Metadata> {
            self.renamed.lock().unwrap().insert(from.clone());
            self.inner.rename(from, to, precondition).await
        }
    }
}

struct LosesRenamed {
    renamed: Arc<Mutex<HashSet<Path>>>,
}

impl BrokenWriter for LosesRenamed {
    async fn commit(self, commit: Commit<'_>) -> Result<Metadata> {
        if commit.is_to_own_path() && self.renamed.lock().unwrap().contains(commit.dest) {
            return Err(ErrorKind::PreconditionFailed.into());
        }
        commit.run().await
    }
}

appends_with! {
    /// 5.5: an append of nothing leaves the file and its version unchanged.
    AppendOfNothingIsNothing, |_, content| OfNothing { file: content.metadata().clone() }
}

struct OfNothing {
    file: Metadata,
}

impl BrokenWriter for OfNothing {
    async fn commit(self, commit: Commit<'_>) -> Result<Metadata> {
        if commit.is_to_own_path() && commit.inner.size() == self.file.size {
            commit.inner.cancel().await?;
            return Ok(self.file);
        }
        commit.run().await
    }
}
