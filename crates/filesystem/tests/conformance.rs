//! The contract, clause by clause, on the file system driver.

use storage_driver::StorageDriver;
use storage_driver_conformance::Fixture;
use storage_driver_filesystem::Filesystem;

async fn fresh() -> Fixture {
    let root = tempfile::tempdir().expect("a directory for the test");
    let driver = Filesystem::open(root.path()).await.expect("an empty root opens");
    Fixture::new(driver, root)
}

storage_driver_conformance::suite!(fresh);

/// So that no behaviour disappears unnoticed, from the suite or from the claims of the driver.
#[tokio::test]
async fn the_suite_has_this_many_behaviours_for_it() {
    let root = tempfile::tempdir().expect("a directory for the test");
    let driver = Filesystem::open(root.path()).await.expect("an empty root opens");
    let plan = storage_driver_conformance::plan(&driver.capabilities());
    assert_eq!((plan.quick(), plan.full()), (609, 4));
}
