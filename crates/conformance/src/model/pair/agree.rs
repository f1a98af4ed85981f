//! Comparing the states of subject and model.

use futures::future::{join, join_all};
use storage_driver::{Path, Result as Outcome, Stat, StorageDriver, UploadInfo};

use super::{
    Pair, broken,
    writers::{Opening, is_unsure},
};
use crate::{
    check::LIMIT,
    model::{
        compare::{Difference, content},
        op::Op,
        side::{Contents, Output},
    },
    reference::State,
};

impl Pair {
    /// A reader may fail with `ContentChanged` only if the content did change.
    pub(super) async fn content_changed(&mut self, slot: usize) -> Result<(), Difference> {
        self.subject.readers[slot] = None;
        let Some(reader) = self.model.readers[slot].take() else { return Ok(()) };
        let then = reader.metadata();
        match self.model.driver.stat(&then.path).await {
            Ok(Stat::File(now)) if now.version == then.version => {
                Err("the reader failed with `ContentChanged`, and the content did not change"
                    .to_owned())
            }
            _ => Ok(()),
        }
    }

    /// After an operation with an unknown outcome: the subject must be in the state of the model after the operation,
    /// or in the state before it.
    pub(super) async fn reconcile(
        &mut self,
        op: &Op,
        expected: &Outcome<Output>,
        saved: Option<State>,
    ) -> Result<(), Difference> {
        match *op {
            Op::Open { reader, .. } | Op::Read { reader, .. } | Op::DropReader { reader } => {
                self.subject.readers[reader] = None;
                self.model.readers[reader] = None;
            }
            Op::Writer { writer, .. } => {
                self.subject.writers[writer] = None;
                self.model.writers[writer] = None;
            }
            Op::Commit { writer } | Op::CommitTo { writer, .. } | Op::Cancel { writer } => {
                // It is still open if the operation was never polled.
                self.subject.writers[writer] = None;
            }
            _ => {}
        }
        // A dropped operation takes effect before the next operation on its path, or never.
        for at in op.paths() {
            drop(self.subject.driver.stat(&at).await);
            drop(self.subject.driver.uploads(&at, Default::default()).await);
        }
        let opening = match *op {
            Op::Commit { writer } | Op::CommitTo { writer, .. } | Op::Cancel { writer } => {
                self.openings[writer].take()
            }
            _ => None,
        };
        let Err(after) = self.agree().await else {
            // The writer was not received, and a sync without a response has kept nothing for sure.
            if !matches!(op, Op::Writer { .. } | Op::Sync { .. }) {
                self.remember(op, expected);
            }
            return Ok(());
        };
        if let Some(saved) = saved {
            self.reference.restore(saved);
        }
        if let Some(opening) = opening.filter(Opening::is_unsure)
            && !self.subject.driver.capabilities().keeps_on_drop
        {
            self.settle(&opening).await?;
        }
        self.agree().await.map_err(|before| {
            format!("it took effect in part: after it, {after}; before it, {before}")
        })
    }

    /// Whether the two are in the same state after `op`, by all that can be read without contents.
    pub(super) async fn agree_after(&mut self, op: &Op) -> Result<(), Difference> {
        let paths = op.paths();
        let (subject_stats, subject) = observe(&*self.subject.driver, &paths).await?;
        let (model_stats, model) = observe(&*self.model.driver, &paths).await?;
        for ((at, subject), model) in paths.iter().zip(subject_stats).zip(model_stats) {
            let (subject, model) = (subject.map(Output::Stat), model.map(Output::Stat));
            self.versions
                .compare(subject, model, |_| false)
                .map_err(|difference| format!("stat of {at} afterwards: {difference}"))?;
        }
        self.compare(&subject, &model)
    }

    /// Whether the two are in the same state, contents included. If not, nothing is learned about versions.
    pub(super) async fn agree(&mut self) -> Result<(), Difference> {
        let versions = self.versions.clone();
        let agreed = self.compare_with_contents().await;
        if agreed.is_err() {
            self.versions = versions;
        }
        agreed
    }

    async fn compare_with_contents(&mut self) -> Result<(), Difference> {
        let subject = Contents::of(&*self.subject.driver).await.map_err(broken)?;
        let model = Contents::of(&*self.model.driver).await.map_err(broken)?;
        self.compare(&subject, &model)?;
        for entry in model.entries.iter().filter(|entry| entry.is_file()) {
            let at = entry.path();
            let subject = self.subject.driver.get_content(at, LIMIT).await.map_err(broken)?;
            let model = self.model.driver.get_content(at, LIMIT).await.map_err(broken)?;
            self.versions.file(subject.metadata(), model.metadata())?;
            content(&subject.into_bytes(), &model.into_bytes())
                .map_err(|difference| format!("{at}: {difference}"))?;
        }
        Ok(())
    }

    fn compare(&mut self, subject: &Contents, model: &Contents) -> Result<(), Difference> {
        self.versions.entries(&subject.entries, &model.entries)?;
        let unsure = |upload: &UploadInfo| is_unsure(&self.openings, upload);
        self.versions.uploads(&subject.uploads, &model.uploads, unsure)
    }
}

/// What a store has at `paths`, and everything in it without contents, with overlapping calls.
async fn observe(
    driver: &dyn StorageDriver,
    paths: &[Path],
) -> Result<(Vec<Outcome<Stat>>, Contents), Difference> {
    let stats = join_all(paths.iter().map(|at| driver.stat(at)));
    let (stats, contents) = join(stats, Contents::of(driver)).await;
    Ok((stats, contents.map_err(broken)?))
}
