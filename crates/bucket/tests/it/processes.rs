//! Processes of this machine that share a store over sockets.

mod listener;
mod worker;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use storage_driver::{Precondition, StorageDriver, SweepOptions, WriterOptions};
use storage_driver_bucket::double::Double;
use tokio::sync::{Notify, Semaphore};

use self::{listener::Rule, worker::Worker};
use crate::support::{LARGE, bytes, files, leftovers, open, path, read, server, upload, uploads};

const HOUR: Duration = Duration::from_secs(3600);

/// Holds the requests that `which` selects, until the semaphore has permits. The notification tells that one has
/// arrived.
fn hold(
    worker: &Worker,
    which: impl Fn(&str) -> bool + Send + Sync + 'static,
) -> (Arc<Semaphore>, Arc<Notify>) {
    let (held, reached) = (Arc::new(Semaphore::new(0)), Arc::new(Notify::new()));
    let (permits, arrived) = (Arc::clone(&held), Arc::clone(&reached));
    worker.listener.set_rule(move |request| {
        if !which(request) {
            return Rule::Serve;
        }
        arrived.notify_one();
        Rule::Hold(Arc::clone(&permits))
    });
    (held, reached)
}

#[tokio::test]
async fn a_writer_with_a_dead_connection_is_fenced_and_does_no_harm() {
    let server = server();
    let mut one = Worker::start(&server).await;
    let mut two = Worker::start(&server).await;
    assert_eq!(one.ask("create /u").await, "opened 0");
    one.ask("write /u 1 100").await;
    assert_eq!(one.ask("sync /u").await, "kept");
    // From here on its requests are on their way.
    let (held, reached) = hold(&one, |_| true);
    one.ask("write /u 2 100000").await;
    one.send("commit /u /dest any").await;
    reached.notified().await;

    assert_eq!(two.ask("resume /u").await, "opened 100");
    two.ask("write /u 3 50").await;
    assert_eq!(two.ask("commit /u /dest any").await, "committed 150");
    held.add_permits(Semaphore::MAX_PERMITS);
    assert_eq!(one.result().await.unwrap(), "WriterFenced");
    let content = [bytes(1, 100), bytes(3, 50)].concat();
    assert_eq!(read(&open(&server).await, "/dest").await, content);
}

#[tokio::test]
async fn an_upload_is_taken_over_while_a_part_is_sent() {
    let server = server();
    let mut one = Worker::start(&server).await;
    let mut two = Worker::start(&server).await;
    one.ask("create /u").await;
    one.ask("write /u 1 2000000").await;
    assert_eq!(one.ask("sync /u").await, "kept");
    let (held, reached) = hold(&one, |request| request.contains("partNumber"));
    one.ask(&format!("write /u 2 {}", 9 << 20)).await;
    // The next write finds a whole part, and starts to send it.
    assert_eq!(one.ask("write /u 2 10").await, "written");
    reached.notified().await;

    assert_eq!(two.ask("resume /u").await, "opened 2000000");
    two.ask("write /u 3 100").await;
    assert_eq!(two.ask("commit /u /dest absent").await, "committed 2000100");
    held.add_permits(Semaphore::MAX_PERMITS);
    assert_eq!(one.ask("sync /u").await, "WriterFenced");

    let store = open(&server).await;
    let content = [bytes(1, 2_000_000), bytes(3, 100)].concat();
    assert_eq!(read(&store, "/dest").await, content);
    drop(one);
    // What the fenced writer has stored goes, and nothing else.
    let sweep = SweepOptions::new().deep().grace(Duration::ZERO);
    store.sweep(sweep).await.unwrap();
    assert_eq!(read(&store, "/dest").await, content);
    assert_eq!(server.keys().iter().filter(|key| key.starts_with("!data/")).count(), 2);
}

#[tokio::test]
async fn of_two_commits_to_one_destination_one_succeeds() {
    let server = server();
    let mut one = Worker::start(&server).await;
    let mut two = Worker::start(&server).await;
    for (worker, seed) in [(&mut one, 1), (&mut two, 2)] {
        worker.ask(&format!("create /u{seed}")).await;
        worker.ask(&format!("write /u{seed} {seed} 100000")).await;
    }
    // Both have announced their commits before either takes effect.
    let (held_one, reached_one) = hold(&one, |request| request.contains("/dest"));
    let (held_two, reached_two) = hold(&two, |request| request.contains("/dest"));
    one.send("commit /u1 /dest absent").await;
    two.send("commit /u2 /dest absent").await;
    reached_one.notified().await;
    reached_two.notified().await;
    for held in [held_one, held_two] {
        held.add_permits(Semaphore::MAX_PERMITS);
    }
    let results = [one.result().await.unwrap(), two.result().await.unwrap()];
    let won = results.iter().position(|result| result == "committed 100000").unwrap();
    assert_eq!(results[1 - won], "PreconditionFailed");
    let store = open(&server).await;
    assert_eq!(read(&store, "/dest").await, bytes(won as u8 + 1, 100_000));
    // The other upload is still there.
    assert_eq!(uploads(&store).await, [(format!("/u{}", 2 - won), 100_000)]);
}

#[tokio::test]
async fn processes_whose_clocks_differ_by_an_hour_fence_each_other() {
    let server = server();
    let mut ahead = Worker::start_ahead(&server, 3600).await;
    let mut behind = Worker::start_ahead(&server, -3600).await;
    ahead.ask("create /u").await;
    ahead.ask("write /u 1 100000").await;
    assert_eq!(ahead.ask("sync /u").await, "kept");
    assert_eq!(behind.ask("resume /u").await, "opened 100000");
    assert_eq!(ahead.ask("sync /u").await, "WriterFenced");
    behind.ask("write /u 2 100000").await;
    assert_eq!(behind.ask("sync /u").await, "kept");
    // Its clock is two hours ahead, and the grace is one.
    assert_eq!(ahead.ask("sweep").await, "swept 0");
    assert_eq!(ahead.ask("resume /u").await, "opened 200000");
    assert_eq!(ahead.ask("commit /u /dest absent").await, "committed 200000");
    assert_eq!(behind.ask("sync /u").await, "WriterFenced");
    assert_eq!(behind.ask("put /dest 3 2000000").await, "put");
    assert_eq!(ahead.ask("sweep").await, "swept 0");
    let store = open(&server).await;
    assert_eq!(read(&store, "/dest").await, bytes(3, 2_000_000));
}

/// Kills a process at request `at` of a commit. Returns whether there was such a request.
async fn kill(server: &Double, at: u64, rule: &Rule) -> bool {
    let store = open(server).await;
    upload(&store, "/u", bytes(1, LARGE)).await.unwrap();
    let mut worker = Worker::start(server).await;
    worker.ask("resume /u").await;
    worker.ask("write /u 2 100000").await;
    let (sent, rule) = (AtomicU64::new(0), rule.clone());
    worker.listener.set_rule(move |_| match sent.fetch_add(1, Ordering::Relaxed) == at {
        true => rule.clone(),
        false => Rule::Serve,
    });
    worker.send("commit /u /dest absent").await;
    let killed = worker.result().await.is_none();
    if killed {
        worker.ended().await;
    }
    let content = [bytes(1, LARGE), bytes(2, 100_000)].concat();
    if let Some(committed) = files(&store).await.remove("/dest") {
        assert_eq!(committed, content, "killed at request {at}");
        assert_eq!(uploads(&store).await, [], "killed at request {at}");
    } else {
        let options = WriterOptions::resume();
        let mut writer = store.writer(&path("/u"), options).await.unwrap();
        let kept = writer.size() as usize;
        assert!([LARGE, content.len()].contains(&kept), "killed at request {at}: {kept}");
        writer.write_bytes(content[kept..].to_vec()).await.unwrap();
        writer.commit_to(&path("/dest"), Precondition::IfAbsent).await.unwrap();
        assert_eq!(read(&store, "/dest").await, content, "killed at request {at}");
    }
    let sweep = || SweepOptions::new().deep().grace(Duration::ZERO);
    store.sweep(sweep()).await.unwrap();
    assert_eq!(read(&store, "/dest").await, content, "killed at request {at}");
    store.delete(&path("/dest"), Precondition::None).await.unwrap();
    server.advance(2 * HOUR);
    store.sweep(sweep()).await.unwrap();
    store.sweep(sweep()).await.unwrap();
    assert_eq!(leftovers(server), Vec::<String>::new(), "killed at request {at}");
    killed
}

async fn kill_at_every_request(rule: Rule) {
    let mut at = 0;
    while kill(&server(), at, &rule).await {
        at += 1;
    }
    assert!(at > 3, "a commit sends requests");
}

#[tokio::test]
async fn a_process_is_killed_before_every_request_of_a_commit() {
    kill_at_every_request(Rule::KillBefore).await;
}

#[tokio::test]
async fn a_process_is_killed_after_every_request_of_a_commit() {
    kill_at_every_request(Rule::KillAfter).await;
}
