use futures::{StreamExt, executor::block_on};
use storage_driver::{Path, StorageDriver, StorageDriverExt, WalkOptions};
use tokio_test::{assert_pending, task};

use super::*;
use crate::InMemory;

#[test]
fn a_walk_yields_to_other_tasks() {
    let store = InMemory::new();
    block_on(async {
        for number in 0..2 * ENTRIES {
            store.put(&Path::parse(format!("/{number}")).unwrap(), "").await.unwrap();
        }
    });
    let mut walk = task::spawn(store.walk(&Path::root(), WalkOptions::new()));
    for _ in 0..ENTRIES {
        assert!(walk.poll_next().is_ready());
    }
    assert_pending!(walk.poll_next());
    assert!(walk.is_woken());
    assert_eq!(block_on(walk.into_inner().count()), ENTRIES);
}
