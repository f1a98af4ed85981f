//! The longest poll of operations on many files, which a scheduler would call a stall.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt, executor::block_on};
use inmemory::InMemory;
use storage_driver::{ListOptions, Path, StorageDriver, StorageDriverExt, WalkOptions};

/// The polls of one operation.
#[derive(Debug, Clone)]
pub struct Polls {
    /// What was polled.
    pub operation: &'static str,
    /// How many polls it took.
    pub count: usize,
    /// The longest of them, in processor time of the thread.
    pub longest: Duration,
}

/// Polls each operation to its end on `count` files, uploads or segments.
pub fn measure(count: usize) -> Vec<Polls> {
    let paths: Vec<Path> = (0..count).map(|n| path(&format!("/dir/{}/{n}", n % 100))).collect();
    let (dir, root) = (path("/dir"), Path::root());
    let all = ListOptions::new().limit(usize::MAX);
    let mut polls = Vec::new();
    let mut add = |polled: Polls| polls.push(polled);

    add(polled(
        "walk",
        async |driver| {
            driver.walk(&root, WalkOptions::new()).count().await;
        },
        &files(&paths),
    ));
    let flat: Vec<Path> = (0..count).map(|n| path(&format!("/dir/{n}"))).collect();
    add(polled("list", async |driver| drop(driver.list(&dir, all.clone()).await), &files(&flat)));
    let names = all.clone().names_only();
    let list = async |driver: &InMemory| drop(driver.list(&dir, names.clone()).await);
    add(polled("list, names only", list, &files(&flat)));
    add(polled("delete_dir", async |driver| drop(driver.delete_dir(&dir).await), &files(&paths)));
    add(polled(
        "delete_many",
        async |driver| drop(driver.delete_many(&paths).await),
        &files(&paths),
    ));
    let uploads = async |driver: &InMemory| drop(driver.uploads(&root, all.clone()).await);
    add(polled("uploads", uploads, &self::uploads(&paths)));
    let cancel = async |driver: &InMemory| drop(driver.cancel_uploads(&root, Duration::ZERO).await);
    add(polled("cancel_uploads", cancel, &self::uploads(&paths)));
    let shutdown = async |driver: &InMemory| drop(driver.shutdown().await);
    add(polled("shutdown", shutdown, &files(&paths)));
    let large = path("/large");
    let get = async |driver: &InMemory| drop(driver.get_content(&large, u64::MAX).await);
    add(polled("get_content", get, &segments(count)));
    let delete = async |driver: &InMemory| {
        drop(driver.delete(&large, storage_driver::Precondition::None).await);
    };
    add(polled("delete of a large file", delete, &segments(count)));
    polls
}

fn path(text: &str) -> Path {
    Path::parse(text).expect("the path is valid")
}

fn files(paths: &[Path]) -> InMemory {
    let driver = InMemory::new();
    for at in paths {
        block_on(driver.put(at, "content")).expect("there is room");
    }
    driver
}

fn uploads(paths: &[Path]) -> InMemory {
    let driver = InMemory::new();
    for at in paths {
        let mut writer = block_on(driver.create(at)).expect("there is room");
        block_on(writer.write_bytes("content")).expect("there is room");
    }
    driver
}

/// A file of `count` segments of 4 KiB.
fn segments(count: usize) -> InMemory {
    let driver = InMemory::builder().segment_size(4 << 10).build();
    let mut writer = block_on(driver.create(&path("/large"))).expect("there is room");
    for _ in 0..count {
        block_on(writer.write_bytes(Bytes::from_static(&[7; 4 << 10]))).expect("there is room");
    }
    block_on(writer.commit()).expect("nothing conflicts");
    driver
}

fn polled(operation: &'static str, run: impl AsyncFnOnce(&InMemory), driver: &InMemory) -> Polls {
    let mut future = pin!(run(driver));
    let mut cx = Context::from_waker(Waker::noop());
    let (mut count, mut longest) = (0, Duration::ZERO);
    loop {
        let start = processor_time();
        let poll = future.as_mut().poll(&mut cx);
        let took = processor_time().saturating_sub(start);
        (count, longest) = (count + 1, longest.max(took));
        if let Poll::Ready(()) = poll {
            return Polls { operation, count, longest };
        }
    }
}

/// The processor time of this thread, in nanoseconds. `/proc/thread-self/schedstat` has it too, but only as of the last
/// tick of the scheduler.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.try_into().expect("the time of a thread is never negative")
}
