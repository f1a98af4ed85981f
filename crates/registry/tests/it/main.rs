//! The tests of the registry that need no separate process.

#![cfg(feature = "program")]

mod support;

mod cache;
mod cancellation;
mod collection;
mod concurrency;
mod damage;
mod deploy;
mod faults;
mod interchange;
mod interleavings;
mod lease;
mod lost_children;
mod malformed;
mod metered;
mod nodes;
mod obstructions;
mod pairs;
mod program;
mod races;
mod redirects;
mod server;
mod settings;
mod slow_clients;
mod specification;
mod tls;
mod token_clients;
mod uploads;
