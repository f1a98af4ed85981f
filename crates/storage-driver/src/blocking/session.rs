//! [`Session`]: the [`WriteSession`] over a [`BlockingUpload`].

use std::{
    sync::Arc,
    task::{Context, Poll, ready},
};

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    BlockingTasks, BlockingUpload,
    shared::{Open, Shared},
    tasks::Task,
};
use crate::{ErrorKind, Metadata, Path, Precondition, Result, WriteSession};

/// One opening of an upload. It has at most one task, which stores what was accepted before it started,
/// while the caller continues.
pub(super) struct Session<U: BlockingUpload> {
    pub(super) tasks: BlockingTasks,
    pub(super) shared: Arc<Shared<U>>,
    pub(super) open: Arc<Open<U>>,
    pub(super) limit: usize,
    pub(super) task: Option<(Work, Task<()>)>,
    /// The last store failed, and what it did not store is still held.
    pub(super) stalled: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Store,
    Keep,
}

impl<U: BlockingUpload> Session<U> {
    fn check(&self) -> Result<()> {
        if self.tasks.is_shut_down() {
            return Err(ErrorKind::Unavailable.into());
        }
        if self.shared.buffer().has_ended() {
            return Err(ErrorKind::WriterFenced.into());
        }
        Ok(())
    }

    /// Starts a task for everything accepted so far.
    fn start(&mut self, work: Work) -> Result<()> {
        self.shared.buffer().seal();
        let shared = Arc::clone(&self.shared);
        let run = move || match work {
            Work::Store => shared.store(),
            Work::Keep => shared.keep(),
        };
        let task = self.tasks.start(vec![self.shared.path.clone()], false, run)?;
        self.task = Some((work, task));
        Ok(())
    }

    /// Waits for the task, if there is one.
    fn poll_task(&mut self, cx: &mut Context<'_>) -> Poll<Option<(Work, Result<()>)>> {
        let Some((work, task)) = &mut self.task else { return Poll::Ready(None) };
        let (work, result) = (*work, ready!(task.poll_end(cx)));
        self.task = None;
        self.stalled = result.is_err();
        Poll::Ready(Some((work, result)))
    }

    fn held(&self) -> usize {
        self.shared.buffer().len()
    }

    fn accepted(&mut self) {
        // Half of the limit is stored while the caller fills the other half.
        if self.task.is_none() && !self.stalled && self.held() >= self.limit.div_ceil(2) {
            // Refused only after a shutdown, which the next call reports.
            let _ = self.start(Work::Store);
        }
    }
}

#[async_trait]
impl<U: BlockingUpload> WriteSession for Session<U> {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            self.check()?;
            if let Poll::Ready(Some((_, result))) = self.poll_task(cx) {
                result?;
            }
            if self.held() < self.limit && !self.stalled {
                return Poll::Ready(Ok(()));
            }
            if self.task.is_some() {
                return Poll::Pending;
            }
            self.start(Work::Store)?;
        }
    }

    fn start_write(&mut self, data: Bytes) -> Result<()> {
        self.check()?;
        self.shared.buffer().push(data)?;
        self.accepted();
        Ok(())
    }

    fn start_write_slice(&mut self, data: &[u8]) -> Result<()> {
        self.check()?;
        self.shared.buffer().push_slice(data)?;
        self.accepted();
        Ok(())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            self.check()?;
            if let Some((_, result)) = ready!(self.poll_task(cx)) {
                result?;
            }
            if self.held() == 0 {
                return Poll::Ready(Ok(()));
            }
            self.start(Work::Store)?;
        }
    }

    fn set_note(&mut self, note: Bytes) -> Result<()> {
        self.check()?;
        self.shared.buffer().set_note(note)
    }

    fn poll_sync(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            self.check()?;
            match ready!(self.poll_task(cx)) {
                Some((Work::Keep, Err(error))) => return Poll::Ready(Err(error)),
                // It may be the task of an earlier `sync` that was dropped, and data was accepted since.
                Some((Work::Keep, Ok(()))) if self.shared.buffer().is_kept() => {
                    return Poll::Ready(Ok(()));
                }
                // A store that failed is tried again by the task that keeps.
                _ => self.start(Work::Keep)?,
            }
        }
    }

    async fn commit_to(
        self: Box<Self>,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        self.check()?;
        self.shared.buffer().seal();
        let (shared, open) = (Arc::clone(&self.shared), Arc::clone(&self.open));
        let (paths, dest) = (vec![shared.path.clone(), dest.clone()], dest.clone());
        let work = move || shared.commit_to(&open, &dest, precondition);
        self.tasks.start(paths, false, work)?.await
    }

    async fn cancel(self: Box<Self>) -> Result<()> {
        self.check()?;
        let (shared, open) = (Arc::clone(&self.shared), Arc::clone(&self.open));
        let work = move || shared.cancel(&open);
        self.tasks.start(vec![self.shared.path.clone()], false, work)?.await
    }
}

impl<U: BlockingUpload> Drop for Session<U> {
    /// Keeps everything accepted. What the backend refuses stays in [`Open`] for the successor.
    fn drop(&mut self) {
        if self.shared.buffer().has_ended() {
            return;
        }
        let (shared, open) = (Arc::clone(&self.shared), Arc::clone(&self.open));
        let work = move || shared.keep_and_end(&open);
        // Refused only after a shutdown, which keeps the data itself.
        if let Ok(task) = self.tasks.start(vec![self.shared.path.clone()], true, work) {
            task.detach();
        }
    }
}
