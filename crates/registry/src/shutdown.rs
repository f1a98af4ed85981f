//! [`Shutdown`]: ends a server, and the uploads of its registry.

use tokio_util::sync::CancellationToken;

/// Shuts down a [`Server`](crate::Server) and interrupts the uploads of its [`Registry`](crate::Registry).
///
/// A clone is the same handle. One handle is given to both, so that the server can interrupt requests that do
/// not end in time:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// # use std::sync::Arc;
/// # let driver = Arc::new(inmemory::InMemory::new());
/// use storage_driver_registry::{Registry, Server, Shutdown};
///
/// let shutdown = Shutdown::new();
/// let registry = Registry::builder(driver).shutdown(&shutdown).build();
/// let server = Server::bind("127.0.0.1:0", registry.router()).await?;
/// let serving = tokio::spawn(server.run(shutdown.clone()));
///
/// shutdown.start();
/// serving.await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    draining: CancellationToken,
    started: CancellationToken,
    interrupted: CancellationToken,
}

impl Shutdown {
    /// A new handle.
    pub fn new() -> Self {
        Self::default()
    }

    /// Announces the shutdown: `/healthz` of [`HealthRoutes`](crate::HealthRoutes) with the same handle returns 503 from
    /// now on, so that a load balancer sends its requests to others. All requests are served as before.
    pub fn drain(&self) {
        self.draining.cancel();
    }

    /// Whether the shutdown was announced, or has started.
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Starts the shutdown: no connection is accepted any more, and requests in flight may finish.
    pub fn start(&self) {
        self.drain();
        self.started.cancel();
    }

    /// Whether the shutdown has started.
    pub fn is_started(&self) -> bool {
        self.started.is_cancelled()
    }

    /// Interrupts uploads: received bytes are kept, and their clients get a 503. A [`Server`](crate::Server)
    /// does so itself at the end of its [grace](crate::Server::shutdown_grace).
    pub fn interrupt(&self) {
        self.start();
        self.interrupted.cancel();
    }

    /// Waits until requests are interrupted, for your own handlers.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped at any point.
    pub async fn interrupted(&self) {
        self.interrupted.cancelled().await;
    }

    /// Whether requests are interrupted.
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.is_cancelled()
    }

    pub(crate) fn start_token(&self) -> CancellationToken {
        self.started.clone()
    }

    pub(crate) fn interrupt_token(&self) -> CancellationToken {
        self.interrupted.clone()
    }
}
