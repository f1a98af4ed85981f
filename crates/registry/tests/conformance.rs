//! A driver whose operations are counted keeps the contract.
//!
//! This is a separate program: the suite brings its own names of tests.

use std::sync::Arc;

use inmemory::InMemory;
use storage_driver_registry::Metrics;

storage_driver_conformance::suite!(|| async { Metrics::new().driver(Arc::new(InMemory::new())) });
