//! What readers see while a file is replaced.

use std::sync::Arc;

use bytes::Bytes;
use storage_driver::{ErrorKind, Precondition, ReadRange, StorageDriver, StorageDriverExt};
use tokio::task::yield_now;

use super::{Driver, ROUNDS};
use crate::{
    Pattern, Subject,
    check::{create, drain, path, put, stat},
    tasks::{Background, race},
};

/// One of two contents, which differ in length and in every byte.
#[derive(Clone, Copy)]
struct Generation {
    pattern: Pattern,
    size: u64,
}

const GENERATIONS: [Generation; 2] = [
    Generation { pattern: Pattern::new(101), size: 100_000 },
    Generation { pattern: Pattern::new(102), size: 70_001 },
];

fn generation(round: u64) -> Bytes {
    let Generation { pattern, size } = GENERATIONS[(round % 2) as usize];
    pattern.bytes(0..size)
}

/// Checks that bytes are exactly one of the generations.
fn is_whole(bytes: &[u8]) {
    let matches = |generation: &Generation| {
        bytes.len() as u64 == generation.size && generation.pattern.check(0, bytes).is_ok()
    };
    assert!(GENERATIONS.iter().any(matches), "a mix, or a part, of {} bytes", bytes.len());
}

/// Reads `/a` over and over, in both ways, while something replaces it.
async fn reads_are_whole(driver: &Driver, replacing: Background) {
    race(|_| {
        let driver = Arc::clone(driver);
        async move {
            for _ in 0..ROUNDS {
                match driver.get_bytes(&path("/a"), 1 << 20).await {
                    Ok(bytes) => is_whole(&bytes),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::ContentChanged),
                }
                let mut reader = driver.reader(&path("/a"), ReadRange::Full).await.unwrap();
                let announced = reader.metadata().size;
                match drain(&mut reader).await {
                    Ok(bytes) => {
                        assert_eq!(bytes.len() as u64, announced);
                        is_whole(&bytes);
                    }
                    Err(error) => assert_eq!(error.kind(), ErrorKind::ContentChanged),
                }
                yield_now().await;
            }
        }
    })
    .await;
    replacing.stop().await;
}

/// Replaces `/a` by one generation after the other, and checks that readers see whole generations.
async fn readers_see_whole_generations<F>(
    subject: Subject,
    replace: impl Fn(Driver, Bytes) -> F + Send + 'static,
) where
    F: Future<Output = ()> + Send,
{
    let driver = subject.driver().await;
    put(&driver, "/a", generation(0)).await;
    let replaced = Arc::clone(&driver);
    let replacing =
        Background::start(move |round| replace(Arc::clone(&replaced), generation(round)));
    reads_are_whole(&driver, replacing).await;
}

pub(crate) async fn readers_see_one_put_or_another_and_no_mix(subject: Subject) {
    readers_see_whole_generations(subject, |driver, content| async move {
        put(&driver, "/a", content).await;
    })
    .await;
}

pub(crate) async fn readers_see_one_commit_or_another_and_no_mix(subject: Subject) {
    readers_see_whole_generations(subject, |driver, content| async move {
        let mut upload = create(&driver, "/a").await;
        for piece in content.chunks(20_000) {
            upload.write_bytes(Bytes::copy_from_slice(piece)).await.unwrap();
        }
        upload.commit().await.unwrap();
    })
    .await;
}

pub(crate) async fn readers_see_one_commit_to_or_another_and_no_mix(subject: Subject) {
    readers_see_whole_generations(subject, |driver, content| async move {
        let mut upload = create(&driver, "/u").await;
        upload.write_bytes(content).await.unwrap();
        upload.commit_to(&path("/a"), Precondition::None).await.unwrap();
    })
    .await;
}

pub(crate) async fn readers_see_one_rename_or_another_and_no_mix(subject: Subject) {
    readers_see_whole_generations(subject, |driver, content| async move {
        put(&driver, "/b", content).await;
        driver.rename(&path("/b"), &path("/a"), Precondition::None).await.unwrap();
    })
    .await;
}

pub(crate) async fn stat_describes_one_file(subject: Subject) {
    let driver = subject.driver().await;
    let stored = put(&driver, "/a", generation(0)).await;
    let writer = Arc::clone(&driver);
    let replacing = Background::start(move |round| {
        let driver = Arc::clone(&writer);
        async move { drop(put(&driver, "/a", generation(round + 1)).await) }
    });
    let sizes = GENERATIONS.map(|generation| generation.size);
    let mut last = stored;
    for _ in 0..ROUNDS * 10 {
        let file = stat(&driver, "/a").await;
        assert!(sizes.contains(&file.size));
        // A version belongs to one content.
        assert!(file.version != last.version || file.size == last.size);
        last = file;
        yield_now().await;
    }
    replacing.stop().await;
}
