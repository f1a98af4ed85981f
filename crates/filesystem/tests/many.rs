//! Ten thousand writers and readers: few descriptors, few threads, little memory.

use std::fs;

use futures::{StreamExt, TryStreamExt, stream};
use storage_driver::{Path, ReadRange, StorageDriver, StorageDriverExt};
use storage_driver_filesystem::{Durability, Filesystem};

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib << 10
}

/// One test, because it counts for the whole process.
#[test]
fn ten_thousand_writers_hold_no_descriptor_no_thread_and_little_memory() {
    const WRITERS: u64 = 10_000;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(8)
        .build()
        .unwrap();
    runtime.block_on(async {
        let root = tempfile::tempdir().unwrap();
        let builder = Filesystem::builder().durability(Durability::None);
        let driver = builder.open(root.path()).await.unwrap();
        let path = |number| Path::parse(format!("/u/{number}")).unwrap();
        let before = (descriptors(), resident());
        let open = stream::iter(0..WRITERS).map(async |number| {
            let mut writer = driver.create(&path(number)).await?;
            writer.write_bytes(number.to_string().repeat(1000)).await?;
            Ok::<_, storage_driver::Error>(writer)
        });
        let mut writers: Vec<_> = open.buffered(64).try_collect().await.unwrap();
        for writer in &mut writers {
            futures::SinkExt::<bytes::Bytes>::flush(writer).await.unwrap();
        }
        assert!(descriptors() <= before.0 + 8, "{} and then {}", before.0, descriptors());
        assert!(threads() <= 16, "{} threads", threads());
        let each = resident().saturating_sub(before.1) / WRITERS;
        assert!(each < 8192, "{each} bytes for a writer that waits");

        let commits = stream::iter(writers).map(|writer| writer.commit());
        let files: Vec<_> = commits.buffered(64).try_collect().await.unwrap();
        assert_eq!(files.len() as u64, WRITERS);
        for number in [0, 77, 9_999] {
            let content = driver.get_bytes(&path(number), 1 << 20).await.unwrap();
            assert_eq!(content, number.to_string().repeat(1000));
        }
        // Readers hold their file, and no thread.
        let open = stream::iter(0..1000).then(|number| {
            let (driver, path) = (driver.clone(), path(number));
            async move { driver.reader(&path, ReadRange::Full).await }
        });
        let readers: Vec<_> = open.try_collect().await.unwrap();
        assert!(descriptors() <= before.0 + 1008);
        assert!(threads() <= 16, "{} threads", threads());
        for reader in readers {
            let size = reader.remaining();
            assert_eq!(reader.into_content(1 << 20).await.unwrap().metadata().size, size);
        }
    });
}
