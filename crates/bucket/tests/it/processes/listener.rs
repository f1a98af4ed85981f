//! The server in process behind a socket of this machine, so that several processes share it.

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, RwLock},
};

use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use object_store::client::{HttpRequest, HttpResponse, HttpService};
use storage_driver_bucket::double::Double;
use tokio::{net::TcpListener, sync::Semaphore, task::JoinHandle};

/// What the listener does with a request.
#[derive(Debug, Clone)]
pub(super) enum Rule {
    Serve,
    /// It waits until the semaphore has a permit, as on a connection that is dead for some time.
    Hold(Arc<Semaphore>),
    /// The process that sent it is killed before it is served.
    KillBefore,
    /// The process is killed when it has been served.
    KillAfter,
}

type Decide = dyn Fn(&str) -> Rule + Send + Sync;
type Kill = dyn Fn() + Send + Sync;

/// A socket in front of the server, for one process.
pub(super) struct Listener {
    address: SocketAddr,
    line: Arc<Line>,
    accepting: JoinHandle<()>,
}

struct Line {
    server: Double,
    decide: RwLock<Arc<Decide>>,
    kill: RwLock<Option<Arc<Kill>>>,
}

impl Listener {
    pub(super) async fn start(server: &Double) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let decide: Arc<Decide> = Arc::new(|_| Rule::Serve);
        let (decide, kill) = (RwLock::new(decide), RwLock::new(None));
        let line = Arc::new(Line { server: server.clone(), decide, kill });
        let shared = Arc::clone(&line);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let line = Arc::clone(&shared);
                let service = service_fn(move |request| {
                    let line = Arc::clone(&line);
                    async move { line.serve(request).await }
                });
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                // An error is a client that has gone.
                tokio::spawn(async move { drop(connection.await) });
            }
        });
        Self { address, line, accepting }
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets what is done with each request, by its method and path.
    pub(super) fn set_rule(&self, decide: impl Fn(&str) -> Rule + Send + Sync + 'static) {
        *self.line.decide.write().unwrap() = Arc::new(decide);
    }

    /// Sets how the process is killed.
    pub(super) fn set_kill(&self, kill: impl Fn() + Send + Sync + 'static) {
        *self.line.kill.write().unwrap() = Some(Arc::new(kill));
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Why a request has no response: the connection ends.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Cut(String);

impl Cut {
    fn new(reason: impl fmt::Display) -> Self {
        Self(reason.to_string())
    }
}

impl Line {
    async fn serve(&self, request: hyper::Request<Incoming>) -> Result<HttpResponse, Cut> {
        let (parts, body) = request.into_parts();
        let decide = Arc::clone(&self.decide.read().unwrap());
        let rule = decide(&format!("{} {}", parts.method, parts.uri));
        let body = body.collect().await.map_err(Cut::new)?.to_bytes();
        let request = HttpRequest::from_parts(parts, body.into());
        let served =
            |request: HttpRequest| async move { self.server.call(request).await.map_err(Cut::new) };
        match rule {
            Rule::Serve => served(request).await,
            Rule::Hold(held) => {
                held.acquire().await.map_err(Cut::new)?.forget();
                served(request).await
            }
            Rule::KillBefore => {
                self.kill();
                Err(Cut::new("the process is killed"))
            }
            Rule::KillAfter => {
                served(request).await?;
                self.kill();
                Err(Cut::new("the process is killed"))
            }
        }
    }

    fn kill(&self) {
        if let Some(kill) = &*self.kill.read().unwrap() {
            kill();
        }
    }
}
