//! The memory that the process holds according to the system, compared with `usage`. Each
//! test runs in a separate process, so that no other test allocates meanwhile or has before.
#![cfg(target_os = "linux")]

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

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

/// What is stored at a path.
enum As {
    Put,
    /// An upload, in chunks of so many bytes.
    Upload(usize),
}

/// Stores so many files of `size` bytes, and deletes all but every hundredth if `thinned`, else all. Returns how much
/// the process holds more than before, with the files and without them, after [`InMemory::trim`].
fn stays(files: usize, size: usize, how: &As, thinned: bool) -> (u64, u64) {
    let store = InMemory::new();
    let content = Bytes::from(vec![7; size]);
    let path = |number: usize| Path::parse(format!("/dir/{number:06}")).unwrap();
    let before = resident();
    for number in 0..files {
        block_on(async {
            let As::Upload(chunk) = how else {
                return drop(store.put(&path(number), content.clone()).await.unwrap());
            };
            let mut writer = store.create(&path(number)).await.unwrap();
            for at in (0..size).step_by(*chunk) {
                writer.write_bytes(content.slice(at..size.min(at + chunk))).await.unwrap();
            }
            writer.commit().await.unwrap();
        });
    }
    let full = resident() - before;
    for number in (0..files).filter(|number| !thinned || number % 100 > 0) {
        block_on(store.delete(&path(number), Precondition::None)).unwrap();
    }
    store.trim();
    (full, resident().saturating_sub(before))
}

fn assert_all_goes_back(files: usize, size: usize, how: &As) {
    let (full, stays) = stays(files, size, how, false);
    assert!(full >= (files * size) as u64, "{full} bytes resident");
    assert!(stays <= SLACK, "{stays} bytes stay of {full}");
}

#[test]
fn files_of_64_kib_are_given_back_to_the_system() {
    alone("files_of_64_kib_are_given_back_to_the_system", || {
        assert_all_goes_back(2000, 64 << 10, &As::Put);
    });
}

#[test]
fn files_of_4_kib_are_given_back_to_the_system() {
    alone("files_of_4_kib_are_given_back_to_the_system", || {
        assert_all_goes_back(30_000, 4 << 10, &As::Put);
    });
}

#[test]
fn files_of_16_bytes_are_given_back_to_the_system() {
    alone("files_of_16_bytes_are_given_back_to_the_system", || {
        assert_all_goes_back(200_000, 16, &As::Put);
    });
}

#[test]
fn small_uploads_are_given_back_to_the_system() {
    alone("small_uploads_are_given_back_to_the_system", || {
        assert_all_goes_back(30_000, 1000, &As::Upload(600));
    });
}

#[test]
fn uploads_of_a_mib_are_given_back_to_the_system() {
    alone("uploads_of_a_mib_are_given_back_to_the_system", || {
        assert_all_goes_back(200, 1 << 20, &As::Upload(32 << 10));
    });
}

#[test]
fn a_small_upload_takes_as_much_as_a_small_put() {
    alone("a_small_upload_takes_as_much_as_a_small_put", || {
        let (put, _) = stays(50_000, 1000, &As::Put, false);
        let (upload, _) = stays(50_000, 1000, &As::Upload(600), false);
        assert!(upload <= put + SLACK, "{upload} bytes instead of {put}");
    });
}

#[test]
fn every_hundredth_file_keeps_at_most_its_pages() {
    alone("every_hundredth_file_keeps_at_most_its_pages", || {
        for (files, size, pages) in [(30_000, 4 << 10, 3), (200_000, 16, 1)] {
            let (_, stays) = stays(files, size, &As::Put, true);
            let bound = (files / 100 * pages * 4096) as u64 + SLACK;
            assert!(stays <= bound, "{stays} bytes stay for {} files", files / 100);
        }
    });
}

#[test]
fn memory_that_nothing_needs_goes_back_within_a_second() {
    alone("memory_that_nothing_needs_goes_back_within_a_second", || {
        let store = InMemory::new();
        let before = resident();
        fill_and_delete(&store, 1000, 64 << 10);
        block_on(fill(&store, &Path::parse("/blobs/large").unwrap()));
        block_on(store.delete_dir(&Path::parse("/blobs").unwrap())).unwrap();
        let freed = Instant::now();
        // The watcher is a thread that is at work: there is nothing else to wait for.
        while resident() > before + SLACK {
            assert!(
                freed.elapsed() < Duration::from_secs(30),
                "{} bytes stay",
                resident() - before
            );
            thread::sleep(Duration::from_millis(10));
        }
        let usage = store.usage();
        assert_eq!((usage.held(), usage.pooled), (0, 0));
    });
}
