//! The costs of operations, counted and not timed: how often they allocate. A change that makes one more expensive fails
//! here on any machine. The root is in memory, so that the operations need no thread. The system calls are counted by
//! the tests `calls` of the library.

use counting_alloc::{Counting, OfThread};
use storage_driver::{Path, Precondition, StorageDriver, StorageDriverExt};
use storage_driver_filesystem::{Durability, Filesystem};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The number of files on which each operation is counted.
const FILES: usize = 100;

fn path(number: usize) -> Path {
    Path::parse(format!("/docker/registry/v2/files/{number:03}")).unwrap()
}

/// A driver on a root in memory, with `FILES` files; `None` if the system has no such place.
async fn fixture() -> Option<(Filesystem, tempfile::TempDir)> {
    let root = tempfile::tempdir_in("/dev/shm").ok()?;
    let builder = Filesystem::builder().durability(Durability::None);
    let driver = builder.open(root.path()).await.unwrap();
    for number in 0..FILES {
        driver.put(&path(number), "content").await.unwrap();
    }
    Some((driver, root))
}

/// The allocations of an operation on the paths with these numbers, on average.
async fn cost<T>(
    numbers: std::ops::Range<usize>,
    operation: impl AsyncFn(&Path) -> storage_driver::Result<T>,
) -> f64 {
    let paths: Vec<Path> = numbers.map(path).collect();
    // What is allocated once is allocated now.
    drop(operation(&paths[0]).await.unwrap());
    let measurement = OfThread::begin();
    for path in &paths[1..] {
        drop(operation(path).await.unwrap());
    }
    measurement.count() as f64 / (paths.len() - 1) as f64
}

fn assert_at_most(counted: f64, bound: f64) {
    assert!(counted <= bound, "{counted} allocations, at most {bound} are allowed");
    // A bound far above the count guards nothing.
    assert!(counted >= bound * 0.8, "{counted} allocations, lower the bound of {bound}");
}

#[tokio::test]
async fn a_stat_allocates_its_future_and_a_version() {
    let Some((driver, _root)) = fixture().await else { return };
    let stat = async |path: &Path| driver.stat(path).await;
    assert_at_most(cost(0..FILES, stat).await, 4.0);
}

#[tokio::test]
async fn a_get_allocates_a_reader_and_its_buffer() {
    let Some((driver, _root)) = fixture().await else { return };
    let get = async |path: &Path| driver.get_content(path, 100).await;
    assert_at_most(cost(0..FILES, get).await, 9.0);
}

#[tokio::test]
async fn a_put_of_a_new_file_allocates_its_locks_and_a_version() {
    let Some((driver, _root)) = fixture().await else { return };
    let put = async |path: &Path| driver.put(path, "content").await;
    assert_at_most(cost(FILES..2 * FILES, put).await, 12.0);
}

#[tokio::test]
async fn a_put_over_a_file_allocates_names_in_the_reserved_directory_too() {
    let Some((driver, _root)) = fixture().await else { return };
    let put = async |path: &Path| driver.put(path, "other").await;
    assert_at_most(cost(0..FILES, put).await, 16.0);
}

#[tokio::test]
async fn a_deletion_allocates_its_locks_and_a_name_in_the_trash() {
    let Some((driver, _root)) = fixture().await else { return };
    let delete = async |path: &Path| driver.delete(path, Precondition::None).await;
    assert_at_most(cost(0..FILES, delete).await, 12.2);
}
