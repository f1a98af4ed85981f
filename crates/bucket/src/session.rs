//! [`Session`]: an upload behind a writer, which is polled.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use storage_driver::{Error, Metadata, Path, Precondition, Result, WriteSession};

use crate::{
    tasks::{Running, Tasks},
    turns,
    upload::{Pressure, Upload},
};

type Job = Running<(Box<Upload>, Result<()>)>;

enum State {
    Idle(Box<Upload>),
    Sending(Job),
    Keeping(Job),
    /// A task was cut off by the end of its runtime.
    Lost,
}

/// The session of a writer.
pub(crate) struct Session {
    state: State,
    exclusive_buffers: bool,
    /// A note that was set while a task had the upload.
    note: Option<Bytes>,
    path: Path,
    tasks: std::sync::Arc<Tasks>,
}

impl Session {
    pub(crate) fn new(upload: Upload, exclusive_buffers: bool) -> Self {
        let (path, tasks) = (upload.path().clone(), upload.backend().tasks.clone());
        let state = State::Idle(Box::new(upload));
        Self { state, exclusive_buffers, note: None, path, tasks }
    }

    fn start<F>(&self, mut upload: Box<Upload>, work: F) -> Job
    where
        F: for<'a> FnOnce(&'a mut Upload) -> BoxFuture<'a, Result<()>> + Send + 'static,
    {
        self.tasks.spawn(vec![self.path.clone()], async move {
            let result = work(&mut upload).await;
            (upload, result)
        })
    }

    /// Waits for the task that has the upload.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let (State::Sending(job) | State::Keeping(job)) = &mut self.state else {
            return Poll::Ready(Ok(()));
        };
        match ready!(Pin::new(job).poll(cx)) {
            Ok((mut upload, result)) => {
                if let Some(note) = self.note.take() {
                    upload.set_note(note);
                }
                self.state = State::Idle(upload);
                Poll::Ready(result)
            }
            Err(error) => {
                self.state = State::Lost;
                Poll::Ready(Err(error))
            }
        }
    }

    fn take(&mut self) -> Result<Box<Upload>> {
        match std::mem::replace(&mut self.state, State::Lost) {
            State::Idle(upload) => Ok(upload),
            state => {
                self.state = state;
                Err(lost())
            }
        }
    }

    async fn finish(&mut self) -> Result<Box<Upload>> {
        // Its error, if it had one, comes back when the same is tried again.
        let _ = std::future::poll_fn(|cx| self.poll_idle(cx)).await;
        self.take()
    }
}

fn lost() -> Error {
    Error::new(storage_driver::ErrorKind::Unavailable).with_source("the upload was cut off")
}

#[async_trait]
impl WriteSession for Session {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            self.tasks.check_open()?;
            ready!(self.poll_idle(cx))?;
            let upload = self.take()?;
            let job = match upload.pressure() {
                Pressure::None => {
                    self.state = State::Idle(upload);
                    return Poll::Ready(Ok(()));
                }
                Pressure::Send(length) => {
                    self.start(upload, move |upload| upload.send(length).boxed())
                }
                Pressure::Spill => self.start(upload, |upload| upload.spill().boxed()),
                Pressure::Wait => self.start(upload, |upload| upload.wait(turns::IDLE).boxed()),
            };
            self.state = State::Sending(job);
        }
    }

    fn start_write(&mut self, data: Bytes) -> Result<()> {
        let State::Idle(upload) = &mut self.state else { return Err(lost()) };
        match self.exclusive_buffers {
            true => upload.accept(data),
            false => upload.accept_copy(&data),
        }
        Ok(())
    }

    fn start_write_slice(&mut self, data: &[u8]) -> Result<()> {
        let State::Idle(upload) = &mut self.state else { return Err(lost()) };
        upload.accept_copy(data);
        Ok(())
    }

    fn set_note(&mut self, note: Bytes) -> Result<()> {
        match &mut self.state {
            State::Idle(upload) => upload.set_note(note),
            _ => self.note = Some(note),
        }
        Ok(())
    }

    fn poll_sync(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            self.tasks.check_open()?;
            let kept = matches!(self.state, State::Keeping(_)) && self.note.is_none();
            ready!(self.poll_idle(cx))?;
            if kept {
                return Poll::Ready(Ok(()));
            }
            let upload = self.take()?;
            let job = self.start(upload, |upload| upload.keep().boxed());
            self.state = State::Keeping(job);
        }
    }

    async fn commit_to(
        mut self: Box<Self>,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        self.tasks.enter(&[dest]).await?;
        let upload = self.finish().await?;
        let paths = vec![self.path.clone(), dest.clone()];
        self.tasks.spawn(paths, upload.commit(dest.clone(), precondition)).await?
    }

    async fn cancel(mut self: Box<Self>) -> Result<()> {
        self.tasks.check_open()?;
        let upload = self.finish().await?;
        self.tasks.spawn(vec![self.path.clone()], upload.cancel()).await?
    }
}
