//! [`Cluster`]: nodes on one store, behind a proxy.

use std::{net::SocketAddr, time::Duration};

use http::Method;

use crate::{
    bucket::Bucket,
    http::{Response, send},
    node::Node,
    proxy::{Faults, Proxy},
    support::{digest, random::Random},
};

/// How long the proxy waits for a node.
const PATIENCE: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub(crate) struct Cluster {
    // Before the bucket, so that they end first.
    pub(crate) nodes: Vec<Node>,
    pub(crate) proxy: Proxy,
    pub(crate) bucket: Bucket,
}

impl Cluster {
    /// Starts nodes on a new store, with settings in the environment. `None`, after a message, if there is no server for
    /// the store.
    pub(crate) async fn start(nodes: usize, settings: &[(&str, &str)]) -> Option<Self> {
        Self::start_with(nodes, settings, Faults::default(), 1).await
    }

    pub(crate) async fn start_with(
        nodes: usize,
        settings: &[(&str, &str)],
        faults: Faults,
        seed: u64,
    ) -> Option<Self> {
        let bucket = Bucket::start().await?;
        let settings = bucket.settings(settings);
        let nodes: Vec<Node> = (0..nodes).map(|_| Node::start(settings.clone())).collect();
        let addresses = nodes.iter().map(|node| node.address).collect();
        let proxy = Proxy::start(addresses, PATIENCE, faults, Random::new(seed)).await;
        Some(Self { nodes, proxy, bucket })
    }

    /// The address of a node; numbers go round.
    pub(crate) fn node(&self, number: usize) -> SocketAddr {
        self.nodes[number % self.nodes.len()].address
    }
}

/// Begins an upload, and returns its location.
pub(crate) async fn begin(node: SocketAddr, repository: &str) -> String {
    let target = format!("/v2/{repository}/blobs/uploads/");
    send(node, Method::POST, &target, &[], "").await.unwrap().expect(202).location()
}

/// Sends the chunk that begins at `offset`.
pub(crate) async fn chunk(
    node: SocketAddr,
    location: &str,
    offset: usize,
    content: &[u8],
) -> Response {
    let range = format!("{offset}-{}", offset + content.len() - 1);
    let headers = [("content-range", range.as_str())];
    let content = content.to_vec();
    send(node, Method::PATCH, location, &headers, content).await.unwrap()
}

/// How many bytes an upload has, and its location.
pub(crate) async fn kept(node: SocketAddr, location: &str) -> (usize, String) {
    let status = send(node, Method::GET, location, &[], "").await.unwrap().expect(204);
    let range = status.header("range");
    let last: usize = range.strip_prefix("0-").unwrap().parse().unwrap();
    // An empty upload has the range 0-0 too. No test sends a single byte.
    (if last == 0 { 0 } else { last + 1 }, status.location())
}

/// Finishes an upload with its last bytes.
pub(crate) async fn finish(
    node: SocketAddr,
    location: &str,
    content: &[u8],
    rest: &[u8],
) -> Response {
    let separator = if location.contains('?') { '&' } else { '?' };
    let target = format!("{location}{separator}digest={}", digest(content));
    send(node, Method::PUT, &target, &[], rest.to_vec()).await.unwrap()
}

/// Asserts that a node serves a blob.
pub(crate) async fn assert_served(node: SocketAddr, repository: &str, content: &[u8]) {
    let target = format!("/v2/{repository}/blobs/{}", digest(content));
    let got = send(node, Method::GET, &target, &[], "").await.unwrap().expect(200);
    assert!(got.body == content, "{} bytes instead of {}", got.body.len(), content.len());
}
