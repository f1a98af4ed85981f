//! [`Plain`]: the limit, which is direct system calls from one thread.

use std::{
    fs::{self, File},
    io::{ErrorKind, Read, Write},
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use bytes::Bytes;

use crate::disk::subject::{BUFFER, First, Subject, changed};

/// `std::fs` on the calling thread, which waits: the futures are ready when they are polled first.
#[derive(Debug)]
pub(crate) struct Plain {
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

impl Plain {
    fn create(&self, path: &str) -> Upload {
        let from = self.root.join(format!("temporary-{}", self.next.fetch_add(1, Relaxed)));
        let file = File::create_new(&from).expect("it can be created");
        Upload { file, from, to: self.root.join(path) }
    }

    fn publish(&self, upload: Upload) {
        let Upload { file, from, to } = upload;
        if self.durable {
            file.sync_all().expect("it can be synced");
        }
        drop(file);
        let mut fresh = false;
        match fs::rename(&from, &to) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                fresh = true;
                let dir = to.parent().expect("it is in a directory");
                fs::create_dir(dir).expect("it can be created");
                fs::rename(&from, &to).expect("the directory is there");
            }
            result => result.expect("nothing is in the way"),
        }
        if self.durable {
            for dir in changed(&to, fresh) {
                sync(dir);
            }
        }
    }
}

/// Makes the entries of a directory durable.
pub(crate) fn sync(dir: &Path) {
    File::open(dir).and_then(|dir| dir.sync_all()).expect("it can be synced");
}

impl Subject for Plain {
    type Upload = Upload;

    async fn open(root: PathBuf, durable: bool) -> Self {
        Self { root, durable, next: AtomicU64::new(0) }
    }

    async fn put(&self, path: &str, content: &Bytes) {
        let mut upload = self.create(path);
        upload.file.write_all(content).expect("there is room");
        self.publish(upload);
    }

    async fn begin(&self, path: &str) -> Upload {
        self.create(path)
    }

    async fn write(&self, to: &mut Upload, chunk: &[u8]) {
        to.file.write_all(chunk).expect("there is room");
    }

    async fn write_owned(&self, to: &mut Upload, chunk: Bytes) {
        to.file.write_all(&chunk).expect("there is room");
    }

    async fn commit(&self, upload: Upload) {
        self.publish(upload);
    }

    async fn read(&self, path: &str) -> u64 {
        let mut file = File::open(self.root.join(path)).expect("it is there");
        let mut buffer = vec![0; BUFFER];
        let mut sum = 0;
        loop {
            match file.read(&mut buffer).expect("it can be read") {
                0 => return sum,
                length => sum += length as u64,
            }
        }
    }

    async fn range(&self, path: &str, range: Range<u64>) -> usize {
        let file = File::open(self.root.join(path)).expect("it is there");
        let mut buffer = vec![0; (range.end - range.start) as usize];
        file.read_exact_at(&mut buffer, range.start).expect("it is that long");
        buffer.len()
    }

    async fn list(&self, dir: &str) -> usize {
        let entries = fs::read_dir(self.root.join(dir)).expect("it is there");
        let entries = entries.map(|entry| {
            let entry = entry.expect("it can be read");
            if entry.file_type().expect("it is known").is_file() {
                entry.metadata().expect("it is there");
            }
        });
        entries.count()
    }

    async fn names(&self, dir: &str) -> usize {
        let entries = fs::read_dir(self.root.join(dir)).expect("it is there");
        entries.inspect(|entry| assert!(entry.is_ok(), "an entry can be read")).count()
    }

    async fn first(&self, dir: &str, count: usize) -> usize {
        let mut first = First::new(count);
        for entry in fs::read_dir(self.root.join(dir)).expect("it is there") {
            first.push(entry.expect("it can be read").file_name());
        }
        let names = first.into_vec();
        for name in &names {
            fs::metadata(self.root.join(dir).join(name)).expect("it is there");
        }
        names.len()
    }

    async fn walk(&self, dir: &str) -> usize {
        let mut dirs = vec![self.root.join(dir)];
        let mut files = 0;
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(dir).expect("it is there") {
                let entry = entry.expect("it can be read");
                if entry.file_type().expect("it is known").is_dir() {
                    dirs.push(entry.path());
                } else {
                    entry.metadata().expect("it is there");
                    files += 1;
                }
            }
        }
        files
    }
}
