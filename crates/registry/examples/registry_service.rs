//! An OCI registry of one's own: the router of the package `registry` on a driver, here in memory, beside
//! another route, served until Ctrl-C.
//!
//! ```text
//! cargo run -p registry --example registry_service        # on a free port, which it prints
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
use registry::{CancellationToken, Registry, Server};
use storage_driver::StorageDriver;
use tokio::signal::ctrl_c;

#[tokio::main]
async fn main() -> io::Result<()> {
    // 1 GiB of memory. A push that finds it full is answered 507, and goes on when there is room.
    let driver: Arc<dyn StorageDriver> = Arc::new(InMemory::builder().capacity(1 << 30).build());
    let (stopping, interrupt) = (CancellationToken::new(), CancellationToken::new());
    let registry = Registry::builder(Arc::clone(&driver)).interrupt(interrupt.clone()).build();
    let router = registry.router().route("/hello", get(async || "hello\n"));
    let server = Server::bind("127.0.0.1:0", router).await?;
    // Nobody may be listening on standard output; the service serves all the same.
    let _ = writeln!(io::stdout(), "listening on http://{}", server.local_addr()?);

    let stop = stopping.clone();
    tokio::select! {
        () = server.run(stopping, interrupt) => {}
        () = async { let _ = ctrl_c().await; stop.cancel(); let _ = ctrl_c().await; } => {}
    }
    Ok(driver.shutdown().await?)
}
