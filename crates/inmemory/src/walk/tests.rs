use futures::{StreamExt, TryStreamExt, executor::block_on};
use storage_driver::{Entry, Path, StorageDriver, StorageDriverExt, WalkOptions};
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

#[test]
fn a_walk_of_names_returns_no_metadata() {
    let store = InMemory::new();
    block_on(async {
        for file in ["/a", "/b/c", "/b/d/e", "/b/d/f/g"] {
            store.put(&Path::parse(file).unwrap(), "").await.unwrap();
        }
    });
    let walk = |options: WalkOptions| -> Vec<Entry> {
        block_on(store.walk(&Path::root(), options).try_collect()).unwrap()
    };
    let names = walk(WalkOptions::new().names_only());
    assert!(names.iter().all(|entry| entry.metadata().is_none()));
    let expected = walk(WalkOptions::new());
    assert!(names.iter().map(Entry::path).eq(expected.iter().map(Entry::path)));
    let after = WalkOptions::new().names_only().start_after(Path::parse("/b/d/e").unwrap());
    let rest = names.iter().skip_while(|entry| entry.name() != "e").skip(1);
    assert!(walk(after).iter().eq(rest));
}
