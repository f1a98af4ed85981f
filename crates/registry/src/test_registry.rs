//! [`TestRegistry`]: a registry for a test.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use inmemory::InMemory;
use storage_driver::StorageDriver;
use tokio::task::JoinHandle;

use crate::{
    registry::{Registry, RegistryBuilder},
    server::Server,
    shutdown::Shutdown,
};

/// A registry in this process, in memory, on a free port.
///
/// It serves until it is [shut down](Self::shutdown) or dropped. Each has its own store, so that tests can run
/// concurrently. It needs a tokio runtime.
///
/// ```
/// # tokio_test::block_on(async {
/// use storage_driver_registry::TestRegistry;
/// use tokio::{io::{AsyncReadExt, AsyncWriteExt}, net::TcpStream};
///
/// let registry = TestRegistry::start().await?;
///
/// let mut client = TcpStream::connect(registry.address()).await?;
/// client.write_all(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
/// let mut response = String::new();
/// client.read_to_string(&mut response).await?;
/// assert!(response.starts_with("HTTP/1.1 200 OK"));
///
/// registry.shutdown().await?;
/// # Ok::<(), std::io::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct TestRegistry {
    address: SocketAddr,
    registry: Registry,
    driver: Arc<dyn StorageDriver>,
    task: JoinHandle<()>,
    stop: StopOnDrop,
}

/// Shuts the server down when the registry is dropped.
#[derive(Debug)]
struct StopOnDrop(Shutdown);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.start();
    }
}

/// How long requests in flight have at a shutdown. A test that holds a request open longer has forgotten
/// it.
const GRACE: Duration = Duration::from_secs(5);

impl TestRegistry {
    /// A registry with an empty store in memory, on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// Those of [`TcpListener::bind`](tokio::net::TcpListener::bind).
    pub async fn start() -> io::Result<Self> {
        Self::start_on(Arc::new(InMemory::new()), |builder| builder).await
    }

    /// A registry on `driver`, with the options that `build` sets.
    ///
    /// ```
    /// # tokio_test::block_on(async {
    /// use std::sync::Arc;
    /// use inmemory::InMemory;
    /// use storage_driver_registry::TestRegistry;
    ///
    /// let full = Arc::new(InMemory::builder().capacity(1 << 20).build());
    /// let registry = TestRegistry::start_on(full, |builder| builder.immutable_tags(true)).await?;
    /// # Ok::<(), std::io::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`TcpListener::bind`](tokio::net::TcpListener::bind).
    pub async fn start_on(
        driver: Arc<dyn StorageDriver>,
        build: impl FnOnce(RegistryBuilder) -> RegistryBuilder,
    ) -> io::Result<Self> {
        let shutdown = Shutdown::new();
        let builder = Registry::builder(Arc::clone(&driver)).shutdown(&shutdown);
        let registry = build(builder).build();
        let server = Server::bind("127.0.0.1:0", registry.router()).await?.shutdown_grace(GRACE);
        let address = server.local_addr()?;
        let task = tokio::spawn(server.run(shutdown.clone()));
        Ok(Self { address, registry, driver, task, stop: StopOnDrop(shutdown) })
    }

    /// The address that it listens at, by plain HTTP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The registry itself, for a [collection](Registry::collect).
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The driver of its store.
    pub fn driver(&self) -> &Arc<dyn StorageDriver> {
        &self.driver
    }

    /// Accepts no more connections, waits up to 5 seconds for requests in flight (uploads keep received bytes),
    /// and shuts the driver down.
    ///
    /// # Errors
    ///
    /// Those of the driver.
    pub async fn shutdown(self) -> io::Result<()> {
        drop(self.stop);
        self.task.await.map_err(io::Error::other)?;
        Ok(self.driver.shutdown().await?)
    }
}
