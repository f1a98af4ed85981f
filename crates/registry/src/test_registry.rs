//! [`TestRegistry`]: a registry for the time of a test.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use inmemory::InMemory;
use storage_driver::StorageDriver;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{Builder, Registry, Server};

/// A registry in this process, in memory, on a port of its own.
///
/// It serves from the moment it is there until it is [shut down](Self::shutdown) or dropped. Each has its
/// own store, so that tests run side by side. It needs a tokio runtime.
///
/// ```
/// # tokio_test::block_on(async {
/// use registry::TestRegistry;
/// use tokio::{io::{AsyncReadExt, AsyncWriteExt}, net::TcpStream};
///
/// let registry = TestRegistry::start().await?;
///
/// let mut client = TcpStream::connect(registry.address()).await?;
/// client.write_all(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
/// let mut answer = String::new();
/// client.read_to_string(&mut answer).await?;
/// assert!(answer.starts_with("HTTP/1.1 200 OK"));
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
    /// Cancels what is still under way, when the registry goes.
    stopping: DropGuard,
}

/// How long requests have that are under way at a shutdown. A client that holds a request open in a
/// test has forgotten about it.
const GRACE: Duration = Duration::from_secs(5);

impl TestRegistry {
    /// A registry with an empty store in memory, on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// What binding the port answers.
    pub async fn start() -> io::Result<Self> {
        Self::start_on(Arc::new(InMemory::new()), |builder| builder).await
    }

    /// A registry on `driver`, with the options that `build` sets.
    ///
    /// ```
    /// # tokio_test::block_on(async {
    /// use std::sync::Arc;
    /// use inmemory::InMemory;
    /// use registry::TestRegistry;
    ///
    /// let full = Arc::new(InMemory::builder().capacity(1 << 20).build());
    /// let registry = TestRegistry::start_on(full, |builder| builder.immutable_tags(true)).await?;
    /// # Ok::<(), std::io::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// What binding the port answers.
    pub async fn start_on(
        driver: Arc<dyn StorageDriver>,
        build: impl FnOnce(Builder) -> Builder,
    ) -> io::Result<Self> {
        let (stopping, interrupt) = (CancellationToken::new(), CancellationToken::new());
        let builder = Registry::builder(Arc::clone(&driver)).interrupt(interrupt.clone());
        let registry = build(builder).build();
        let server = Server::bind("127.0.0.1:0", registry.router()).await?.grace(GRACE);
        let address = server.local_addr()?;
        let task = tokio::spawn(server.run(stopping.clone(), interrupt));
        Ok(Self { address, registry, driver, task, stopping: stopping.drop_guard() })
    }

    /// Where it listens. Clients name it `127.0.0.1:PORT`, by plain HTTP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The registry itself, for a [collection](Registry::collect).
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The store, to look into.
    pub fn driver(&self) -> &Arc<dyn StorageDriver> {
        &self.driver
    }

    /// Accepts no more, lets requests that are under way end (for 5 seconds at most; uploads keep what
    /// came), and shuts the store down.
    ///
    /// # Errors
    ///
    /// What the driver answers.
    pub async fn shutdown(self) -> io::Result<()> {
        drop(self.stopping);
        self.task.await.map_err(io::Error::other)?;
        Ok(self.driver.shutdown().await?)
    }
}
