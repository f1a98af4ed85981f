//! A small HTTP service for blobs over any storage driver: resumable uploads, ranged downloads,
//! streaming both ways with backpressure. The requests are those that registries know.
//!
//! ```text
//! cargo run --example registry_service            # on a free port, which it prints
//! cargo run --example registry_service -- 5000
//! ```
//!
//! With the printed address in `$HOST`, and `$SUM` the SHA-256 of both chunks together:
//!
//! ```text
//! curl -i -X POST $HOST/v2/demo/blobs/uploads/                         # 202, says the Location
//! curl -i -X PATCH --data-binary @first $HOST$LOCATION                 # 202, says the Range
//! curl -i -X PATCH --data-binary @second -H 'Content-Range: 6-11' $HOST$LOCATION
//! curl -i $HOST$LOCATION                                               # 204, how far it has come
//! curl -i -X PUT "$HOST$LOCATION?digest=sha256:$SUM"                   # 201
//! curl -i -r 3-8 $HOST/v2/demo/blobs/sha256:$SUM                       # 206
//! curl -i -X DELETE $HOST/v2/demo/blobs/sha256:$SUM                    # 202
//! ```
//!
//! Ctrl-C ends it once the requests in progress are answered; a second one ends it at once.

use std::{
    env,
    error::Error,
    io::{self, Write},
    net::Ipv4Addr,
    process::ExitCode,
    sync::Arc,
};

use inmemory::InMemory;
use storage_driver::StorageDriver;
use tokio::{net::TcpListener, signal::ctrl_c};

mod blob;
mod problem;
mod service;
mod upload;

/// What the store may hold: 1 GiB of memory. A push that finds it full is answered 507.
const CAPACITY: u64 = 1 << 30;

#[tokio::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "registry_service: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let port: u16 = match env::args().nth(1) {
        Some(port) => port.parse().map_err(|_| format!("{port:?} is not a port"))?,
        None => 0,
    };
    let driver: Arc<dyn StorageDriver> = Arc::new(InMemory::builder().capacity(CAPACITY).build());
    let service = service::router(Arc::clone(&driver))?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    // Nobody may be listening on standard output; the service serves all the same.
    let _ = writeln!(io::stdout(), "listening on http://{}", listener.local_addr()?);

    let served = axum::serve(listener, service).with_graceful_shutdown(async {
        let _ = ctrl_c().await;
    });
    tokio::select! {
        served = served => served?,
        () = async { let _ = (ctrl_c().await, ctrl_c().await); } => {}
    }
    Ok(driver.shutdown().await?)
}
