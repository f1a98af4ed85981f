//! [`Publish`]: what makes a large blob visible, or begins from one that is.

use std::time::Instant;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use storage_driver::{Precondition, WriterOptions};

use super::BLOB;
use crate::{
    harness::{
        Figures, MIB, Random,
        clock::{median, middle},
        process, runtime,
    },
    memory::{Ours, Subject},
};

const SEED: u64 = 2;
/// Of so many the median is taken.
const ROUNDS: usize = 9;
const SESSION: &str = "uploads/8f1c";

/// Times of what should not depend on the size, in microseconds: `commit`; and of ours `commit_to`,
/// `copy` and `append`, which is to open the committed file to append to it.
///
/// The blob is one MiB that is handed over again and again, so that it may be larger than memory;
/// `resident` is what it takes, of its size.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Publish {
    /// How large the blob is.
    pub size: u64,
}

impl Publish {
    async fn uploaded<S: Subject>(&self, on: &S, key: &S::Key) -> S::Upload {
        let piece = Bytes::from(Random::new(SEED).bytes(MIB as usize));
        let mut upload = on.begin(key, true).await;
        for _ in 0..self.size / MIB {
            on.write_owned(&mut upload, piece.clone()).await;
        }
        upload
    }

    /// Measures a store: the commit, once, since peers pay for it in memory.
    pub(crate) fn run<S: Subject>(&self) -> Figures {
        let key = S::key(BLOB);
        runtime::single().block_on(async {
            let store = S::new(None);
            let upload = self.uploaded(&store, &key).await;
            let start = Instant::now();
            store.commit(upload).await;
            Figures::default().with("commit", microseconds(start))
        })
    }

    /// Measures ours.
    pub(crate) fn ours(&self) -> Figures {
        let (session, blob) = (Ours::key(SESSION), Ours::key(BLOB));
        runtime::single().block_on(async {
            let before = process::resident();
            let (mut commit, mut commit_to) = (Vec::new(), Vec::new());
            let store = Ours::new(None);
            for _ in 0..ROUNDS {
                let upload = self.uploaded(&store, &blob).await;
                let start = Instant::now();
                store.commit(upload).await;
                commit.push(microseconds(start));
                store.delete(&blob).await;

                let upload = self.uploaded(&store, &session).await;
                let start = Instant::now();
                let committed = upload.commit_to(&blob, Precondition::IfAbsent).await;
                commit_to.push(microseconds(start));
                committed.expect("nothing is there");
                store.delete(&blob).await;
            }

            let upload = self.uploaded(&store, &blob).await;
            store.commit(upload).await;
            let resident = process::resident().saturating_sub(before) as f64 / self.size as f64;
            let copy = median(ROUNDS, async || {
                let start = Instant::now();
                let copied = store.driver.copy(&blob, &session, Precondition::IfAbsent).await;
                let time = microseconds(start);
                copied.expect("nothing is there");
                store.delete(&session).await;
                time
            });
            let copy = copy.await;
            let append = median(ROUNDS, async || {
                let start = Instant::now();
                let opened = store.driver.writer(&blob, WriterOptions::append()).await;
                let time = microseconds(start);
                opened.expect("it can be opened").cancel().await.expect("it is there");
                time
            });
            Figures::default()
                .with("commit", middle(&mut commit))
                .with("commit_to", middle(&mut commit_to))
                .with("copy", copy)
                .with("append", append.await)
                .with("resident", resident)
        })
    }
}

fn microseconds(start: Instant) -> f64 {
    start.elapsed().as_nanos() as f64 / 1e3
}
