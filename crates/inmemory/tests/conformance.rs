//! The contract, clause by clause, on the in-memory driver.

use inmemory::InMemory;
use storage_driver::StorageDriver;

conformance::suite!(|| async { InMemory::new() });

/// So that no behaviour vanishes unnoticed, from the suite or from what the driver claims.
#[test]
fn this_many_behaviours_are_asked_of_it() {
    let plan = conformance::plan(&InMemory::new().capabilities());
    assert_eq!((plan.quick(), plan.full()), (507, 4));
}
