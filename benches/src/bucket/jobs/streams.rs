//! [`Streams`]: large blobs, one or many at once.

use std::{sync::Arc, time::Instant};

use futures::future::join_all;
use serde::{Deserialize, Serialize};

use crate::{
    bucket::subject::Subject,
    harness::{Figures, MIB, Source, process},
};

/// Chunks as they come from a server for HTTP.
const CHUNK: usize = 64 << 10;

/// Uploads blobs, each by its own task, and then downloads them.
///
/// - `upload`, `download`: MiB a second, of all together;
/// - `upload work`, `download work`: seconds of processor time of the client for each GiB.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Streams {
    /// How many blobs there are.
    pub count: usize,
    /// How large each is, in bytes.
    pub size: u64,
}

impl Streams {
    pub(super) async fn run<S: Subject>(&self, store: S) -> Figures {
        let (store, source, size) = (Arc::new(store), Arc::new(Source::new()), self.size);
        let (upload, upload_work) = self
            .all(|path| {
                let (store, source) = (Arc::clone(&store), Arc::clone(&source));
                async move { store.upload(&path, source.shared(size, CHUNK)).await }
            })
            .await;
        let (download, download_work) = self
            .all(|path| {
                let store = Arc::clone(&store);
                async move { assert_eq!(store.download(&path).await, size) }
            })
            .await;
        Figures::default()
            .with("upload", upload)
            .with("upload work", upload_work)
            .with("download", download)
            .with("download work", download_work)
    }

    /// A task for each blob. The rate of all together, and the work for each GiB.
    async fn all<T>(&self, task: impl Fn(String) -> T) -> (f64, f64)
    where
        T: Future<Output = ()> + Send + 'static,
    {
        let (start, worked) = (Instant::now(), process::worked());
        let tasks = (0..self.count).map(|blob| tokio::spawn(task(format!("blobs/{blob}"))));
        for ended in join_all(tasks).await {
            ended.expect("it ends");
        }
        let mebibytes = (self.count as u64 * self.size) as f64 / MIB as f64;
        let work = (process::worked() - worked) / (mebibytes / 1024.0);
        (mebibytes / start.elapsed().as_secs_f64(), work)
    }
}
