//! [`Proxy`]: a load balancer. It sends each request to the next node.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::{body::Incoming, client::conn::http1, server, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    http::{Error, send},
    support::random::Random,
};

/// Time to accept a connection. A node that is paused accepts, because the system does that for it.
const CONNECT: Duration = Duration::from_secs(2);

/// What goes wrong between the proxy and its clients, as shares of all requests, in percent.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    /// The node has processed the request. Its response is dropped, and the connection closed.
    pub(crate) dropped: u64,
    /// The response is sent a second late.
    pub(crate) late: u64,
}

/// It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    balancer: Arc<Balancer>,
    serving: JoinSet<()>,
}

#[derive(Debug)]
struct Balancer {
    nodes: Vec<SocketAddr>,
    /// Whether a node may receive requests.
    healthy: Vec<AtomicBool>,
    next: AtomicUsize,
    /// How long a node may take to respond.
    patience: Duration,
    faults: Faults,
    random: Mutex<Random>,
}

type Body = Either<Incoming, Full<Bytes>>;

impl Proxy {
    /// Starts it on a free port. A node that does not respond for `patience` gives 504.
    pub(crate) async fn start(
        nodes: Vec<SocketAddr>,
        patience: Duration,
        faults: Faults,
        random: Random,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let random = Mutex::new(random);
        let next = AtomicUsize::new(0);
        let healthy = nodes.iter().map(|_| AtomicBool::new(true)).collect();
        let balancer = Arc::new(Balancer { nodes, healthy, next, patience, faults, random });
        let forwarder = Arc::clone(&balancer);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let balancer = Arc::clone(&forwarder);
                connections.spawn(async move {
                    let forward = service_fn(|request| balancer.forward(request));
                    let http = server::conn::http1::Builder::new();
                    let _ = http.serve_connection(TokioIo::new(stream), forward).await;
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, balancer, serving }
    }

    /// Sends no more requests to a node whose `/healthz` is not 200, as load balancers do. Every node is asked each tenth
    /// of a second.
    pub(crate) fn watch_health(&mut self) {
        for node in 0..self.balancer.nodes.len() {
            let balancer = Arc::clone(&self.balancer);
            self.serving.spawn(async move {
                loop {
                    let health = send(balancer.nodes[node], Method::GET, "/healthz", &[], "").await;
                    let is_healthy = health.is_ok_and(|health| health.status == 200);
                    balancer.healthy[node].store(is_healthy, Ordering::Relaxed);
                    sleep(Duration::from_millis(100)).await;
                }
            });
        }
    }
}

impl Balancer {
    /// # Errors
    ///
    /// The response was dropped, or the node closed the connection in the middle. hyper closes that to the client then.
    async fn forward(&self, request: Request<Incoming>) -> Result<Response<Body>, Error> {
        let Some(stream) = self.connect().await else {
            return Ok(failed(StatusCode::SERVICE_UNAVAILABLE));
        };
        let response = timeout(self.patience, exchange(stream, request));
        let response = match response.await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => return Ok(failed(StatusCode::BAD_GATEWAY)),
            Err(_) => return Ok(failed(StatusCode::GATEWAY_TIMEOUT)),
        };
        let fault = self.random.lock().unwrap().below(100);
        if fault < self.faults.dropped {
            return Err("the response is dropped".into());
        }
        if fault < self.faults.dropped + self.faults.late {
            sleep(Duration::from_secs(1)).await;
        }
        Ok(response.map(Either::Left))
    }

    /// A connection to the next node that accepts one.
    async fn connect(&self) -> Option<TcpStream> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        for next in (first..first + self.nodes.len()).map(|next| next % self.nodes.len()) {
            if !self.healthy[next].load(Ordering::Relaxed) {
                continue;
            }
            if let Ok(Ok(stream)) = timeout(CONNECT, TcpStream::connect(self.nodes[next])).await {
                let _ = stream.set_nodelay(true);
                return Some(stream);
            }
        }
        None
    }
}

/// The connection to the node is closed after the response.
async fn exchange(
    stream: TcpStream,
    request: Request<Incoming>,
) -> hyper::Result<Response<Incoming>> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    sender.send_request(request).await
}

fn failed(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Either::Right(Full::default()));
    *response.status_mut() = status;
    response
}
