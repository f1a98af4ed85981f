//! [`Session`]: the write session of a writer.

use std::{
    sync::MutexGuard,
    task::{Context, Poll},
};

use async_trait::async_trait;
use bytes::Bytes;
use storage_driver::{ErrorKind, Metadata, Path, Precondition, Result, WriteSession};

use super::{Reference, require, state::State};

/// One opening of one upload.
pub(super) struct Session {
    pub(super) driver: Reference,
    pub(super) path: Path,
    pub(super) token: u64,
}

impl Session {
    /// The state, if this opening is still the latest.
    fn open(&self) -> Result<MutexGuard<'_, State>> {
        let state = self.driver.open()?;
        match state.uploads.get(&self.path) {
            Some(upload) if upload.token == self.token => Ok(state),
            _ => Err(ErrorKind::WriterFenced.into()),
        }
    }
}

#[async_trait]
impl WriteSession for Session {
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(self.open().map(drop))
    }

    fn start_write(&mut self, data: Bytes) -> Result<()> {
        let mut state = self.open()?;
        let now = self.driver.now(&state);
        if let Some(upload) = state.uploads.get_mut(&self.path) {
            upload.content.extend_from_slice(&data);
            upload.written = now;
        }
        Ok(())
    }

    fn set_note(&mut self, note: Bytes) -> Result<()> {
        if let Some(upload) = self.open()?.uploads.get_mut(&self.path) {
            upload.note = note;
        }
        Ok(())
    }

    fn poll_sync(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(self.open().map(drop))
    }

    async fn commit_to(
        self: Box<Self>,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        let capabilities = self.driver.capabilities;
        let mut state = self.open()?;
        self.driver.check_length(dest)?;
        require(capabilities.conditional_commit || precondition.is_none())?;
        state.check_place(dest)?;
        state.check(dest, &precondition)?;
        let base = state.uploads.get(&self.path).and_then(|upload| upload.base.clone());
        if let Some(base) = base.filter(|_| *dest == self.path) {
            state.check(dest, &Precondition::IfVersion(base))?;
        }
        let upload = state.uploads.remove(&self.path).ok_or(ErrorKind::WriterFenced)?;
        let now = self.driver.now(&state);
        Ok(state.commit(dest, upload.content.into(), now))
    }

    async fn cancel(self: Box<Self>) -> Result<()> {
        self.open()?.uploads.remove(&self.path);
        Ok(())
    }
}
