//! The contract, clause by clause, on the in-memory driver.

use inmemory::InMemory;

conformance::suite!(|| async { InMemory::new() });
