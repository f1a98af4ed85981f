//! The memory of the process, counted by its allocator, while uploads and downloads run and while the store is swept.
//! The server in process forgets content.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use counting_alloc::{Counting, OfProcess};
use futures::TryStreamExt;
use storage_driver::{Path, Precondition, ReadRange, StorageDriver, SweepOptions, WriterOptions};
use storage_driver_bucket::{
    Bucket, Builder,
    double::{Double, Ways},
};
use tokio::{runtime::Runtime, task::JoinSet};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MIB: usize = 1 << 20;
const BUDGET: usize = 64 * MIB;
/// The buffer that a caller writes.
const PIECE: usize = 256 << 10;
/// What a writer may hold whatever the others hold: the buffer that it accepted last, 64 KiB, the empty end of its last
/// chunk, and what its requests are made of.
const WRITER: usize = PIECE + (64 << 10) + (256 << 10) + (64 << 10);

static CONTENT: [u8; PIECE] = [7; PIECE];

/// One test at a time: they share the allocator.
fn alone() -> (MutexGuard<'static, ()>, Runtime) {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    (alone, Runtime::new().unwrap())
}

/// The memory of the process that the system counts, at its maximum since the last [`forget_resident`], in bytes.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

/// Begins a new maximum, and returns the memory at this moment.
#[cfg(target_os = "linux")]
fn forget_resident() -> usize {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    resident()
}

#[track_caller]
fn assert_peak(measurement: &OfProcess, bound: usize) {
    let peak = measurement.peak();
    assert!(peak <= bound, "{} KiB at the peak, more than {} KiB", peak >> 10, bound >> 10);
}

fn server() -> Double {
    let mut ways = Ways::default();
    ways.sparse = true;
    Double::new(ways)
}

async fn open(server: &Double) -> Bucket {
    Builder::double(server).memory(BUDGET as u64).open().await.unwrap()
}

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

async fn upload(store: &Bucket, at: &str, size: usize) {
    let mut writer = store.writer(&path(at), WriterOptions::create()).await.unwrap();
    for _ in 0..size / PIECE {
        writer.write_bytes(Bytes::from_static(&CONTENT)).await.unwrap();
    }
    assert_eq!(writer.commit().await.unwrap().size, size as u64);
}

async fn download(store: &Bucket, at: &str) -> usize {
    let mut reader = store.reader(&path(at), ReadRange::Full).await.unwrap();
    let mut length = 0;
    while let Some(chunk) = reader.try_next().await.unwrap() {
        length += chunk.len();
    }
    length
}

#[test]
fn uploads_and_downloads_at_once_stay_under_the_budget() {
    let (_alone, runtime) = alone();
    runtime.block_on(async {
        const SIZE: usize = 32 * MIB;
        let store = open(&server()).await;
        upload(&store, "/read", SIZE).await;
        let measurement = OfProcess::begin();
        let mut tasks = JoinSet::new();
        for number in 0..64 {
            let (writing, reading) = (store.clone(), store.clone());
            tasks.spawn(async move { upload(&writing, &format!("/u/{number}"), SIZE).await });
            tasks.spawn(async move { assert_eq!(download(&reading, "/read").await, SIZE) });
        }
        tasks.join_all().await;
        assert_peak(&measurement, BUDGET + 64 * WRITER);
        assert_eq!(store.memory_in_use(), 0);
    });
}

/// The system counts what is mapped too, and what an allocator keeps.
#[cfg(target_os = "linux")]
#[test]
fn the_process_has_no_more_than_the_budget_while_uploads_run() {
    let (_alone, runtime) = alone();
    runtime.block_on(async {
        const SIZE: usize = 32 * MIB;
        let store = open(&server()).await;
        upload(&store, "/a", SIZE).await;
        let base = forget_resident();
        let mut tasks = JoinSet::new();
        for number in 0..32 {
            let store = store.clone();
            tasks.spawn(async move { upload(&store, &format!("/u/{number}"), SIZE).await });
        }
        tasks.join_all().await;
        let grown = resident().saturating_sub(base);
        let bound = BUDGET + 32 * WRITER;
        assert!(grown <= bound, "{} MiB, more than {} MiB", grown / MIB, bound / MIB);
    });
}

/// Both what hints point to and what a deep sweep finds.
#[test]
fn a_sweep_takes_less_than_4_mib_however_much_it_removes() {
    const FILES: usize = 3000;
    let (_alone, runtime) = alone();
    runtime.block_on(async {
        let server = server();
        let store = open(&server).await;
        for number in 0..FILES {
            let at = path(&format!("/files/{number}"));
            let content = Bytes::from(vec![0; MIB + 1]);
            store.put_content(&at, content.into(), Precondition::None).await.unwrap();
            store.delete(&at, Precondition::None).await.unwrap();
        }
        server.advance(Duration::from_secs(2 * 60 * 60));
        let measurement = OfProcess::begin();
        let report = store.sweep(SweepOptions::new().deep()).await.unwrap();
        assert_eq!(report.objects, FILES as u64);
        assert_peak(&measurement, 4 * MIB);
    });
}
