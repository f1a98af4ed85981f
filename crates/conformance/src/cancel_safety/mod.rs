//! 9.1 Cancellation: every operation dropped at every moment at which it waits.
//!
//! Each behaviour sets a scene, polls one operation 0, 1, 2 … times and drops it, until it ends by
//! itself, and checks after each drop what the contract allows: it took effect once or never, and
//! what comes next finds all of it or nothing. Then all that is left is enumerated and removed, and
//! the store has to be empty.
//!
//! A driver whose operations never wait has no moments to be dropped at. So all of it is done twice:
//! on the driver itself, and on [`Yielding`] around it, which waits before and after each call.
//!
//! A failure says how often the operation was polled, and on which of the two; to see it again, run
//! the behaviour's test alone.

mod content;
mod cut;
mod namespace;
mod uploads;

use std::{
    panic::{AssertUnwindSafe, resume_unwind},
    sync::Arc,
};

use bytes::Bytes;
use futures::{FutureExt, TryStreamExt};
use storage_driver::{
    ListOptions, Metadata, Path, Precondition, StorageDriver, StorageDriverExt, Version,
};

use crate::{Subject, check::LIMIT, layers::Yielding};

pub(crate) use self::{content::*, cut::cut, namespace::*, uploads::*};

/// More polls than any operation of a quick behaviour takes.
const MOST: usize = 10_000;

/// One run of a scene: the driver, and when its operation is dropped.
pub(crate) struct Scene {
    driver: Arc<dyn StorageDriver>,
    polls: usize,
}

impl Scene {
    /// Polls `operation` as often as the scene says and drops it if it has not ended.
    async fn cut<F: Future>(&self, operation: F) -> Option<F::Output> {
        cut(self.polls, operation).await
    }

    /// The file at `path`, read twice, because what was dropped must have happened before the first
    /// operation after it, or never.
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
            Err(error) => panic!("{path} should be there or not: {error:?}"),
        };
        let metadata: Metadata = self.driver.stat(path).await.unwrap().into_file().unwrap();
        assert_eq!(&metadata, content.metadata(), "stat and content of {path} differ");
        let bytes = content.into_bytes();
        assert_eq!(metadata.size, bytes.len() as u64, "{path} has another size than it says");
        Some((bytes, metadata.version))
    }

    /// The content of the upload at `path`, by resuming and committing it; `None` without one.
    async fn upload(&self, path: &Path) -> Option<Bytes> {
        let writer = match self.driver.resume(path).await {
            Ok(writer) => writer,
            Err(error) if error.is_not_found() => return None,
            Err(error) => {
                panic!("the upload at {path} should be resumable or not there: {error:?}")
            }
        };
        let size = writer.size();
        writer.commit().await.unwrap();
        let (bytes, _) = self.settled(path).await.unwrap();
        assert_eq!(bytes.len() as u64, size, "the upload at {path} was not what it said");
        Some(bytes)
    }

    async fn put(&self, path: &Path, content: &'static str) -> Version {
        self.driver.put(path, content).await.unwrap().version
    }
}

/// Plays a scene with its operation dropped after 0, 1, 2 … polls, until `play` says that it ended.
async fn at_every_poll<F>(subject: Subject, play: impl Fn(Arc<Scene>) -> F)
where
    F: Future<Output = bool> + Send,
{
    for yielding in [false, true] {
        for polls in 0.. {
            assert!(polls < MOST, "the operation does not end in {polls} polls");
            let driver = subject.driver().await;
            let driver = if yielding { Arc::new(Yielding::new(driver)) } else { driver };
            let scene = Arc::new(Scene { driver, polls });
            let played = AssertUnwindSafe(async {
                let ended = play(Arc::clone(&scene)).await;
                leaves_nothing(&*scene.driver).await;
                ended
            });
            match played.catch_unwind().await {
                Ok(true) => break,
                Ok(false) => {}
                Err(panic) => {
                    let on = if yielding { ", on the driver in a `Yielding`" } else { "" };
                    let text = panic.downcast_ref::<String>().map_or("", String::as_str);
                    let text = panic.downcast_ref::<&str>().copied().unwrap_or(text);
                    resume_unwind(Box::new(format!("dropped after {polls} polls{on}: {text}")));
                }
            }
        }
    }
}

/// Removes all that can be found, and checks that nothing is left.
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
