//! Your own OCI registry: the router of the package `registry` on a driver, here in memory, next to another
//! route, served until Ctrl-C.
//!
//! ```text
//! cargo run -p storage-driver-registry --example registry_service        # on a free port, which it prints
//! ```
//!
//! With the printed address in `$REGISTRY`, without `http://`:
//!
//! ```text
//! skopeo copy --dest-tls-verify=false oci:some-image docker://$REGISTRY/some-image:v1
//! podman push --tls-verify=false some-image $REGISTRY/some-image:v1
//! curl http://$REGISTRY/v2/some-image/tags/list
//! ```
//!
//! A second Ctrl-C ends it at once.

use std::{
    io::{self, Write},
    sync::Arc,
};

use axum::routing::get;
use inmemory::InMemory;
use storage_driver_registry::{Registry, Server, Shutdown};
use storage_driver::StorageDriver;
use tokio::signal::ctrl_c;

#[tokio::main]
async fn main() -> io::Result<()> {
    // 1 GiB of memory. A push that does not fit fails with 507, and can continue when there is room.
    let driver: Arc<dyn StorageDriver> = Arc::new(InMemory::builder().capacity(1 << 30).build());
    let shutdown = Shutdown::new();
    let registry = Registry::builder(Arc::clone(&driver)).shutdown(&shutdown).build();
    let router = registry.router().route("/hello", get(async || "hello\n"));
    let server = Server::bind("127.0.0.1:0", router).await?;
    // The service works even if standard output is closed.
    let _ = writeln!(io::stdout(), "listening on http://{}", server.local_addr()?);

    tokio::select! {
        () = server.run(shutdown.clone()) => {}
        () = async { let _ = ctrl_c().await; shutdown.start(); let _ = ctrl_c().await; } => {}
    }
    Ok(driver.shutdown().await?)
}
