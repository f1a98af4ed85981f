//! Several processes of the program on one store, behind a proxy that sends each request to the next of them.
//!
//! The store is in the driver's server in this process, behind a socket. `NODES_SERVER` names a real one, which a script
//! starts, and installs if it is missing: `ceph`, `seaweedfs` or `moto`. Tests that take long are ignored unless they are
//! asked for.
//!
//! ```sh
//! cargo test -p storage-driver-registry --features bucket --test nodes
//! NODES_SERVER=ceph cargo test -p storage-driver-registry --features bucket --test nodes
//! ```
#![cfg(unix)]

mod bucket;
mod check;
mod cluster;
mod conformance;
mod http;
mod images;
mod invariants;
mod layers;
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

use std::{io::Write, time::Duration};

/// The number in a variable of the environment.
fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

/// How long a node is paused, in the tests about that: `NODES_PAUSE` seconds, or 100. That is longer than the time-outs of
/// the nodes, except two of 15 minutes: the age of signed requests, which only some servers look at, and the completion
/// of a large upload.
fn pause() -> Duration {
    Duration::from_secs(number("NODES_PAUSE").unwrap_or(100))
}

/// Prints a line that the harness does not capture.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
