//! Thousands of slow clients, and fast ones at the same time, on sockets.

use std::{fs, time::Duration};

use crate::support::{digest, with_digest};
use storage_driver_registry::TestRegistry;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// The number of clients that stall during a push, and of those that stall during a pull.
const SLOW: usize = 1000;
const LARGE: usize = 8 << 20;

/// Sends one request on a new connection, and returns the response, head and body.
async fn ask(registry: &TestRegistry, head: &str, body: &[u8]) -> String {
    let mut client = begin(registry, head, body.len()).await;
    client.write_all(body).await.unwrap();
    let mut response = Vec::new();
    client.read_to_end(&mut response).await.unwrap();
    String::from_utf8_lossy(&response).into_owned()
}

/// Sends the head of a request, without its body.
async fn begin(registry: &TestRegistry, head: &str, length: usize) -> TcpStream {
    let mut client = TcpStream::connect(registry.address()).await.unwrap();
    let head = format!(
        "{head} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    client.write_all(head.as_bytes()).await.unwrap();
    client
}

async fn start(registry: &TestRegistry) -> String {
    let response = ask(registry, "POST /v2/demo/blobs/uploads/", b"").await;
    let location = response.lines().find_map(|line| line.strip_prefix("location: "));
    location.unwrap_or_else(|| panic!("{response}")).trim().to_owned()
}

async fn push(registry: &TestRegistry, content: &[u8]) {
    let finish = with_digest(&start(registry).await, &digest(content));
    let response = ask(registry, &format!("PUT {finish}"), content).await;
    assert!(response.starts_with("HTTP/1.1 201"), "{response}");
}

/// The resident memory of this process, in bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() << 10
}

/// The number of slow clients that the limit of descriptors allows. Each has two connections, and both ends of them
/// are in this process.
#[cfg(target_os = "linux")]
fn raise_the_limit_of_descriptors() -> usize {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    let most = limit.current.map_or(usize::MAX, |most| most as usize / 4 - 50);
    SLOW.min(most)
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stalled_clients_use_little_memory_and_do_not_delay_others() {
    let clients = raise_the_limit_of_descriptors();
    let registry = TestRegistry::start().await.unwrap();
    let large = vec![7; LARGE];
    push(&registry, &large).await;
    let before = resident();

    let get = format!("GET /v2/demo/blobs/{}", digest(&large));
    let mut slow = Vec::new();
    for _ in 0..clients {
        let upload = start(&registry).await;
        let mut pusher = begin(&registry, &format!("PATCH {upload}"), LARGE).await;
        pusher.write_all(&[0; 100]).await.unwrap();
        let mut puller = begin(&registry, &get, 0).await;
        // The response has begun, and stalls because the client does not read it.
        puller.read_exact(&mut [0; 12]).await.unwrap();
        slow.push((pusher, puller));
    }
    for round in 0..20 {
        let content = format!("round {round}").into_bytes();
        let work = push(&registry, &content);
        timeout(Duration::from_secs(60), work).await.expect("held up by those who stand still");
        let get = format!("GET /v2/demo/blobs/{}", digest(&content));
        let response = ask(&registry, &get, b"").await;
        assert!(response.ends_with(&format!("round {round}")), "{response}");
    }
    // An upload in memory takes its first 4 KiB, a connection its buffers and its task.
    let each = (resident().saturating_sub(before)) / (2 * clients as u64);
    assert!(each < 64 << 10, "{each} bytes a slow client");
    drop(slow);
    registry.shutdown().await.unwrap();
}
