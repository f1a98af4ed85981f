//! The in-memory driver as the model: the same random sequences of operations, the same results.

use inmemory::InMemory;
use storage_driver_conformance::{Fixture, Subject};
use storage_driver_filesystem::{Durability, Filesystem};

async fn on_disk() -> Fixture {
    let root = tempfile::tempdir().expect("a directory for the test");
    let builder = Filesystem::builder().durability(Durability::None);
    let driver = builder.open(root.path()).await.expect("an empty root opens");
    Fixture::new(driver, root)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_result_is_the_same_as_in_memory() {
    let in_memory = Subject::new(|| async { InMemory::new() });
    storage_driver_conformance::same_answers(Subject::new(on_disk), in_memory, 200, 80).await;
}
