//! The costs of operations, counted in instructions by `valgrind --tool=callgrind`: a guard of speed that needs no clock and
//! no quiet machine. Each test runs this program again under valgrind, and is skipped where valgrind is missing.
//!
//! The bounds are of the development profile, on x86_64, an eighth above what was counted with Rust 1.95. Another compiler
//! may need others.

use std::{
    env,
    io::ErrorKind,
    process::{Command, Stdio},
};

use bytes::Bytes;
use futures::executor::block_on;
use inmemory::InMemory;
use storage_driver::{ListOptions, Path, Precondition, ReadRange, StorageDriver, StorageDriverExt};

#[path = "support/files.rs"]
mod files;

use files::{now, path};

/// The number of files of the store.
const FILES: usize = 2_000;
/// Tells this program which operation to do, and how often.
const OPERATION: &str = "INSTRUCTIONS_OF";
const COUNT: &str = "INSTRUCTIONS_COUNT";

/// Not a test: what valgrind runs.
#[test]
#[ignore = "the other tests run it under valgrind"]
fn operation() {
    let Ok(operation) = env::var(OPERATION) else { return };
    let count: usize = env::var(COUNT).unwrap().parse().unwrap();
    let store = InMemory::new();
    let paths: Vec<Path> = (0..2 * FILES).map(path).collect();
    let content = Bytes::from(vec![7; 4096]);
    for path in &paths[..FILES] {
        now(store.put(path, content.clone())).unwrap();
    }
    let upload = Path::parse("/uploads/1").unwrap();
    let mut writer = block_on(store.create(&upload)).unwrap();
    let dir = Path::parse("/blobs/sha256").unwrap();
    for number in 0..count {
        let (old, new) = (&paths[number], &paths[FILES + number]);
        match operation.as_str() {
            "put" => drop(now(store.put(new, content.clone())).unwrap()),
            "get" => drop(now(store.get_content(old, 4096)).unwrap()),
            "stat" => drop(now(store.stat(old)).unwrap()),
            "delete" => now(store.delete(old, Precondition::None)).unwrap(),
            "reader" => drop(now(store.reader(old, ReadRange::Full)).unwrap()),
            "write" => block_on(writer.write_bytes(content.clone())).unwrap(),
            "list" => drop(now(store.list(&dir, ListOptions::new())).unwrap()),
            "upload" => {
                let mut writer = block_on(store.create(new)).unwrap();
                block_on(writer.write_bytes(content.clone())).unwrap();
                block_on(writer.commit()).unwrap();
            }
            other => panic!("{other} is no operation"),
        }
    }
}

/// The instructions of `count` operations and of what comes before them; `None` if valgrind is missing.
fn run(operation: &str, count: usize) -> Option<f64> {
    let child = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe().unwrap())
        .args(["--exact", "operation", "--ignored", "--test-threads=1"])
        .env(OPERATION, operation)
        .env(COUNT, count.to_string())
        .stdin(Stdio::null())
        .output();
    let output = match child {
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        output => output.unwrap(),
    };
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{report}");
    let collected = report.lines().find_map(|line| line.split("Collected :").nth(1));
    Some(collected.and_then(|number| number.trim().parse().ok()).expect("a number of instructions"))
}

/// An operation costs no more instructions than `bound`, on average.
fn assert_at_most(operation: &str, bound: f64) {
    let count = if operation == "list" { 20 } else { 1_000 };
    let Some(before) = run(operation, 0) else {
        eprintln!("skipped: there is no valgrind");
        return;
    };
    let counted = (run(operation, count).expect("it was there") - before) / count as f64;
    assert!(
        counted <= bound,
        "{operation}: {counted:.0} instructions, at most {bound} are allowed"
    );
    // A bound far above the count guards nothing.
    assert!(
        counted >= bound * 0.65,
        "{operation}: {counted:.0} instructions, lower the bound of {bound}"
    );
}

#[test]
fn a_put() {
    assert_at_most("put", 24_000.0);
}

#[test]
fn a_get() {
    assert_at_most("get", 9_500.0);
}

#[test]
fn a_stat() {
    assert_at_most("stat", 7_500.0);
}

#[test]
fn a_delete() {
    assert_at_most("delete", 16_500.0);
}

#[test]
fn a_reader() {
    assert_at_most("reader", 9_500.0);
}

#[test]
fn a_write_of_4_kib() {
    assert_at_most("write", 3_300.0);
}

#[test]
fn a_list_of_256_directories() {
    assert_at_most("list", 350_000.0);
}

#[test]
fn an_upload_of_4_kib() {
    assert_at_most("upload", 39_000.0);
}
