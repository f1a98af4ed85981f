//! Uploads whose requests go to different nodes.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use bytes::Bytes;
use futures::{SinkExt, StreamExt, channel::mpsc};
use http::{Method, Request};
use http_body_util::StreamBody;
use hyper::body::Frame;
use rustix::process::Signal;
use tokio::task::JoinHandle;

use crate::{
    cluster::{Cluster, assert_served, begin, chunk, finish, kept},
    http::{Error, Response, send, send_body},
    pause,
    support::random::Random,
};

const REPOSITORY: &str = "some/image";

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_begins_at_one_node_and_ends_at_another() {
    let Some(cluster) = Cluster::start(3, &[]).await else { return };
    let content = Random::new(1).bytes(300_000);
    let (first, rest) = content.split_at(200_000);
    let location = begin(cluster.node(0), REPOSITORY).await;
    let sent = chunk(cluster.node(1), &location, 0, first).await.expect(202);
    let (size, location) = kept(cluster.node(2), &sent.location()).await;
    assert_eq!(size, first.len());
    finish(cluster.node(0), &location, &content, rest).await.expect(201);
    for node in 0..3 {
        assert_served(cluster.node(node), REPOSITORY, &content).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_chunks_through_the_proxy_are_one_blob() {
    let Some(cluster) = Cluster::start(3, &[]).await else { return };
    let proxy = cluster.proxy.address;
    let content = Random::new(2).bytes(20 * 500_000);
    let mut location = begin(proxy, REPOSITORY).await;
    for (number, part) in content.chunks(500_000).enumerate() {
        location = chunk(proxy, &location, number * 500_000, part).await.expect(202).location();
    }
    finish(proxy, &location, &content, &[]).await.expect(201);
    assert_served(proxy, REPOSITORY, &content).await;
}

/// A PATCH whose body is sent by hand.
struct Chunk {
    body: mpsc::Sender<Bytes>,
    response: JoinHandle<Result<Response, Error>>,
}

impl Chunk {
    fn begin(node: SocketAddr, location: &str) -> Self {
        let (body, parts) = mpsc::channel(0);
        let frames = parts.map(|part: Bytes| Ok::<_, Infallible>(Frame::data(part)));
        let request = Request::builder().method(Method::PATCH).uri(location);
        let request = request.body(StreamBody::new(frames)).unwrap();
        Self { body, response: tokio::spawn(send_body(node, request)) }
    }

    /// Returns when all but what buffers hold is at the node.
    async fn send(&mut self, content: &[u8]) -> Result<(), mpsc::SendError> {
        for part in content.chunks(64 << 10) {
            self.body.send(Bytes::copy_from_slice(part)).await?;
        }
        Ok(())
    }

    /// Ends the body, and returns the response.
    async fn end(self) -> Result<Response, Error> {
        drop(self.body);
        self.response.await.unwrap()
    }
}

/// More than what buffers between a client and a node hold.
const MUCH: usize = 24 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_in_the_middle_of_a_chunk_another_node_continues() {
    let Some(mut cluster) = Cluster::start(2, &[]).await else { return };
    let content = Random::new(3).bytes(2 * MUCH);
    let first = &content[..300_000];
    let location = begin(cluster.node(0), REPOSITORY).await;
    let location = chunk(cluster.node(0), &location, 0, first).await.expect(202).location();
    let mut second = Chunk::begin(cluster.node(0), &location);
    second.send(&content[first.len()..MUCH]).await.unwrap();
    cluster.nodes[0].kill();
    second.end().await.unwrap_err();

    let (size, location) = kept(cluster.node(1), &location).await;
    assert!((first.len()..=MUCH).contains(&size), "{size}");
    let location =
        chunk(cluster.node(1), &location, size, &content[size..]).await.expect(202).location();
    cluster.nodes[0].start_again();
    finish(cluster.node(0), &location, &content, &[]).await.expect(201);
    assert_served(cluster.node(1), REPOSITORY, &content).await;
}

/// A node is paused in the middle of a chunk, another one takes the upload over, and the node wakes after `time`.
async fn a_paused_node_changes_nothing(time: Duration) {
    let Some(cluster) = Cluster::start(2, &[]).await else { return };
    let content = Random::new(4).bytes(2 * MUCH);
    let first = &content[..300_000];
    let location = begin(cluster.node(0), REPOSITORY).await;
    let location = chunk(cluster.node(0), &location, 0, first).await.expect(202).location();
    let mut second = Chunk::begin(cluster.node(0), &location);
    second.send(&content[first.len()..MUCH]).await.unwrap();
    cluster.nodes[0].signal(Signal::STOP);

    let (size, location) = kept(cluster.node(1), &location).await;
    let taken = chunk(cluster.node(1), &location, size, &content[size..]).await.expect(202);
    tokio::time::sleep(time).await;
    cluster.nodes[0].signal(Signal::CONT);
    // Its connection may be closed by now.
    let _ = second.send(&[0; 100_000]).await;
    if let Ok(response) = second.end().await {
        assert_ne!(response.status, 202, "{response:?}");
    }
    let (size, location) = kept(cluster.node(0), &taken.location()).await;
    assert_eq!(size, content.len());
    finish(cluster.node(0), &location, &content, &[]).await.expect(201);
    assert_served(cluster.node(1), REPOSITORY, &content).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_paused_while_another_took_over_changes_nothing() {
    a_paused_node_changes_nothing(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: NODES_PAUSE"]
async fn a_node_that_was_paused_for_longer_than_every_time_out_changes_nothing() {
    a_paused_node_changes_nothing(pause()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_paused_at_any_moment_of_an_upload_leaves_it_whole() {
    let Some(cluster) = Cluster::start(2, &[]).await else { return };
    let mut random = Random::new(5);
    for _ in 0..8 {
        let content = random.bytes(1_500_000);
        let location = begin(cluster.node(0), REPOSITORY).await;
        let late = {
            let (node, location, content) = (cluster.node(0), location.clone(), content.clone());
            tokio::spawn(async move { finish(node, &location, &content, &content).await })
        };
        // A moment within the request, which takes some tens of milliseconds.
        tokio::time::sleep(Duration::from_millis(random.below(60))).await;
        cluster.nodes[0].signal(Signal::STOP);
        // If the paused node has published the blob, there is no upload any more.
        let status = send(cluster.node(1), Method::GET, &location, &[], "").await.unwrap();
        if status.status == 204 {
            let (size, location) = kept(cluster.node(1), &location).await;
            finish(cluster.node(1), &location, &content, &content[size..]).await.expect(201);
        }
        cluster.nodes[0].signal(Signal::CONT);
        late.await.unwrap();
        for node in [0, 1] {
            assert_served(cluster.node(node), REPOSITORY, &content).await;
        }
    }
}
