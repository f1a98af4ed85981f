//! [`Server`]: serves a router on a TCP listener, within limits, until it is told to stop.

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
#[cfg(feature = "program")]
mod tls;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use http::uri::Scheme;
use tokio::{
    net::{TcpListener, TcpStream, ToSocketAddrs},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

#[cfg(feature = "program")]
pub use self::tls::{Tls, TlsError};
use self::{backoff::Backoff, connection::Connections};

pub use self::limits::ServerLimits;

/// How long handlers have that were interrupted.
const INTERRUPTED: Duration = Duration::from_secs(5);

/// Serves a [`Router`] on a TCP listener, within [`ServerLimits`], by HTTP/1.1 and HTTP/2: the latter
/// as it is agreed on with TLS, or known beforehand without.
///
/// Handlers find the address of the client as the extension
/// [`ConnectInfo<SocketAddr>`](axum::extract::ConnectInfo) of the request, and whether it came by TLS
/// as the extension [`Scheme`](http::uri::Scheme).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// use axum::{Router, routing::get};
/// use registry::{CancellationToken, Server};
///
/// let router = Router::new().route("/", get(|| async { "hello" }));
/// let server = Server::bind("127.0.0.1:0", router).await?;
/// println!("http://{}", server.local_addr()?);
///
/// let (stopping, interrupt) = (CancellationToken::new(), CancellationToken::new());
/// # stopping.cancel();
/// server.run(stopping, interrupt).await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "it serves once it runs"]
pub struct Server {
    listener: TcpListener,
    router: Router,
    limits: ServerLimits,
    grace: Duration,
    #[cfg(feature = "program")]
    tls: Option<Tls>,
}

impl Server {
    /// A server of `router` at `address`; port 0 is a free one. Clients may connect from now on, and
    /// are served once it runs.
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
            grace: Duration::from_secs(30),
            #[cfg(feature = "program")]
            tls: None,
        }
    }

    /// Another router, for one that is made when it is known that the address is free.
    pub fn router(self, router: Router) -> Self {
        Self { router, ..self }
    }

    /// Other limits than the default ones.
    pub fn limits(self, limits: ServerLimits) -> Self {
        Self { limits, ..self }
    }

    /// How long requests that are in flight may take when the server stops. By default 30 seconds.
    pub fn grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// Speaks TLS only. A client that sends plain HTTP is answered 400, in plain HTTP, and told so.
    #[cfg(feature = "program")]
    pub fn tls(self, tls: Tls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// Those of [`TcpListener::local_addr`].
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stopping` is cancelled and every connection has ended.
    ///
    /// From then on no connection is accepted, and those that are open end after the requests that are
    /// in flight. If there are some after the [`grace`](Self::grace), `interrupt` is cancelled: handlers
    /// that watch it have 5 seconds to keep what they have and to answer. Then the rest is dropped.
    ///
    /// # Cancel safety
    ///
    /// When it is dropped, so are the connections, with the handlers that run.
    pub async fn run(self, stopping: CancellationToken, interrupt: CancellationToken) {
        let slots =
            Arc::new(Semaphore::new(self.limits.max_connections.clamp(1, Semaphore::MAX_PERMITS)));
        #[cfg(feature = "program")]
        let scheme = if self.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
        #[cfg(not(feature = "program"))]
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
                    #[cfg(feature = "program")]
                    let tls = self.tls.clone();
                    tasks.spawn(async move {
                        #[cfg(feature = "program")]
                        serve(shared, stream, peer, tls).await;
                        #[cfg(not(feature = "program"))]
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
        if timeout(self.grace, tasks.wait()).await.is_err() {
            tracing::warn!(connections = tasks.len(), "requests are interrupted");
            interrupt.cancel();
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
    #[cfg(feature = "program")] tls: Option<Tls>,
) {
    // What is written is written whole; waiting for more would only delay the last part of it. A
    // failure says that the connection is gone already, which is found out in a moment.
    let _ = stream.set_nodelay(true);
    #[cfg(feature = "program")]
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
