//! Helpers for files on a driver, and for the driver's errors.

use std::{
    error::Error as _,
    time::{Duration, SystemTime},
};

use storage_driver::{ErrorKind, Metadata, Path};

use crate::digest::Digest;

/// How many small operations of one request run concurrently.
pub(super) const CONCURRENCY: usize = 16;

/// One part of a list, and whether more follows.
#[derive(Debug)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) more: bool,
}

/// Makes a call that may be repeated, and repeats it once if the error is retryable.
pub(super) async fn retry<T, F>(mut call: impl FnMut() -> F) -> storage_driver::Result<T>
where
    F: Future<Output = storage_driver::Result<T>>,
{
    match call().await {
        Err(error) if error.is_retryable() => call().await,
        result => result,
    }
}

/// Whether an error concerns the file itself, and not the store.
pub(super) fn is_damage(error: &storage_driver::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::IsADirectory | ErrorKind::ContentTooLarge { .. } | ErrorKind::Corrupted
    )
}

/// Whether a file can be the content of `digest`, judged by its size. A power cut can leave an empty file in place of
/// content. It counts as missing, so that clients push it again.
pub(super) fn is_whole(file: &Metadata, digest: &Digest) -> bool {
    file.size > 0 || *digest == Digest::of(digest.algorithm(), b"")
}

/// Whether an error means that there is no file at a path.
pub(super) fn is_no_file(error: &storage_driver::Error) -> bool {
    error.is_not_found() || error.kind() == ErrorKind::IsADirectory
}

/// Whether an error means that there is no directory at a path.
pub(super) fn is_nothing(error: &storage_driver::Error) -> bool {
    error.is_not_found() || error.kind() == ErrorKind::NotADirectory
}

pub(super) fn warn_unreadable(path: &Path, error: &storage_driver::Error) {
    let source = error.source().map(ToString::to_string);
    tracing::warn!(%path, %error, source, "this file cannot be read and is skipped");
}

/// The time since a file was changed; zero if it is from the future. `now` is by the clock of the store.
pub(super) fn age(file: &Metadata, now: SystemTime) -> Duration {
    now.duration_since(file.modified).unwrap_or_default()
}
