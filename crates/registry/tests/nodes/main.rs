//! Several processes of the program on one store in Ceph, behind a proxy that sends each request to the next of them.
//! A script starts Ceph, and installs it if it is missing, and so these tests are ignored unless they are asked for:
//!
//! ```sh
//! cargo test -p storage-driver-registry --features bucket --test nodes -- --ignored
//! ```
#![cfg(unix)]

mod cluster;
mod http;
mod images;

mod node;
mod proxy;
mod race;
mod uploads;

#[path = "../clients/containers.rs"]
mod containers;
#[path = "../../../bucket/tests/servers/server.rs"]
mod server;
#[path = "../clients/support/mod.rs"]
mod support;

/// The number in a variable of the environment.
fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}
