//! What the system says of the memory that the process holds, beside what the store says. One test, so
//! that nothing else in the process allocates meanwhile.
#![cfg(target_os = "linux")]

use futures::executor::block_on;
use inmemory::InMemory;
use storage_driver::{Path, Precondition, StorageDriver, StorageDriverExt};

const MIB: u64 = 1 << 20;
const PAYLOAD: u64 = 512 * MIB;
/// What the process may grow by that is not the store's.
const SLACK: u64 = 4 * MIB;

/// The resident memory of this process, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: u64 = line.trim().trim_end_matches("kB").trim_end().parse().unwrap();
    kib << 10
}

async fn fill(store: &InMemory, path: &Path) {
    let mut writer = store.create(path).await.unwrap();
    let chunk = bytes::Bytes::from(vec![7; 64 << 10]);
    while writer.size() < PAYLOAD {
        writer.write(chunk.clone()).await.unwrap();
    }
    writer.commit().await.unwrap();
}

#[test]
fn the_process_holds_what_usage_says_and_gives_it_back() {
    const POOL: u64 = 32 * MIB;
    let path = Path::new("/blobs/large").unwrap();
    for pool in [0, POOL] {
        let store = InMemory::builder().pool(pool).build();
        let before = resident();
        block_on(fill(&store, &path));
        let (grown, held) = (resident() - before, store.usage().held());
        assert!(held <= PAYLOAD + PAYLOAD / 50, "{held} bytes held");
        assert!(grown.abs_diff(held) <= SLACK, "{grown} bytes resident, {held} held");

        block_on(store.delete(&path, Precondition::None)).unwrap();
        let (left, held) = (resident().saturating_sub(before), store.usage().held());
        assert!(held <= pool, "{held} bytes held of nothing");
        assert!(left.abs_diff(held) <= SLACK, "{left} bytes resident, {held} held");
    }
}
