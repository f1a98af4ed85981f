//! Broken drivers: how writers are opened, write, are fenced, and keep their data.

use std::mem;

use futures::FutureExt;

use super::breakage::*;

broken_drivers! {
    ShowsUploads as visible_upload: [
        "writing::nothing_is_visible_before_the_commit",
        "model::sequences_return_what_the_model_returns",
    ];
    CreatesOnTop as create_that_continues_an_upload: ["writing::create_discards_the_earlier_upload"];
    CountsFromZero as size_without_what_was_resumed: ["writing::resume_continues_the_upload"];
    ResumesAnywhere as resume_at_the_wrong_size: [
        "writing::resume_elsewhere_is_an_offset_mismatch",
        "model::sequences_return_what_the_model_returns",
    ];
    FencesOnMismatch as mismatch_that_fences: ["fencing::an_offset_mismatch_fences_no_writer"];
    WritesWhenFenced as fenced_writer_that_writes: [
        "fencing::data_of_a_fenced_writer_is_not_kept",
        "model::sequences_return_what_the_model_returns",
    ];
    SwallowsErrorsOfSync as swallowed_error_of_a_sync: ["fencing::a_fenced_writer_cannot_sync"];
    CloseLosesBytes as close_that_loses_bytes: ["keeping::close_keeps_everything"];
    DropCancels as drop_that_cancels: ["keeping::a_drop_keeps_everything"];
    DropForgetsWhatFollowedASync as drop_that_forgets_what_was_not_synced: [
        "keeping::a_drop_keeps_data_written_after_a_sync",
        "keeping::data_accepted_before_a_fence_is_kept",
    ];
}

writes_with! {
    /// 5.1: written data is visible at once.
    ShowsUploads, |driver, path| Showing { driver, path, bytes: Vec::new() }
}

struct Showing {
    driver: Reference,
    path: Path,
    bytes: Vec<u8>,
}

impl BrokenWriter for Showing {
    fn write(&mut self, inner: &mut Writer, data: Bytes) -> Result<()> {
        self.bytes.extend_from_slice(&data);
        drop(self.driver.put(&self.path, self.bytes.clone()).now_or_never());
        write(inner, data)
    }
}

broken! {
    /// 5.3: `Create` continues the upload at the path.
    CreatesOnTop {
        async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
            match (options.mode, self.inner.resume(path).await) {
                (WriteMode::Create, Ok(writer)) => Ok(writer),
                _ => self.inner.writer(path, options).await,
            }
        }
    }
}

broken! {
    /// 5.8: the size counts from where the writer was opened.
    CountsFromZero {
        async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
            Ok(broken_writer_at(0, self.inner.writer(path, options).await?, SoundWriter))
        }
    }
}

broken! {
    /// 5.6: the offset that the caller expects is ignored.
    ResumesAnywhere {
        async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
            match options.mode {
                WriteMode::Resume { .. } => self.inner.resume(path).await,
                _ => self.inner.writer(path, options).await,
            }
        }
    }
}

broken! {
    /// 5.6: a wrong offset fences the writer that is open.
    FencesOnMismatch {
        async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
            if let WriteMode::Resume { at: Some(_) } = options.mode {
                drop(self.inner.resume(path).await);
            }
            self.inner.writer(path, options).await
        }
    }
}

writes_with! {
    /// 5.7: a fenced writer writes into the upload of its successor.
    WritesWhenFenced, |driver, path| Unfenced { driver, path }
}

struct Unfenced {
    driver: Reference,
    path: Path,
}

impl BrokenWriter for Unfenced {
    fn write(&mut self, inner: &mut Writer, data: Bytes) -> Result<()> {
        match write(inner, data.clone()) {
            Err(error) if error.kind() == ErrorKind::WriterFenced => {
                let resumed = self.driver.resume(&self.path).now_or_never();
                *inner = resumed.expect("the reference does not wait")?;
                write(inner, data)
            }
            other => other,
        }
    }
}

writes_with! {
    /// 5.7: the sync of a fenced writer succeeds.
    SwallowsErrorsOfSync, |_, _| Swallowing
}

struct Swallowing;

impl BrokenWriter for Swallowing {
    fn sync(&mut self, inner: &mut Writer) -> Result<()> {
        drop(sync(inner));
        Ok(())
    }
}

writes_with! {
    /// 5.9: the last piece stays in a buffer, which a `suspend` forgets.
    CloseLosesBytes, |_, _| Buffering { last: Bytes::new() }
}

struct Buffering {
    last: Bytes,
}

impl BrokenWriter for Buffering {
    fn write(&mut self, inner: &mut Writer, data: Bytes) -> Result<()> {
        write(inner, mem::replace(&mut self.last, data))
    }

    async fn commit(self, mut commit: Commit<'_>) -> Result<Metadata> {
        commit.inner.write_bytes(self.last).await?;
        commit.run().await
    }
}

writes_with! {
    /// 5.9: `keeps_on_drop` is claimed, and a drop cancels the upload.
    DropCancels, |_, _| Cancelling
}

struct Cancelling;

impl BrokenWriter for Cancelling {
    fn dropped(&mut self, inner: Writer) {
        drop(inner.cancel().now_or_never());
    }
}

writes_with! {
    /// 5.9: `keeps_on_drop` is claimed, and data that was not synced is in the writer only.
    DropForgetsWhatFollowedASync, |_, _| SyncsOnly::default()
}

/// Data reaches the writer inside at a sync or a commit, and a note at once.
#[derive(Default)]
pub(super) struct SyncsOnly(Vec<u8>);

impl BrokenWriter for SyncsOnly {
    fn write(&mut self, _: &mut Writer, data: Bytes) -> Result<()> {
        self.0.extend_from_slice(&data);
        Ok(())
    }

    fn sync(&mut self, inner: &mut Writer) -> Result<()> {
        write(inner, mem::take(&mut self.0).into())?;
        sync(inner)
    }

    async fn commit(mut self, mut commit: Commit<'_>) -> Result<Metadata> {
        self.sync(&mut commit.inner)?;
        commit.run().await
    }
}
