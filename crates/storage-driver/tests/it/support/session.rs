//! `Scripted`: a write session that does what its script says and tells what was asked of it.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll},
    time::SystemTime,
};

use async_trait::async_trait;
use bytes::Bytes;
use storage_driver::{
    Error, ErrorKind, Metadata, Path, Precondition, Result, Version, WriteSession, Writer,
};

/// A handle on what a [`Writer`] over a scripted session does.
#[derive(Clone, Default)]
pub(crate) struct Script(Arc<Mutex<State>>);

#[derive(Default)]
pub(crate) struct State {
    /// What was asked of the session, in order.
    pub(crate) calls: Vec<String>,
    /// What it accepted, piece by piece.
    pub(crate) accepted: Vec<Bytes>,
    /// How often it says `Pending` before it says each `Ready`.
    pub(crate) pending: usize,
    /// How often it has said so since the last `Ready`.
    waited: usize,
    /// The call that fails.
    pub(crate) fails: Option<&'static str>,
}

impl Script {
    /// A writer of the upload at `/upload`, which stands at 100 bytes.
    pub(crate) fn writer(&self) -> Writer {
        self.writer_at(Path::parse("/upload").unwrap(), 100)
    }

    pub(crate) fn writer_at(&self, path: Path, size: u64) -> Writer {
        Writer::new("test", path, size, Session(self.clone()))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// What was asked of the session since this was asked last.
    pub(crate) fn take_calls(&self) -> String {
        std::mem::take(&mut self.state().calls).join(", ")
    }

    /// All that was accepted, in one.
    pub(crate) fn accepted(&self) -> String {
        String::from_utf8(self.state().accepted.concat()).unwrap()
    }

    fn call(&self, call: &'static str, details: &str) -> Result<()> {
        let mut state = self.state();
        state.calls.push(format!("{call}{details}"));
        if state.fails == Some(call) { Err(Error::new(ErrorKind::Timeout)) } else { Ok(()) }
    }

    fn poll(&self, call: &'static str, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let mut state = self.state();
        if state.waited < state.pending {
            state.waited += 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        state.waited = 0;
        drop(state);
        Poll::Ready(self.call(call, ""))
    }
}

struct Session(Script);

#[async_trait]
impl WriteSession for Session {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.0.poll("ready", cx)
    }

    fn start_write(&mut self, data: Bytes) -> Result<()> {
        self.0.call("write", "")?;
        self.0.state().accepted.push(data);
        Ok(())
    }

    fn set_note(&mut self, note: Bytes) -> Result<()> {
        self.0.call("note", &format!(" {}", note.len()))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.0.poll("flush", cx)
    }

    fn poll_sync(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.0.poll("sync", cx)
    }

    async fn commit_to(
        self: Box<Self>,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        self.0.call("commit", &format!(" {dest} {precondition:?}"))?;
        let size = 100 + self.0.accepted().len() as u64;
        Ok(Metadata::new(dest.clone(), size, SystemTime::UNIX_EPOCH, Version::from(1)))
    }

    async fn cancel(self: Box<Self>) -> Result<()> {
        self.0.call("cancel", "")
    }
}
