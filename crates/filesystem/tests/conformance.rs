//! The contract, clause by clause, on the file system driver.

use storage_driver_conformance::Fixture;
use storage_driver_filesystem::Filesystem;
use storage_driver::StorageDriver;

async fn fresh() -> Fixture {
    let root = tempfile::tempdir().expect("a directory for the test");
    let driver = Filesystem::open(root.path()).await.expect("an empty root opens");
    Fixture::new(driver, root)
}

storage_driver_conformance::suite!(fresh);

/// So that no behaviour vanishes unnoticed, from the suite or from what the driver claims.
#[tokio::test]
async fn this_many_behaviours_are_asked_of_it() {
    let root = tempfile::tempdir().expect("a directory for the test");
    let driver = Filesystem::open(root.path()).await.expect("an empty root opens");
    let plan = storage_driver_conformance::plan(&driver.capabilities());
    assert_eq!((plan.quick(), plan.full()), (544, 4));
}
