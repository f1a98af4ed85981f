//! A driver whose operations are counted fulfils the contract.
//!
//! This is a separate program, because the suite generates its tests.

use std::sync::Arc;

use inmemory::InMemory;
use storage_driver_registry::Metrics;

storage_driver_conformance::suite!(|| async { Metrics::new().driver(Arc::new(InMemory::new())) });
