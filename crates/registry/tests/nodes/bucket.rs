//! [`Bucket`]: what all nodes of a cluster share.

use std::{
    env, process,
    sync::atomic::{AtomicU64, Ordering},
};

use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use storage_driver_bucket::{
    double::Double,
    object_store::client::{HttpRequest, HttpResponse, HttpService},
};
use tokio::{net::TcpListener, task::JoinSet};

use crate::{http::Error, node::Settings, server::Server};

/// Real servers, each of which is started when the first test needs it.
static REAL: [Server; 3] = [Server::new("ceph"), Server::new("seaweedfs"), Server::new("moto")];

/// A new store.
#[derive(Debug)]
pub(crate) struct Bucket {
    variables: Vec<(String, String)>,
    /// The server, if it is in this process.
    server: Option<Double>,
    /// It ends when this is dropped.
    _serving: JoinSet<()>,
}

impl Bucket {
    /// On the server that `NODES_SERVER` names, or on the driver's server in this process. `None`, after a message, if
    /// the server cannot be started here.
    pub(crate) async fn start() -> Option<Self> {
        match env::var("NODES_SERVER").as_deref() {
            Err(_) | Ok("memory") => Some(Self::serve(Double::default()).await),
            Ok(name) => {
                let server = REAL.iter().find(|it| it.name == name);
                Self::real(server.unwrap_or_else(|| panic!("NODES_SERVER={name} is unknown")))
            }
        }
    }

    fn real(server: &'static Server) -> Option<Self> {
        let variables = server.access()?.variables();
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Some(Self { variables: variables.collect(), server: None, _serving: JoinSet::new() })
    }

    /// Serves `server` at a socket, so that processes share it.
    pub(crate) async fn serve(server: Double) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let mut serving = JoinSet::new();
        let served = server.clone();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let server = served.clone();
                connections.spawn(async move {
                    let respond = service_fn(|request| respond(&server, request));
                    let connection = http1::Builder::new();
                    // An error is a client that has gone.
                    let _ = connection.serve_connection(TokioIo::new(stream), respond).await;
                });
                while connections.try_join_next().is_some() {}
            }
        });
        let variables = [
            ("AWS_ENDPOINT", &*endpoint),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ALLOW_HTTP", "true"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { variables: variables.into(), server: Some(server), _serving: serving }
    }

    /// The settings of a node on a new store, with these variables in its environment.
    pub(crate) fn settings(&self, variables: &[(&str, &str)]) -> Settings {
        static STORES: AtomicU64 = AtomicU64::new(0);
        let number = STORES.fetch_add(1, Ordering::Relaxed);
        let store = format!("s3://registry/nodes-{}-{number}", process::id());
        let others = variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        Settings { store, variables: self.variables.iter().cloned().chain(others).collect() }
    }

    /// Ends the lease of the node that collects, as if a minute had passed since that node died. Two collections at once
    /// are safe, so it may be alive. Does nothing, and returns `false`, if the server is not in this process.
    pub(crate) fn end_lease(&self) -> bool {
        let Some(server) = &self.server else { return false };
        let keys = server.keys().into_iter();
        keys.filter(|key| key.ends_with("/registry/collection/lease"))
            .for_each(|key| server.remove(&key));
        true
    }

    /// The value of a variable.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|it| it.0 == name).map(|it| &*it.1)
    }
}

async fn respond(
    server: &Double,
    request: hyper::Request<Incoming>,
) -> Result<HttpResponse, Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(server.call(HttpRequest::from_parts(parts, body.into())).await?)
}
