//! The memory that the process holds according to the system, compared with `usage`. Each
//! test runs in a separate process, so that no other test allocates meanwhile or has before.
#![cfg(target_os = "linux")]

use std::process::Command;

use bytes::Bytes;
use futures::executor::block_on;
use inmemory::InMemory;
use storage_driver::{Path, Precondition, StorageDriver, StorageDriverExt};

const MIB: u64 = 1 << 20;
const PAYLOAD: u64 = 512 * MIB;
/// How much the process may grow in addition to the store.
const SLACK: u64 = 4 * MIB;

/// The resident memory of this process, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: u64 = line.trim().trim_end_matches("kB").trim_end().parse().unwrap();
    kib << 10
}

/// Set in the process that runs a single test.
const ALONE: &str = "RESIDENT_TEST_ALONE";

/// Runs the test of this name in a separate process.
fn alone(name: &str, test: impl FnOnce()) {
    if std::env::var_os(ALONE).is_some() {
        return test();
    }
    let program = std::env::current_exe().unwrap();
    let run = Command::new(program).args(["--exact", name, "--nocapture"]).env(ALONE, "1").output();
    let run = run.unwrap();
    let output = String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned();
    assert!(run.status.success() && output.contains("1 passed"), "{output}");
}

async fn fill(store: &InMemory, path: &Path) {
    let mut writer = store.create(path).await.unwrap();
    let chunk = Bytes::from(vec![7; 64 << 10]);
    while writer.size() < PAYLOAD {
        writer.write_bytes(chunk.clone()).await.unwrap();
    }
    writer.commit().await.unwrap();
}

#[test]
fn the_process_holds_what_usage_reports_and_releases_it() {
    const POOL: u64 = 32 * MIB;
    alone("the_process_holds_what_usage_reports_and_releases_it", || {
        let path = Path::parse("/blobs/large").unwrap();
        for pool in [0, POOL] {
            let store = InMemory::builder().pool(pool).build();
            let before = resident();
            block_on(fill(&store, &path));
            let (grown, held) = (resident() - before, store.usage().held());
            assert!(held <= PAYLOAD + PAYLOAD / 50, "{held} bytes held");
            assert!(grown.abs_diff(held) <= SLACK, "{grown} bytes resident, {held} held");

            block_on(store.delete(&path, Precondition::None)).unwrap();
            let (left, held) = (resident().saturating_sub(before), store.usage().held());
            assert!(held <= pool, "{held} bytes held of nothing");
            assert!(left.abs_diff(held) <= SLACK, "{left} bytes resident, {held} held");
        }
    });
}

/// Puts so many files of `size` bytes, and deletes them; returns how many bytes the process held
/// with them and without them.
fn fill_and_delete(store: &InMemory, files: usize, size: usize) -> (u64, u64) {
    let content = Bytes::from(vec![7; size]);
    for number in 0..files {
        let path = Path::parse(format!("/dir/{number}")).unwrap();
        block_on(store.put(&path, content.clone())).unwrap();
    }
    let full = resident();
    block_on(store.delete_dir(&Path::parse("/dir").unwrap())).unwrap();
    assert_eq!(store.usage().held(), 0);
    (full, resident())
}

#[test]
fn files_of_256_kib_are_given_back_to_the_system() {
    alone("files_of_256_kib_are_given_back_to_the_system", || {
        let store = InMemory::new();
        let before = resident();
        let (full, left) = fill_and_delete(&store, 1000, 256 << 10);
        assert!(full - before >= 250 * MIB, "{} bytes resident", full - before);
        let stays = left.saturating_sub(before);
        assert!(stays <= SLACK, "{stays} bytes stay");
    });
}

#[test]
fn uploads_are_given_back_to_the_system_but_for_their_first_256_kib() {
    const FILES: u64 = 200;
    alone("uploads_are_given_back_to_the_system_but_for_their_first_256_kib", || {
        let store = InMemory::new();
        let chunk = Bytes::from(vec![7; 32 << 10]);
        let before = resident();
        for number in 0..FILES {
            let path = Path::parse(format!("/dir/{number}")).unwrap();
            let mut writer = block_on(store.create(&path)).unwrap();
            (0..32).for_each(|_| block_on(writer.write_bytes(chunk.clone())).unwrap());
            block_on(writer.commit()).unwrap();
        }
        assert!(resident() - before >= FILES * MIB);
        block_on(store.delete_dir(&Path::parse("/dir").unwrap())).unwrap();
        let stays = resident().saturating_sub(before);
        assert!(stays <= FILES * (256 << 10) + SLACK, "{stays} bytes stay");
    });
}

#[test]
fn memory_of_smaller_files_is_used_again() {
    alone("memory_of_smaller_files_is_used_again", || {
        for (files, size) in [(10_000, 64 << 10), (100_000, 4 << 10), (20_000, 5000)] {
            let store = InMemory::new();
            let (first, _) = fill_and_delete(&store, files, size);
            for _ in 0..2 {
                let (again, _) = fill_and_delete(&store, files, size);
                let grown = again.saturating_sub(first);
                let bound = (files * size) as u64 / 50 + SLACK;
                assert!(grown <= bound, "{grown} bytes more for {files} files of {size} bytes");
            }
        }
    });
}
