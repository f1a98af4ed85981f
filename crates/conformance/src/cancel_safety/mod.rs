//! 9.1 Cancellation: every operation, dropped at every moment at which it waits.
//!
//! Each behaviour prepares a fresh store, polls one operation 0, 1, 2 … times and drops it, until it ends by
//! itself. After each drop it checks what the contract allows: the operation took effect once or never, and the
//! next operation sees all of it or nothing. Then everything that is left is enumerated and removed, and the store
//! must be empty.
//!
//! An operation that never waits cannot be dropped half way. So everything runs twice: on the driver itself, and
//! on [`Yielding`] around it, which waits before and after each call.
//!
//! A failure states how often the operation was polled, and on which of the two drivers.

mod content;
mod cut;
mod namespace;
mod uploads;

use std::{
    panic::{AssertUnwindSafe, resume_unwind},
    sync::Arc,
};

use bytes::Bytes;
use futures::{FutureExt, TryStreamExt, future::join_all};
use storage_driver::{
    ListOptions, Metadata, Path, Precondition, StorageDriver, StorageDriverExt, Version,
};

use crate::{Subject, check::LIMIT, layers::Yielding, runner::text};

pub(crate) use self::{content::*, cut::cut, namespace::*, uploads::*};

/// More polls than any operation of a quick behaviour needs.
const MOST: usize = 10_000;

/// One run of a scene: the driver, and when its operation is dropped.
pub(crate) struct Scene {
    driver: Arc<dyn StorageDriver>,
    polls: usize,
}

impl Scene {
    /// Polls `operation` as often as the scene does, and drops it if it has not ended.
    async fn cut<F: Future>(&self, operation: F) -> Option<F::Output> {
        cut(self.polls, operation).await
    }

    /// The file at `path`, read twice: a dropped operation takes effect before the next operation, or never.
    async fn settled(&self, path: &Path) -> Option<(Bytes, Version)> {
        let first = self.file(path).await;
        let second = self.file(path).await;
        assert_eq!(first, second, "{path} changed after the first operation that followed a drop");
        first
    }

    async fn file(&self, path: &Path) -> Option<(Bytes, Version)> {
        let content = match self.driver.get_content(path, LIMIT).await {
            Ok(content) => content,
            Err(error) if error.is_not_found() => {
                assert!(
                    !self.driver.exists(path).await.unwrap(),
                    "{path} has a stat and no content"
                );
                return None;
            }
            Err(error) => panic!("{path} should exist or not: {error:?}"),
        };
        let metadata: Metadata = self.driver.stat(path).await.unwrap().into_file().unwrap();
        assert_eq!(&metadata, content.metadata(), "stat and content of {path} differ");
        let bytes = content.into_bytes();
        assert_eq!(metadata.size, bytes.len() as u64, "{path} has another size than its metadata");
        Some((bytes, metadata.version))
    }

    /// The content of the upload at `path`, by resuming and committing it; `None` without one.
    async fn upload(&self, path: &Path) -> Option<Bytes> {
        let writer = match self.driver.resume(path).await {
            Ok(writer) => writer,
            Err(error) if error.is_not_found() => return None,
            Err(error) => {
                panic!("the upload at {path} should be resumable or not exist: {error:?}")
            }
        };
        let size = writer.size();
        writer.commit().await.unwrap();
        let (bytes, _) = self.settled(path).await.unwrap();
        assert_eq!(
            bytes.len() as u64,
            size,
            "the upload at {path} has another size than its writer"
        );
        Some(bytes)
    }

    async fn put(&self, path: &Path, content: &'static str) -> Version {
        self.driver.put(path, content).await.unwrap().version
    }
}

/// The largest number of scenes that are played at once on a slow driver.
const AT_ONCE: usize = 16;

/// Plays a scene with its operation dropped after 0, 1, 2 … polls, until `play` returns that it ended.
async fn at_every_poll<F>(subject: Subject, play: impl Fn(Arc<Scene>) -> F)
where
    F: Future<Output = bool> + Send,
{
    for yielding in [false, true] {
        let scene = |polls| play_dropped(&subject, (polls, yielding), &play);
        // The first scene measures how long a call takes.
        if scene(0).await {
            continue;
        }
        let (mut polls, mut at_once) = (1, 1);
        while !join_all((polls..polls + at_once).map(scene)).await.contains(&true) {
            polls += at_once;
            assert!(polls < MOST, "the operation does not end in {MOST} polls");
            // Most operations end after a few polls. More scenes would be played for nothing.
            at_once = if subject.is_slow() { AT_ONCE.min(at_once * 2) } else { 1 };
        }
    }
}

/// Plays a scene once. Returns whether its operation ended.
async fn play_dropped<F>(
    subject: &Subject,
    (polls, yielding): (usize, bool),
    play: &impl Fn(Arc<Scene>) -> F,
) -> bool
where
    F: Future<Output = bool> + Send,
{
    let driver = subject.driver().await;
    let driver = if yielding { Arc::new(Yielding::new(driver)) } else { driver };
    let scene = Arc::new(Scene { driver, polls });
    let played = AssertUnwindSafe(async {
        let ended = play(Arc::clone(&scene)).await;
        leaves_nothing(&*scene.driver).await;
        ended
    });
    played.catch_unwind().await.unwrap_or_else(|panic| {
        let on = if yielding { ", on the driver in a `Yielding`" } else { "" };
        let text = text(panic.as_ref());
        resume_unwind(Box::new(format!("dropped after {polls} polls{on}: {text}")))
    })
}

/// Removes everything that can be listed, and checks that nothing is left.
async fn leaves_nothing(driver: &dyn StorageDriver) {
    let root = Path::root();
    let uploads: Vec<_> = driver.uploads_all(&root).try_collect().await.unwrap();
    for upload in uploads {
        driver.cancel_upload(&upload.path).await.unwrap();
    }
    let entries: Vec<_> = driver.list_all(&root).try_collect().await.unwrap();
    for entry in entries {
        match entry.is_dir() {
            true => driver.delete_dir(entry.path()).await.unwrap(),
            false => driver.delete(entry.path(), Precondition::None).await.unwrap(),
        }
    }
    let uploads = driver.uploads(&root, ListOptions::new()).await.unwrap();
    let entries = driver.list(&root, ListOptions::new()).await.unwrap();
    assert!(uploads.items.is_empty() && uploads.next.is_none(), "left over: {uploads:?}");
    assert!(entries.items.is_empty() && entries.next.is_none(), "left over: {entries:?}");
}
