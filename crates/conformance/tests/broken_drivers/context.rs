//! Lies about errors: they say what, and not where.

use std::task::{Context, Poll};

use storage_driver::Operation;

use crate::breakage::*;

/// The error without its context.
fn bare(error: Error) -> Error {
    Error::new(error.kind())
}

/// A broken driver whose errors of one method have no context.
macro_rules! without_context {
    ($name:ident, $method:ident($($arg:ident: $type:ty),*) -> $answer:ty) => {
        broken! {
            /// 8.1: an error says what, and not where.
            $name {
                async fn $method(&self, $($arg: $type),*) -> Result<$answer> {
                    self.0.$method($($arg),*).await.map_err(bare)
                }
            }
        }
    };
}

without_context!(OfUploads, uploads(path: &Path, options: ListOptions) -> Page<UploadInfo>);
without_context!(OfCancelUpload, cancel_upload(path: &Path) -> ());
without_context!(OfCancelUploads, cancel_uploads(path: &Path, older_than: Duration) -> u64);
without_context!(OfReader, reader(path: &Path, range: ReadRange) -> Reader);
without_context!(OfStat, stat(path: &Path) -> Stat);
without_context!(
    OfPut, put_content(path: &Path, content: Payload, precondition: Precondition) -> Metadata
);
without_context!(OfDelete, delete(path: &Path, precondition: Precondition) -> ());
without_context!(
    OfRename, rename(from: &Path, to: &Path, precondition: Precondition) -> Metadata
);

broken! {
    /// 8.1: what is wrong with a store is said without context.
    OfHealth {
        async fn health(&self) -> Health {
            let Health { read, write, .. } = self.0.health().await;
            let mut health = Health::ok();
            (health.read, health.write) = (read.map_err(bare), write.map_err(bare));
            health
        }
    }
}

broken! {
    /// 8.4: a writer's errors name the root.
    OfWriters {
        async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
            let inner = self.0.writer(path, options).await?;
            let (path, size) = (path.clone(), inner.size());
            let session = Opening { inner, path: Path::root() };
            Ok(Writer::new("reference", path, size, session))
        }
    }
}

struct Opening {
    inner: Writer,
    path: Path,
}

impl Opening {
    fn wrong(path: &Path, error: &Error) -> Error {
        Error::new(error.kind()).context("reference", Operation::Writer, path)
    }
}

#[async_trait]
impl WriteSession for Opening {
    fn start_write(&mut self, data: Bytes) -> Result<()> {
        pass(&mut self.inner, data).map_err(|error| Self::wrong(&self.path, &error))
    }

    fn set_note(&mut self, note: Bytes) -> Result<()> {
        let set = self.inner.set_note(note);
        set.map_err(|error| Self::wrong(&self.path, &error))
    }

    fn poll_sync(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        let synced = HonestWriter.sync(&mut self.inner);
        Poll::Ready(synced.map_err(|error| Self::wrong(&self.path, &error)))
    }

    async fn commit_to(
        self: Box<Self>,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        let committed = self.inner.commit_to(dest, precondition).await;
        committed.map_err(|error| Self::wrong(&self.path, &error))
    }

    async fn cancel(self: Box<Self>) -> Result<()> {
        self.inner.cancel().await.map_err(|error| Self::wrong(&self.path, &error))
    }
}
