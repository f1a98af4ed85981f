//! Any request at any node: registries on one store, without memory in common.

use std::{env, io, process::Command, sync::Arc};

use bytes::Bytes;
use futures::{SinkExt, channel::mpsc::Sender};
use inmemory::InMemory;
use tokio::task::JoinHandle;

use crate::support::{
    EMPTY_CONFIG, NODES, OCI_MANIFEST, Response, Service, blob, digest, image, slow, with_digest,
};

fn nodes<const N: usize>() -> [Service; N] {
    let store = InMemory::new();
    std::array::from_fn(|_| Service::over(store.clone(), |it| it))
}

/// A request at `node` that has sent `hello ` to an upload, as `other` sees. The sender continues its body.
async fn half_sent(
    (node, other): (&Service, &Service),
    method: &str,
    uri: &str,
    upload: &str,
) -> (Sender<io::Result<Bytes>>, JoinHandle<Response>) {
    let (mut sender, body) = slow();
    let request = tokio::spawn(node.send(method, uri, &[], body));
    sender.send(Ok("hello ".into())).await.unwrap();
    while other.get(upload).await.header("range") != "0-5" {
        tokio::task::yield_now().await;
    }
    (sender, request)
}

#[tokio::test]
async fn each_request_of_a_push_and_a_pull_can_go_to_another_node() {
    let [a, b, c, d] = nodes();
    for content in [EMPTY_CONFIG, b"layer"] {
        let (first, rest) = content.split_at(1);
        let upload = a.start("demo").await;
        b.patch(&upload, "0-0", first).await.expect(202);
        assert_eq!(d.get(&upload).await.expect(204).header("range"), "0-0");
        let range = format!("1-{}", content.len() - 1);
        c.patch(&upload, &range, rest).await.expect(202);
        d.put(&upload, content).await.expect(201);
        for node in [&a, &b, &c, &d] {
            node.get(&upload).await.expect(404);
            assert_eq!(node.get(&blob("demo", content)).await.expect(200).body, content);
        }
    }
    let manifest = image(&[b"layer"]);
    b.push_manifest("demo", "v1", OCI_MANIFEST, &manifest).await;
    for node in [&a, &b, &c, &d] {
        let pulled = node.get("/v2/demo/manifests/v1").await.expect(200);
        assert_eq!(pulled.body, manifest.to_string());
    }
    c.delete("/v2/demo/manifests/v1").await.expect(202);
    d.get("/v2/demo/manifests/v1").await.expect(404);
}

#[tokio::test]
async fn an_upload_that_one_node_cancels_is_unknown_to_all() {
    let [a, b] = nodes();
    let upload = a.start("demo").await;
    a.patch(&upload, "0-4", "hello").await.expect(202);
    b.delete(&upload).await.expect(204);
    a.get(&upload).await.expect(404);
    a.patch(&upload, "5-9", "world").await.expect(404);
}

#[tokio::test]
async fn an_upload_continues_at_another_node_when_its_own_is_gone_in_mid_patch() {
    let [a, b] = nodes();
    let upload = a.start("demo").await;
    let (mut sender, body) = slow();
    let (gone, has_gone) = tokio::sync::oneshot::channel();
    let request = a.send("PATCH", &upload, &[], body);
    // A runtime of its own, all of whose tasks end with it.
    let node = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.spawn(request);
        runtime.block_on(has_gone)
    });
    sender.send(Ok("hello ".into())).await.unwrap();
    while b.get(&upload).await.header("range") != "0-5" {
        tokio::task::yield_now().await;
    }
    gone.send(()).unwrap();
    node.join().unwrap().unwrap();
    drop(a);
    b.patch(&upload, "6-10", "world").await.expect(202);
    b.put(&upload, b"hello world").await.expect(201);
    assert_eq!(b.get(&blob("demo", b"hello world")).await.expect(200).body, "hello world");
}

#[tokio::test]
async fn a_chunk_of_a_node_that_was_overtaken_changes_nothing() {
    let [a, b] = nodes();
    let upload = a.start("demo").await;
    let (mut sender, zombie) = half_sent((&a, &b), "PATCH", &upload, &upload).await;
    b.patch(&upload, "6-10", "world").await.expect(202);
    // It may notice as late as the end of its body.
    let _ = sender.send(Ok("HELLO".into())).await;
    drop(sender);
    zombie.await.unwrap().expect(409);
    b.assert_upload_size(&upload, "0-10").await;
    b.put(&upload, b"hello world").await.expect(201);
}

#[tokio::test]
async fn the_last_request_of_a_node_that_was_overtaken_publishes_nothing() {
    for is_finished in [false, true] {
        let [a, b] = nodes();
        let upload = a.start("demo").await;
        let uri = with_digest(&upload, &digest(b"hello WORLD"));
        let (mut sender, zombie) = half_sent((&a, &b), "PUT", &uri, &upload).await;
        b.patch(&upload, "6-10", "world").await.expect(202);
        if is_finished {
            b.put(&upload, b"hello world").await.expect(201);
        }
        let _ = sender.send(Ok("WORLD".into())).await;
        drop(sender);
        let refused = zombie.await.unwrap().status.as_u16();
        assert!(matches!(refused, 404 | 409), "finished: {is_finished}: {refused}");
        b.get(&blob("demo", b"hello WORLD")).await.expect(404);
        if !is_finished {
            b.put(&upload, b"hello world").await.expect(201);
        }
        b.get(&blob("demo", b"hello world")).await.expect(200);
        assert_eq!(b.uploads().await, 0);
    }
}

#[tokio::test]
async fn a_node_with_a_dead_request_continues_where_another_node_ended() {
    let [a, b] = nodes();
    let upload = a.start("demo").await;
    let (_dead, request) = half_sent((&a, &b), "PATCH", &upload, &upload).await;
    b.patch(&upload, "6-10", "world").await.expect(202);
    a.assert_upload_size(&upload, "0-10").await;
    a.patch(&upload, "11-11", "!").await.expect(202);
    a.put(&upload, b"hello world!").await.expect(201);
    request.abort();
}

#[tokio::test]
async fn a_wrong_offset_at_another_node_is_refused_and_disturbs_nothing() {
    let [a, b] = nodes();
    let upload = a.start("demo").await;
    let (mut sender, request) = half_sent((&a, &b), "PATCH", &upload, &upload).await;
    let refused = b.patch(&upload, "7-11", "world").await.expect(416);
    assert_eq!(refused.header("range"), "0-5");
    sender.send(Ok("world".into())).await.unwrap();
    drop(sender);
    request.await.unwrap().expect(202);
    b.put(&upload, b"hello world").await.expect(201);
}

#[tokio::test]
async fn a_push_at_every_node_at_once_needs_no_upload_twice() {
    let nodes: [Service; 3] = nodes();
    let nodes = nodes.map(Arc::new);
    let pushes = (0..30).map(|n| {
        let node = Arc::clone(&nodes[n % 3]);
        tokio::spawn(async move { node.push_image("demo", &format!("v{n}"), "layer").await })
    });
    let pushed: Vec<_> = futures::future::try_join_all(pushes).await.unwrap();
    assert!(pushed.iter().all(|digest| *digest == pushed[0]));
    let tags = nodes[0].get("/v2/demo/tags/list").await.expect(200).json();
    assert_eq!(tags["tags"].as_array().unwrap().len(), 30);
    assert_eq!(nodes[0].uploads().await, 0);
}

/// The tests of `specification` again, each request at the other of two nodes, each with a cache.
#[test]
fn the_specification_holds_on_two_nodes_in_turn() {
    let mut tests = Command::new(env::current_exe().unwrap());
    let output = tests.args(["specification::", "--test-threads=2"]).env(NODES, "2").output();
    let output = output.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.matches("test specification::").count() > 100, "{text}");
}
