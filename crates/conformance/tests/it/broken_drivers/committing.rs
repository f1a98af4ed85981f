//! Broken drivers: commits and cancels.

use super::breakage::*;

broken_drivers! {
    FailedCommitLosesUpload as failed_commit_that_loses_the_upload: [
        "committing::failed_commit_leaves_upload_resumable",
        "model::sequences_return_what_the_model_returns",
    ];
    CancelDeletesTheFile as cancel_that_deletes_the_file: [
        "committing::cancel_leaves_committed_content",
    ];
    CommitsTwice as commit_to_that_publishes_twice: [
        "committing::commit_to_publishes_at_the_destination_alone",
    ];
    CommitToIgnoresIfVersion as commit_to_that_ignores_if_version: [
        "committing::commit_to_if_version_fails_where_another_is",
        "committing::commit_to_its_own_path_fails_under_a_false_precondition",
    ];
    OwnCommitIgnoresConditions as commit_to_its_own_path_under_no_condition: [
        "committing::commit_to_its_own_path_fails_under_a_false_precondition",
    ];
    CommitToTakesUploadsBelow as commit_to_that_cancels_uploads_below: [
        "committing::commit_to_leaves_uploads_under_the_destination",
    ];
}

writes_with! {
    /// 5.10: a commit that fails cancels the upload.
    FailedCommitLosesUpload, |driver, path| Losing { driver, path }
}

struct Losing {
    driver: Reference,
    path: Path,
}

impl BrokenWriter for Losing {
    async fn commit(self, commit: Commit<'_>) -> Result<Metadata> {
        let result = commit.run().await;
        if result.is_err() {
            drop(self.driver.cancel_upload(&self.path).await);
        }
        result
    }
}

writes_with! {
    /// 5.11: a cancel deletes the committed file.
    CancelDeletesTheFile, |driver, path| Deleting { driver, path }
}

struct Deleting {
    driver: Reference,
    path: Path,
}

impl BrokenWriter for Deleting {
    async fn cancel(self, inner: Writer) -> Result<()> {
        inner.cancel().await?;
        drop(self.driver.delete(&self.path, Precondition::None).await);
        Ok(())
    }
}

writes_with! {
    /// 5.12: `commit_to` publishes at the writer's own path too.
    CommitsTwice, |driver, path| Twice { driver, path }
}

struct Twice {
    driver: Reference,
    path: Path,
}

impl BrokenWriter for Twice {
    async fn commit(self, commit: Commit<'_>) -> Result<Metadata> {
        let dest = commit.dest.clone();
        let file = commit.run().await?;
        drop(self.driver.copy(&dest, &self.path, Precondition::None).await);
        Ok(file)
    }
}

writes_with! {
    /// 5.12: `commit_to` treats `IfVersion` as no condition.
    CommitToIgnoresIfVersion, |_, _| Unconditional { own_path_only: false }
}

writes_with! {
    /// 5.12: `commit_to` to its own path is a commit, whatever the condition.
    OwnCommitIgnoresConditions, |_, _| Unconditional { own_path_only: true }
}

struct Unconditional {
    own_path_only: bool,
}

impl BrokenWriter for Unconditional {
    async fn commit(self, commit: Commit<'_>) -> Result<Metadata> {
        let precondition = match commit.precondition {
            Precondition::IfVersion(_) if !self.own_path_only => Precondition::None,
            _ if commit.is_to_own_path() => Precondition::None,
            ref other => other.clone(),
        };
        Commit { precondition, ..commit }.run().await
    }
}

writes_with! {
    /// 5.12: `commit_to` cancels uploads below the destination.
    CommitToTakesUploadsBelow, |driver, _| TakingBelow { driver }
}

struct TakingBelow {
    driver: Reference,
}

impl BrokenWriter for TakingBelow {
    async fn commit(self, commit: Commit<'_>) -> Result<Metadata> {
        let dest = commit.dest.clone();
        let file = commit.run().await?;
        for upload in self.driver.uploads(&dest, ListOptions::new()).await?.items {
            if upload.path != dest {
                self.driver.cancel_upload(&upload.path).await?;
            }
        }
        Ok(file)
    }
}
