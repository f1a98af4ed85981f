//! [`Opendal`]: the peer `opendal`.

use std::{ops::Range, path::PathBuf};

use bytes::Bytes;
use futures::TryStreamExt;
use opendal::{Operator, Writer, services::Fs};

use super::plain::sync;
use crate::disk::subject::{First, Subject, changed};

/// OpenDAL's file system service, behind its operator, with a directory for temporary files, so that
/// what is visible is whole. It syncs every file, whether one wants that or not, and no directory:
/// that is done by hand.
#[derive(Debug)]
pub(crate) struct Opendal {
    operator: Operator,
    root: PathBuf,
    durable: bool,
}

/// The writer, and the path.
pub(crate) type Upload = (Writer, String);

impl Opendal {
    async fn sync(&self, path: &str, fresh: bool) {
        if !self.durable {
            return;
        }
        let path = self.root.join(path);
        let synced = tokio::task::spawn_blocking(move || {
            for dir in changed(&path, fresh) {
                sync(dir);
            }
        });
        synced.await.expect("it can be synced");
    }
}

impl Subject for Opendal {
    type Upload = Upload;

    async fn open(root: PathBuf, durable: bool) -> Self {
        let text = |path: &PathBuf| path.to_str().expect("it is text").to_owned();
        let temporary = root.join("temporary");
        let service = Fs::default().root(&text(&root)).atomic_write_dir(&text(&temporary));
        let operator = Operator::new(service).expect("it can be opened");
        Self { operator, root, durable }
    }

    async fn put(&self, path: &str, content: &Bytes) {
        let fresh = path.split('/').count() > 2;
        self.operator.write(path, content.clone()).await.expect("it is stored");
        self.sync(path, fresh).await;
    }

    async fn begin(&self, path: &str) -> Upload {
        (self.operator.writer(path).await.expect("it can be created"), path.to_owned())
    }

    async fn write(&self, to: &mut Upload, chunk: &[u8]) {
        self.write_owned(to, Bytes::copy_from_slice(chunk)).await;
    }

    async fn write_owned(&self, to: &mut Upload, chunk: Bytes) {
        to.0.write(chunk).await.expect("there is room");
    }

    async fn commit(&self, (mut upload, path): Upload) {
        upload.close().await.expect("nothing is in the way");
        self.sync(&path, false).await;
    }

    async fn read(&self, path: &str) -> u64 {
        let reader = self.operator.reader(path).await.expect("it is there");
        let stream = reader.into_stream(..).await.expect("it is there");
        let sum = stream.try_fold(0, async |sum, chunk| Ok(sum + chunk.len() as u64));
        sum.await.expect("it is read")
    }

    async fn range(&self, path: &str, range: Range<u64>) -> usize {
        self.operator.read_with(path).range(range).await.expect("it is there").len()
    }

    async fn list(&self, dir: &str) -> usize {
        let dir = format!("{dir}/");
        let entries = self.operator.lister(&dir).await.expect("it is listed");
        let counted = entries.try_fold(0, async |count, entry| {
            // It gives the directory too.
            Ok(if entry.path() == dir { count } else { count + 1 })
        });
        counted.await.expect("it is listed")
    }

    async fn first(&self, dir: &str, count: usize) -> usize {
        let dir = format!("{dir}/");
        let entries = self.operator.lister(&dir).await.expect("it is listed");
        let first = entries.try_fold(First::new(count), async |mut first, entry| {
            if entry.path() != dir {
                first.push(entry.path().to_owned());
            }
            Ok(first)
        });
        first.await.expect("it is listed").into_vec().len()
    }

    async fn walk(&self, dir: &str) -> usize {
        let entries = self.operator.lister_with(&format!("{dir}/")).recursive(true).await;
        let counted = entries.expect("it is listed").try_fold(0, async |count, entry| {
            Ok(if entry.metadata().is_file() { count + 1 } else { count })
        });
        counted.await.expect("it is listed")
    }
}
