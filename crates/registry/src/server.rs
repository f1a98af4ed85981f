//! [`Server`]: serves a router on a TCP listener, within limits, until it is shut down.

mod activity;
mod backoff;
mod connection;
mod host;
mod limits;
mod progress;
mod response;
mod stream;
mod streams;
#[cfg(test)]
mod tests;
#[cfg(feature = "tls")]
pub(crate) mod tls;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use http::uri::Scheme;
use tokio::{
    net::{TcpListener, TcpStream, ToSocketAddrs},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::task::TaskTracker;

#[cfg(feature = "tls")]
use self::tls::Tls;
use self::{backoff::Backoff, connection::Connections};

pub use self::limits::ServerLimits;
use crate::shutdown::Shutdown;

/// How long interrupted handlers have to respond.
const INTERRUPTED: Duration = Duration::from_secs(5);

/// Serves a [`Router`] on a TCP listener, within [`ServerLimits`], by HTTP/1.1 and HTTP/2: with TLS as
/// negotiated by ALPN, without TLS with prior knowledge.
///
/// A request has the extensions [`ConnectInfo<SocketAddr>`](axum::extract::ConnectInfo), the address of the
/// client, and [`Scheme`](http::uri::Scheme), whether it was received by TLS.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// use axum::{Router, routing::get};
/// use storage_driver_registry::{Server, Shutdown};
///
/// let router = Router::new().route("/", get(|| async { "hello" }));
/// let server = Server::bind("127.0.0.1:0", router).await?;
/// println!("http://{}", server.local_addr()?);
///
/// let shutdown = Shutdown::new();
/// # shutdown.start();
/// server.run(shutdown).await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "it serves once it runs"]
pub struct Server {
    listener: TcpListener,
    router: Router,
    limits: ServerLimits,
    shutdown_grace: Duration,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

impl Server {
    /// A server of `router` at `address`; port 0 selects a free port. Clients may connect from now on, and are
    /// served once it runs.
    ///
    /// # Errors
    ///
    /// Those of [`TcpListener::bind`].
    pub async fn bind(address: impl ToSocketAddrs, router: Router) -> io::Result<Self> {
        Ok(Self::on(TcpListener::bind(address).await?, router))
    }

    /// A server of `router` on a listener that is already bound.
    pub fn on(listener: TcpListener, router: Router) -> Self {
        Self {
            listener,
            router,
            limits: ServerLimits::default(),
            shutdown_grace: Duration::from_secs(30),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Replaces the router, for a router that is built after the address is bound.
    pub fn router(self, router: Router) -> Self {
        Self { router, ..self }
    }

    /// Sets the limits.
    pub fn limits(self, limits: ServerLimits) -> Self {
        Self { limits, ..self }
    }

    /// How long requests in flight may take when the server shuts down. By default 30 seconds.
    pub fn shutdown_grace(self, grace: Duration) -> Self {
        Self { shutdown_grace: grace, ..self }
    }

    /// Serves TLS only. A client that sends plain HTTP gets a 400 in plain HTTP with the reason.
    #[cfg(feature = "tls")]
    pub fn tls(self, tls: Tls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// The address that it listens at.
    ///
    /// # Errors
    ///
    /// Those of [`TcpListener::local_addr`].
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown` [starts](Shutdown::start) and every connection has ended.
    ///
    /// From then on no connection is accepted, and open connections end after the requests that are in
    /// flight. If some are left after the [grace](Self::shutdown_grace), the server
    /// [interrupts](Shutdown::interrupt) them: uploads of a [`Registry`](crate::Registry) with the same handle
    /// have 5 seconds to keep received bytes and to respond. Then all connections are dropped.
    ///
    /// # Cancel safety
    ///
    /// When it is dropped, so are the connections, with the handlers that run.
    pub async fn run(self, shutdown: Shutdown) {
        let stopping = shutdown.start_token();
        let slots =
            Arc::new(Semaphore::new(self.limits.max_connections.clamp(1, Semaphore::MAX_PERMITS)));
        #[cfg(feature = "tls")]
        let scheme = if self.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
        #[cfg(not(feature = "tls"))]
        let scheme = Scheme::HTTP;
        let shared = Connections::new(self.router, scheme, self.limits, stopping.clone());
        let shared = Arc::new(shared);
        let _end = shared.end.clone().drop_guard();
        let tasks = TaskTracker::new();
        let mut backoff = Backoff::default();
        loop {
            let next = async {
                // It is never closed.
                let slot = slots.clone().acquire_owned().await.map_err(io::Error::other)?;
                Ok::<_, io::Error>((slot, self.listener.accept().await?))
            };
            let next = tokio::select! {
                biased;
                () = stopping.cancelled() => break,
                next = next => next,
            };
            let error = match next {
                Ok((slot, (stream, peer))) => {
                    backoff.reset();
                    let shared = shared.clone();
                    #[cfg(feature = "tls")]
                    let tls = self.tls.clone();
                    tasks.spawn(async move {
                        #[cfg(feature = "tls")]
                        serve(shared, stream, peer, tls).await;
                        #[cfg(not(feature = "tls"))]
                        serve(shared, stream, peer).await;
                        drop(slot);
                    });
                    continue;
                }
                Err(error) => error,
            };
            if let Some(wait) = backoff.after(&error) {
                tracing::warn!(%error, ?wait, "no connection can be accepted");
                tokio::select! {
                    () = stopping.cancelled() => break,
                    () = sleep(wait) => {}
                }
            }
        }
        drop(self.listener);
        tasks.close();
        if timeout(self.shutdown_grace, tasks.wait()).await.is_err() {
            tracing::warn!(connections = tasks.len(), "requests are interrupted");
            shutdown.interrupt();
            if timeout(INTERRUPTED, tasks.wait()).await.is_err() {
                tracing::warn!(connections = tasks.len(), "connections are dropped");
                shared.end.cancel();
                tasks.wait().await;
            }
        }
    }
}

async fn serve(
    shared: Arc<Connections>,
    stream: TcpStream,
    peer: SocketAddr,
    #[cfg(feature = "tls")] tls: Option<Tls>,
) {
    // Responses are written as a whole. To wait for more data would only delay their last part. If this
    // fails, the connection is closed, and serving it ends at once.
    let _ = stream.set_nodelay(true);
    #[cfg(feature = "tls")]
    if let Some(tls) = tls {
        let handshake = tokio::select! {
            () = shared.end.cancelled() => return,
            () = shared.stopping.cancelled() => return,
            handshake = timeout(shared.limits.header_timeout, tls.accept(stream)) => handshake,
        };
        match handshake {
            Ok(Ok(Some(stream))) => shared.serve(stream, peer).await,
            Ok(Ok(None)) => tracing::debug!(%peer, "plain HTTP on a TLS port"),
            Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS handshake"),
            Err(_) => tracing::debug!(%peer, "no TLS handshake in time"),
        }
        return;
    }
    shared.serve(stream, peer).await;
}
