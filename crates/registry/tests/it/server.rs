//! The server on real sockets: its shutdown, and its limit on connections.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, extract::ConnectInfo, routing::get};
use storage_driver_registry::{Server, ServerLimits, Shutdown};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    task::JoinHandle,
};

struct Running {
    address: SocketAddr,
    shutdown: Shutdown,
    task: JoinHandle<()>,
}

async fn run(server: Server) -> Running {
    let address = server.local_addr().unwrap();
    let shutdown = Shutdown::new();
    let task = tokio::spawn(server.run(shutdown.clone()));
    Running { address, shutdown, task }
}

async fn send(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn rest(mut stream: TcpStream) -> String {
    let mut response = Vec::new();
    // A connection without a response may end with a reset.
    let _ = stream.read_to_end(&mut response).await;
    String::from_utf8(response).unwrap()
}

/// A router whose `/` reports that it has begun, and returns when it is permitted.
struct Gate {
    entered: Arc<Notify>,
    open: Arc<Notify>,
}

impl Gate {
    fn new() -> (Self, Router) {
        let (entered, open) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let gate = Self { entered: entered.clone(), open: open.clone() };
        let handler = move || async move {
            entered.notify_one();
            open.notified().await;
            "through"
        };
        (gate, Router::new().route("/", get(handler)))
    }
}

#[tokio::test]
async fn a_request_in_flight_is_finished_when_it_stops() {
    let (gate, router) = Gate::new();
    let running = run(Server::bind("127.0.0.1:0", router).await.unwrap()).await;
    let stream = send(running.address, "/").await;
    gate.entered.notified().await;
    running.shutdown.start();
    // At some moment it stops listening.
    while TcpStream::connect(running.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    gate.open.notify_one();
    assert!(rest(stream).await.ends_with("through"));
    running.task.await.unwrap();
    assert!(!running.shutdown.is_interrupted());
}

#[tokio::test]
async fn an_idle_connection_ends_when_it_stops() {
    let router = Router::new().route("/", get(|| async { "hello" }));
    let running = run(Server::bind("127.0.0.1:0", router).await.unwrap()).await;
    let mut stream = send(running.address, "/").await;
    let silent = TcpStream::connect(running.address).await.unwrap();
    stream.readable().await.unwrap();
    running.shutdown.start();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    assert!(response.ends_with("hello"));
    drop((stream, rest(silent).await));
    running.task.await.unwrap();
}

#[tokio::test]
async fn handlers_are_interrupted_after_the_grace() {
    let interrupt = Arc::new(std::sync::OnceLock::<Shutdown>::new());
    let (entered, watched) = (Arc::new(Notify::new()), interrupt.clone());
    let notifier = entered.clone();
    let handler = move || async move {
        notifier.notify_one();
        watched.get().unwrap().interrupted().await;
        "interrupted"
    };
    let router = Router::new().route("/", get(handler));
    let server = Server::bind("127.0.0.1:0", router).await.unwrap().shutdown_grace(Duration::ZERO);
    let running = run(server).await;
    interrupt.set(running.shutdown.clone()).unwrap();
    let stream = send(running.address, "/").await;
    entered.notified().await;
    running.shutdown.start();
    assert!(rest(stream).await.ends_with("interrupted"));
    running.task.await.unwrap();
}

#[tokio::test]
async fn a_handler_that_ignores_the_interrupt_is_dropped() {
    let (gate, router) = Gate::new();
    let running = run(Server::bind("127.0.0.1:0", router)
        .await
        .unwrap()
        .shutdown_grace(Duration::from_secs(30)))
    .await;
    let stream = send(running.address, "/").await;
    gate.entered.notified().await;
    // From here on, only time can end the server.
    tokio::time::pause();
    running.shutdown.start();
    assert_eq!(rest(stream).await, "");
    running.task.await.unwrap();
    assert!(running.shutdown.is_interrupted());
}

#[tokio::test]
async fn connections_end_with_a_run_that_is_dropped() {
    let (gate, router) = Gate::new();
    let running = run(Server::bind("127.0.0.1:0", router).await.unwrap()).await;
    let stream = send(running.address, "/").await;
    gate.entered.notified().await;
    running.task.abort();
    assert_eq!(rest(stream).await, "");
}

#[tokio::test]
async fn one_connection_more_waits_until_another_has_ended() {
    let (gate, router) = Gate::new();
    let limits = ServerLimits { max_connections: 1, ..ServerLimits::default() };
    let server = Server::bind("127.0.0.1:0", router).await.unwrap().limits(limits);
    let running = run(server).await;
    let first = send(running.address, "/").await;
    gate.entered.notified().await;
    let mut second = send(running.address, "/").await;
    gate.open.notify_one();
    // The first connection is still open, so the handler was not called for the second.
    first.readable().await.unwrap();
    let mut byte = [0];
    assert!(second.try_read(&mut byte).is_err());
    assert!(futures::poll!(std::pin::pin!(gate.entered.notified())).is_pending());
    drop(first);
    gate.entered.notified().await;
    gate.open.notify_one();
    second.read_exact(&mut byte).await.unwrap();
}

#[tokio::test]
async fn handlers_know_the_address_of_the_client() {
    let handler = |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() };
    let router = Router::new().route("/", get(handler));
    let running = run(Server::bind("127.0.0.1:0", router).await.unwrap()).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let own = stream.local_addr().unwrap().to_string();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    assert!(rest(stream).await.ends_with(&own));
}
