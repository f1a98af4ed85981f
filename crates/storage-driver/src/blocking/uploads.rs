//! [`BlockingUploads`]: the open uploads of a driver.

use std::{fmt, sync::Arc};

use super::{
    BlockingTasks, BlockingUpload, OpenedUpload,
    buffer::Buffer,
    session::Session,
    shared::{Open, Shared, lock},
};
use crate::{Path, Result, WriteMode, Writer};

/// The uploads of a driver over a blocking API: opens a [`Writer`] over a [`BlockingUpload`].
///
/// The writer accepts data into a buffer and stores it on a blocking thread while the caller continues. The
/// driver can claim [`keeps_on_drop`](crate::Capabilities::keeps_on_drop): a dropped writer keeps everything that
/// it accepted, before the next task on the path, and a writer that is fenced by [`open`](Self::open) is kept for
/// its successor.
///
/// # When the store is full
///
/// Bytes that a writer accepted and the backend refuses stay in memory, in order, and are never lost silently:
///
/// - `write_bytes` returns `StorageFull` and accepts nothing more until they are stored. Each `write_bytes`,
///   `sync`, `suspend` and `commit` tries again.
/// - When the writer is dropped, or its commit fails, they wait here for the next writer of the path, whose
///   `size` includes them. A deletion, a cancel and an opening with `Create` discard them.
/// - [`shutdown`](Self::shutdown) tries once more, and returns the error if bytes are left.
///
/// Only the end of the process loses them, as it loses everything that was not kept. A driver reports such an
/// upload with the size that [`held`](Self::held) adds.
///
/// # Bounds
///
/// A writer holds at most the limit and the buffer that it accepted last. An upload without a writer holds
/// memory only while the backend refuses its data: at most the same.
///
/// A clone is a handle to the same uploads.
pub struct BlockingUploads<U> {
    tasks: BlockingTasks,
    limit: usize,
    open: Arc<Open<U>>,
}

impl<U: BlockingUpload> BlockingUploads<U> {
    /// Uploads whose tasks run on `tasks`, with a buffer of `limit` bytes for each writer. At half the limit, the
    /// data is handed to a thread.
    pub fn new(tasks: BlockingTasks, limit: usize) -> Self {
        Self { tasks, limit: limit.max(1), open: Arc::default() }
    }

    /// Opens a writer of the upload at `path` for the driver called `driver`.
    ///
    /// `open` runs on a blocking thread in its turn on the path. Its argument is the number of bytes that
    /// earlier writers accepted and the backend could not take, usually 0. A resumed upload has as many bytes
    /// more than the backend has, which counts for [`WriteMode::Resume`]'s offset. If `open` fails, nothing changes
    /// and an open writer continues. If it succeeds, that writer is fenced.
    ///
    /// # Errors
    ///
    /// Those of `open` and of [`BlockingTasks::write`].
    ///
    /// # Cancel safety
    ///
    /// As [`BlockingTasks::write`].
    pub async fn open(
        &self,
        driver: &'static str,
        path: &Path,
        mode: WriteMode,
        open: impl FnOnce(u64) -> Result<OpenedUpload<U>> + Send + 'static,
    ) -> Result<Writer> {
        let (at, table, limit) = (path.clone(), Arc::clone(&self.open), self.limit);
        let tasks = self.tasks.clone();
        let work = move || {
            let earlier = lock(&table).get(&at).cloned();
            let left = match &earlier {
                Some(earlier) if matches!(mode, WriteMode::Resume { .. }) => {
                    earlier.keep_now();
                    earlier.buffer().left()
                }
                _ => None,
            };
            let opened = open(left.as_ref().map_or(0, |left| left.len as u64))?;
            // What the earlier writer accepts from `left` on was sent by a fenced writer and joins nothing.
            let data = earlier.map(|earlier| earlier.end()).unwrap_or_default();
            let buffer = match left {
                Some(left) => Buffer::after(&data, left),
                None => Buffer::new(opened.note),
            };
            let (size, note) = (opened.size + buffer.len() as u64, buffer.note());
            let shared = Arc::new(Shared::new(at.clone(), opened.upload, buffer));
            lock(&table).insert(at.clone(), Arc::clone(&shared));
            let session = Session { tasks, shared, open: table, limit, task: None, stalled: false };
            Ok(Writer::new(driver, at, size, session).with_note(note))
        };
        self.tasks.write(&[path], work).await
    }

    /// Keeps what the writer at `path` has accepted, as far as the backend takes it, and returns the number of
    /// bytes that it does not take. For [`upload`](crate::StorageDriver::upload). Call it only in a task that writes
    /// at the path.
    pub fn held(&self, path: &Path) -> u64 {
        let found = lock(&self.open).get(path).cloned();
        found.map_or(0, |found| {
            found.keep_now();
            found.buffer().len() as u64
        })
    }

    /// Fences the writer at `path` and discards what it holds. For a driver that has just removed the upload:
    /// `delete`. Call it only in a task that writes at the path.
    pub fn discard(&self, path: &Path) {
        let found = lock(&self.open).remove(path);
        found.into_iter().for_each(|found| drop(found.end()));
    }

    /// Fences the writers at and below `path` and discards what they hold. For `delete_dir`. Call it only in a
    /// task that writes at the path.
    pub fn discard_below(&self, path: &Path) {
        let below = |(found, _): &(&Path, _)| found.starts_with(path);
        let found: Vec<_> = lock(&self.open)
            .range(path..)
            .take_while(below)
            .map(|(path, _)| path.clone())
            .collect();
        found.iter().for_each(|path| self.discard(path));
    }

    /// Refuses later tasks with `Unavailable`, waits for the earlier ones, and keeps what every open writer has
    /// accepted. Open writers fail from then on.
    ///
    /// # Errors
    ///
    /// The first error of an upload whose data could not be kept, with its path: `StorageFull`. The shutdown
    /// is complete all the same.
    ///
    /// # Cancel safety
    ///
    /// Call it again to wait. Later tasks are refused from the first poll.
    pub async fn shutdown(&self) -> Result<()> {
        self.tasks.shutdown().await;
        let open: Vec<_> = lock(&self.open).values().cloned().collect();
        let mut result = Ok(());
        for shared in open {
            let (path, table) = (shared.path.clone(), Arc::clone(&self.open));
            let kept = self.tasks.last(move || shared.keep_and_end(&table)).await;
            result = result.and(kept.map_err(|error| error.at(&path)));
        }
        result
    }
}

impl<U> Clone for BlockingUploads<U> {
    fn clone(&self) -> Self {
        Self { tasks: self.tasks.clone(), limit: self.limit, open: Arc::clone(&self.open) }
    }
}

impl<U> fmt::Debug for BlockingUploads<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingUploads")
            .field("open", &lock(&self.open).len())
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
