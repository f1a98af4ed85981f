//! Lies about uploads and writers.

use futures::FutureExt;

use crate::lie::*;

/// A liar whose writers are in the hands of that pen, made from the honest driver and the path.
macro_rules! writes_with {
    ($(#[$doc:meta])* $name:ident, $pen:expr) => {
        liar! {
            $(#[$doc])*
            $name {
                async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
                    let pen: fn(Reference, Path) -> _ = $pen;
                    let inner = self.0.writer(path, options).await?;
                    Ok(lying_writer(inner, pen(self.0.clone(), path.clone())))
                }
            }
        }
    };
}

writes_with! {
    /// 5.1: what is written is visible at once.
    ShowsUploads, |driver, path| Showing { driver, path, bytes: Vec::new() }
}

struct Showing {
    driver: Reference,
    path: Path,
    bytes: Vec<u8>,
}

impl Pen for Showing {
    fn write(&mut self, inner: &mut Writer, data: Bytes) -> Result<()> {
        self.bytes.extend_from_slice(&data);
        let shown = self.driver.put(&self.path, self.bytes.clone()).now_or_never();
        drop(shown);
        pass(inner, data)
    }
}

liar! {
    /// 5.3: `Create` goes on with the upload that is there.
    CreatesOnTop {
        async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
            match (options.mode, self.0.resume(path).await) {
                (WriteMode::Create, Ok(writer)) => Ok(writer),
                _ => self.0.writer(path, options).await,
            }
        }
    }
}

liar! {
    /// 5.8: the size counts from where the writer was opened.
    CountsFromZero {
        async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
            Ok(lying_writer_at(0, self.0.writer(path, options).await?, HonestPen))
        }
    }
}

liar! {
    /// 5.6: where the caller believes the upload to stand is not looked at.
    ResumesAnywhere {
        async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
            match options.mode {
                WriteMode::Resume { .. } => self.0.resume(path).await,
                _ => self.0.writer(path, options).await,
            }
        }
    }
}

liar! {
    /// 5.6: a wrong offset fences the writer that is open.
    FencesOnMismatch {
        async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
            if let WriteMode::Resume { at: Some(_) } = options.mode {
                drop(self.0.resume(path).await);
            }
            self.0.writer(path, options).await
        }
    }
}

writes_with! {
    /// 5.7: what a fenced writer sends joins the upload of its successor.
    WritesWhenFenced, |driver, path| Unfenced { driver, path }
}

struct Unfenced {
    driver: Reference,
    path: Path,
}

impl Pen for Unfenced {
    fn write(&mut self, inner: &mut Writer, data: Bytes) -> Result<()> {
        match pass(inner, data.clone()) {
            Err(error) if error.kind() == ErrorKind::WriterFenced => {
                *inner =
                    self.driver.resume(&self.path).now_or_never().expect("it does not wait")?;
                pass(inner, data)
            }
            other => other,
        }
    }
}

writes_with! {
    /// 5.7: the sync of a fenced writer is said to have kept everything.
    SwallowsErrorsOfSync, |_, _| Swallowing
}

struct Swallowing;

impl Pen for Swallowing {
    fn sync(&mut self, inner: &mut Writer) -> Result<()> {
        drop(inner.sync().now_or_never());
        Ok(())
    }
}

writes_with! {
    /// 5.9: the last piece waits in a buffer, which a close forgets.
    CloseLosesBytes, |_, _| Buffering { last: Bytes::new() }
}

struct Buffering {
    last: Bytes,
}

#[async_trait]
impl Pen for Buffering {
    fn write(&mut self, inner: &mut Writer, data: Bytes) -> Result<()> {
        pass(inner, std::mem::replace(&mut self.last, data))
    }

    async fn commit_to(
        self,
        mut inner: Writer,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        inner.write(self.last).await?;
        inner.commit_to(dest, precondition).await
    }
}

writes_with! {
    /// 5.9: `keeps_on_drop` is claimed, and a drop takes the upload along.
    DropCancels, |_, _| Cancelling
}

struct Cancelling;

impl Pen for Cancelling {
    fn dropped(&mut self, inner: Writer) {
        drop(inner.cancel().now_or_never());
    }
}

writes_with! {
    /// 5.10: a commit that fails takes the upload along.
    FailedCommitLosesUpload, |driver, path| Losing { driver, path }
}

struct Losing {
    driver: Reference,
    path: Path,
}

#[async_trait]
impl Pen for Losing {
    async fn commit_to(
        self,
        inner: Writer,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        let result = inner.commit_to(dest, precondition).await;
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

#[async_trait]
impl Pen for Deleting {
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

#[async_trait]
impl Pen for Twice {
    async fn commit_to(
        self,
        inner: Writer,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        let file = inner.commit_to(dest, precondition).await?;
        drop(self.driver.copy(dest, &self.path, Precondition::None).await);
        Ok(file)
    }
}

liar! {
    /// 5.5: an append forgets what it started from, and commits onto anything.
    AppendLosesTheRace {
        async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
            let writer = self.0.writer(path, options.clone()).await?;
            let WriteMode::Append { .. } = options.mode else { return Ok(writer) };
            let content = self.0.get_bytes(path, u64::MAX).await?;
            let mut writer = self.0.create(path).await?;
            writer.write(content).await?;
            Ok(writer)
        }
    }
}

liar! {
    /// 5.7: a put cancels the upload at its path.
    PutCancelsTheUpload {
        async fn put_content(
            &self,
            path: &Path,
            content: Payload,
            precondition: Precondition,
        ) -> Result<Metadata> {
            let file = self.0.put_content(path, content, precondition).await?;
            drop(self.0.cancel_upload(path).await);
            Ok(file)
        }
    }
}

liar! {
    /// 5.16: old and young are cancelled alike.
    CancelsTheYoung {
        async fn cancel_uploads(&self, path: &Path, _: Duration) -> Result<u64> {
            let uploads = self.0.uploads(path, ListOptions::new()).await?.items;
            for upload in &uploads {
                self.0.cancel_upload(&upload.path).await?;
            }
            Ok(uploads.len() as u64)
        }
    }
}
