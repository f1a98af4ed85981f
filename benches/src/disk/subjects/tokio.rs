//! [`Tokio`]: the peer `tokio::fs`, by hand.

use std::{
    io::{ErrorKind, SeekFrom},
    ops::Range,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use bytes::Bytes;
use tokio::{
    fs::{self, File},
    io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt},
};

use crate::disk::subject::{BUFFER, First, Subject, changed};

/// `tokio::fs`, as one would write it: a temporary file, which is renamed.
#[derive(Debug)]
pub(crate) struct Tokio {
    root: PathBuf,
    durable: bool,
    next: AtomicU64,
}

/// A file that gets its name at the end.
#[derive(Debug)]
pub(crate) struct Upload {
    file: File,
    from: PathBuf,
    to: PathBuf,
}

impl Subject for Tokio {
    type Upload = Upload;

    async fn open(root: PathBuf, durable: bool) -> Self {
        Self { root, durable, next: AtomicU64::new(0) }
    }

    async fn put(&self, path: &str, content: &Bytes) {
        let mut upload = self.begin(path).await;
        upload.file.write_all(content).await.expect("there is room");
        self.commit(upload).await;
    }

    async fn begin(&self, path: &str) -> Upload {
        let from = self.root.join(format!("temporary-{}", self.next.fetch_add(1, Relaxed)));
        let file = File::create_new(&from).await.expect("it can be created");
        Upload { file, from, to: self.root.join(path) }
    }

    async fn write(&self, to: &mut Upload, chunk: &[u8]) {
        to.file.write_all(chunk).await.expect("there is room");
    }

    async fn write_owned(&self, to: &mut Upload, chunk: Bytes) {
        to.file.write_all(&chunk).await.expect("there is room");
    }

    async fn commit(&self, upload: Upload) {
        let Upload { mut file, from, to } = upload;
        file.flush().await.expect("there is room");
        if self.durable {
            file.sync_all().await.expect("it can be synced");
        }
        drop(file);
        let mut fresh = false;
        match fs::rename(&from, &to).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                fresh = true;
                let dir = to.parent().expect("it is in a directory");
                fs::create_dir(dir).await.expect("it can be created");
                fs::rename(&from, &to).await.expect("the directory is there");
            }
            result => result.expect("nothing is in the way"),
        }
        if self.durable {
            for dir in changed(&to, fresh) {
                let dir = File::open(dir).await.expect("it is there");
                dir.sync_all().await.expect("it can be synced");
            }
        }
    }

    async fn read(&self, path: &str) -> u64 {
        let mut file = File::open(self.root.join(path)).await.expect("it is there");
        let mut buffer = vec![0; BUFFER];
        let mut sum = 0;
        loop {
            match file.read(&mut buffer).await.expect("it can be read") {
                0 => return sum,
                length => sum += length as u64,
            }
        }
    }

    async fn range(&self, path: &str, range: Range<u64>) -> usize {
        let mut file = File::open(self.root.join(path)).await.expect("it is there");
        file.seek(SeekFrom::Start(range.start)).await.expect("it can be sought");
        let mut buffer = vec![0; (range.end - range.start) as usize];
        file.read_exact(&mut buffer).await.expect("it is that long")
    }

    async fn list(&self, dir: &str) -> usize {
        let mut entries = fs::read_dir(self.root.join(dir)).await.expect("it is there");
        let mut count = 0;
        while let Some(entry) = entries.next_entry().await.expect("it can be read") {
            if entry.file_type().await.expect("it is known").is_file() {
                entry.metadata().await.expect("it is there");
            }
            count += 1;
        }
        count
    }

    async fn names(&self, dir: &str) -> usize {
        let mut entries = fs::read_dir(self.root.join(dir)).await.expect("it is there");
        let mut count = 0;
        while entries.next_entry().await.expect("it can be read").is_some() {
            count += 1;
        }
        count
    }

    async fn first(&self, dir: &str, count: usize) -> usize {
        let mut first = First::new(count);
        let mut entries = fs::read_dir(self.root.join(dir)).await.expect("it is there");
        while let Some(entry) = entries.next_entry().await.expect("it can be read") {
            first.push(entry.file_name());
        }
        let names = first.into_vec();
        for name in &names {
            fs::metadata(self.root.join(dir).join(name)).await.expect("it is there");
        }
        names.len()
    }

    async fn walk(&self, dir: &str) -> usize {
        let mut dirs = vec![self.root.join(dir)];
        let mut files = 0;
        while let Some(dir) = dirs.pop() {
            let mut entries = fs::read_dir(dir).await.expect("it is there");
            while let Some(entry) = entries.next_entry().await.expect("it can be read") {
                if entry.file_type().await.expect("it is known").is_dir() {
                    dirs.push(entry.path());
                } else {
                    entry.metadata().await.expect("it is there");
                    files += 1;
                }
            }
        }
        files
    }
}
