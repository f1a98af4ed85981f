//! `BlockingTasks`: order, drops, panics, the limit of threads, shutdown.

use std::{
    pin::pin,
    sync::{Arc, Mutex},
};

use futures::{FutureExt, future::join_all, poll};
use storage_driver::{ErrorKind, Result, blocking::BlockingTasks};
use tokio::runtime::Handle;

use super::backend::{Gate, path};

/// Tasks, and what their closures did, in order.
#[derive(Clone)]
struct Fixture {
    tasks: BlockingTasks,
    log: Arc<Mutex<Vec<&'static str>>>,
}

impl Fixture {
    fn new(threads: usize) -> Self {
        let tasks = BlockingTasks::new(Handle::current(), threads);
        Self { tasks, log: Arc::default() }
    }

    async fn write(&self, paths: &[&str], name: &'static str) -> Result<()> {
        let log = Arc::clone(&self.log);
        let paths: Vec<_> = paths.iter().map(|at| path(at)).collect();
        let paths: Vec<_> = paths.iter().collect();
        let work = move || {
            log.lock().unwrap().push(name);
            Ok(())
        };
        self.tasks.write(&paths, work).await
    }

    async fn read(&self, at: &str, name: &'static str) -> Result<()> {
        let log = Arc::clone(&self.log);
        let work = move || {
            log.lock().unwrap().push(name);
            Ok(())
        };
        self.tasks.read(&path(at), work).await
    }

    /// A write that waits at the gate on its thread.
    async fn held_up(&self, at: &str, gate: &Gate) -> Result<()> {
        let (log, gate) = (Arc::clone(&self.log), gate.door());
        let work = move || {
            gate.pass();
            log.lock().unwrap().push("held up");
            Ok(())
        };
        self.tasks.write(&[&path(at)], work).await
    }

    /// A write to `at` whose future was dropped while its closure runs.
    async fn abandoned(&self, at: &str) -> Gate {
        let gate = Gate::default();
        {
            let mut write = pin!(self.held_up(at, &gate));
            assert!(poll!(&mut write).is_pending());
            gate.reached().await;
        }
        gate
    }

    fn log(&self) -> Vec<&'static str> {
        self.log.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn a_task_that_was_never_polled_does_nothing() {
    let fixture = Fixture::new(2);
    drop(fixture.write(&["/a"], "write"));
    fixture.tasks.wait().await;
    assert!(fixture.log().is_empty());
}

#[tokio::test]
async fn a_dropped_task_ends_before_the_next_one_at_above_or_below_its_path() {
    for at in ["/a/b", "/a", "/", "/a/b/c"] {
        let fixture = Fixture::new(4);
        let gate = fixture.abandoned("/a/b").await;
        let paths = [at];
        let mut write = pin!(fixture.write(&paths, "write"));
        let mut read = pin!(fixture.read(at, "read"));
        assert!(poll!(&mut write).is_pending());
        assert!(poll!(&mut read).is_pending());
        // A read elsewhere shows that the others had the time to run.
        fixture.read("/z", "elsewhere").await.unwrap();
        assert_eq!(fixture.log(), ["elsewhere"], "{at}");
        gate.open();
        write.await.unwrap();
        read.await.unwrap();
        assert_eq!(fixture.log()[1], "held up", "{at}");
        assert_eq!(fixture.log().len(), 4);
    }
}

#[tokio::test]
async fn a_task_on_another_path_does_not_wait() {
    let fixture = Fixture::new(4);
    let gate = fixture.abandoned("/a/b").await;
    fixture.write(&["/a/bb"], "sibling").await.unwrap();
    fixture.read("/a/c", "read").await.unwrap();
    gate.open();
    fixture.tasks.wait().await;
    assert_eq!(fixture.log(), ["sibling", "read", "held up"]);
}

#[tokio::test]
async fn a_read_does_not_wait_for_a_write_whose_future_exists() {
    let fixture = Fixture::new(2);
    let gate = Gate::default();
    let mut write = pin!(fixture.held_up("/a", &gate));
    assert!(poll!(&mut write).is_pending());
    gate.reached().await;
    fixture.read("/a", "read").await.unwrap();
    gate.open();
    write.await.unwrap();
    assert_eq!(fixture.log(), ["read", "held up"]);
}

#[tokio::test]
async fn a_task_on_two_paths_waits_for_both() {
    let fixture = Fixture::new(4);
    let (a, b) = (fixture.abandoned("/a").await, fixture.abandoned("/b").await);
    let paths = ["/a", "/b"];
    let mut rename = pin!(fixture.write(&paths, "rename"));
    assert!(poll!(&mut rename).is_pending());
    b.open();
    fixture.write(&["/z"], "elsewhere").await.unwrap();
    assert!(poll!(&mut rename).is_pending());
    a.open();
    rename.await.unwrap();
    assert_eq!(fixture.log().last(), Some(&"rename"));
}

#[tokio::test]
async fn tasks_on_one_path_run_in_the_order_of_their_first_poll() {
    let fixture = Fixture::new(4);
    let names: Vec<&'static str> = ["1", "2", "3", "4", "5", "6", "7", "8"].repeat(8);
    join_all(names.iter().map(|&name| fixture.write(&["/a"], name))).await;
    assert_eq!(fixture.log(), names);
}

#[tokio::test]
async fn a_task_that_was_dropped_while_it_waited_never_runs_and_holds_up_none() {
    let fixture = Fixture::new(4);
    let gate = fixture.abandoned("/a").await;
    {
        let mut dropped = pin!(fixture.write(&["/a"], "dropped"));
        assert!(poll!(&mut dropped).is_pending());
    }
    let mut next = pin!(fixture.write(&["/a"], "next"));
    assert!(poll!(&mut next).is_pending());
    gate.open();
    next.await.unwrap();
    assert_eq!(fixture.log(), ["held up", "next"]);
}

#[tokio::test]
async fn a_future_that_is_held_and_not_polled_holds_up_none() {
    let fixture = Fixture::new(4);
    let gate = Gate::default();
    let mut first = pin!(fixture.held_up("/a", &gate));
    let mut second = pin!(fixture.write(&["/a"], "second"));
    assert!(poll!(&mut first).is_pending());
    assert!(poll!(&mut second).is_pending());
    gate.open();
    fixture.write(&["/a"], "third").await.unwrap();
    assert_eq!(fixture.log(), ["held up", "second", "third"]);
    second.await.unwrap();
}

#[tokio::test]
async fn dropped_at_every_poll_a_task_runs_once_or_never_and_before_the_next() {
    for polls in 0..6 {
        let fixture = Fixture::new(1);
        {
            let mut write = pin!(fixture.write(&["/a"], "dropped"));
            for _ in 0..polls {
                if write.as_mut().now_or_never().is_some() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        fixture.write(&["/a"], "next").await.unwrap();
        fixture.tasks.wait().await;
        let log = fixture.log();
        assert!(log == ["next"] || log == ["dropped", "next"], "{polls} polls: {log:?}");
    }
}

#[tokio::test]
async fn no_more_closures_run_at_once_than_there_are_threads() {
    let fixture = Fixture::new(2);
    let (one, two) = (fixture.abandoned("/1").await, fixture.abandoned("/2").await);
    let mut third = pin!(fixture.write(&["/3"], "third"));
    assert!(poll!(&mut third).is_pending());
    // Time for a task that would not wait.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(fixture.log().is_empty());
    one.open();
    third.await.unwrap();
    two.open();
    fixture.tasks.wait().await;
    assert_eq!(fixture.log().len(), 3);
}

#[tokio::test]
async fn a_panic_is_an_error_and_the_path_stays_usable() {
    let fixture = Fixture::new(1);
    let result: Result<()> = fixture.tasks.write(&[&path("/a")], || panic!("on purpose")).await;
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Other);
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("on purpose"), "{source}");
    fixture.write(&["/a"], "next").await.unwrap();
}

#[tokio::test]
async fn shutdown_waits_for_dropped_tasks_and_refuses_later_ones() {
    let fixture = Fixture::new(2);
    let gate = fixture.abandoned("/a").await;
    {
        let mut shutdown = pin!(fixture.tasks.shutdown());
        assert!(poll!(&mut shutdown).is_pending());
        let refused = fixture.write(&["/b"], "late").await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unavailable);
        let refused = fixture.read("/b", "late").await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unavailable);
        gate.open();
        shutdown.await;
    }
    assert_eq!(fixture.log(), ["held up"]);
    fixture.tasks.shutdown().await;
}
