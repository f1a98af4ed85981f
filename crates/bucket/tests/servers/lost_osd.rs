//! Ceph loses an OSD while the driver writes and reads: what was acknowledged is there afterwards.

use std::{env, fs, path::PathBuf, process::Command, sync::Arc};

use bytes::Bytes;
use storage_driver::{Path, Result, StorageDriverExt};
use storage_driver_bucket::Bucket;
use tokio::{sync::mpsc, task::JoinSet};

use crate::{server::Server, store::builder, suite::say};

const WRITERS: u8 = 4;
/// Of each writer.
const FILES: u32 = 60;
/// How often an operation is repeated. The driver itself repeats requests for half a minute.
const ATTEMPTS: u32 = 10;

/// Kills `osd.1` after a quarter of all files. It needs `OSDS=3`.
pub(crate) fn keeps_what_was_acknowledged(server: &'static Server) {
    if env::var("OSDS").as_deref() != Ok("3") {
        say("left out: the loss of an OSD needs OSDS=3");
        return;
    }
    let Some(access) = server.access() else { return };
    let data = access.variables().find(|(name, _)| *name == "CEPH_DATA");
    let file = PathBuf::from(data.expect("the script says where its data is").1).join("osd1.pid");
    let process = fs::read_to_string(file).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let prefix = format!("lost-osd-{}", std::process::id());
        let store = Arc::new(builder(access, &[]).prefix(prefix).open().await.unwrap());
        let (acknowledge, mut acknowledged) = mpsc::unbounded_channel();
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            writers.spawn(write(Arc::clone(&store), writer, acknowledge.clone()));
        }
        drop(acknowledge);
        let mut files = Vec::new();
        while let Some(file) = acknowledged.recv().await {
            files.push(file);
            if files.len() == usize::from(WRITERS) * FILES as usize / 4 {
                let killed = Command::new("kill").args(["-9", process.trim()]).status().unwrap();
                assert!(killed.success());
            }
        }
        let failed: u32 = writers.join_all().await.into_iter().sum();
        assert_eq!(files.len(), usize::from(WRITERS) * FILES as usize);
        for (writer, file) in &files {
            assert_whole(&store, *writer, *file).await;
        }
        say(&format!("{} files acknowledged and read, {failed} operations repeated", files.len()));
    });
}

/// Writes files, and reads an earlier one after each. Returns how many operations had to be repeated.
async fn write(
    store: Arc<Bucket>,
    writer: u8,
    acknowledge: mpsc::UnboundedSender<(u8, u32)>,
) -> u32 {
    let mut failed = 0;
    for file in 0..FILES {
        for attempt in 1.. {
            match put(&store, writer, file).await {
                Ok(()) => break,
                Err(error) => assert!(error.is_retryable() && attempt < ATTEMPTS, "{error:?}"),
            }
            failed += 1;
        }
        acknowledge.send((writer, file)).unwrap();
        assert_whole(&store, writer, file / 2).await;
    }
    failed
}

/// A put, or an upload that is committed, for every third file.
async fn put(store: &Bucket, writer: u8, file: u32) -> Result<()> {
    let (path, content) = (path(writer, file), content(writer, file));
    if !file.is_multiple_of(3) {
        store.put(&path, content).await?;
        return Ok(());
    }
    let mut upload = store.create(&path).await?;
    for part in content.chunks(1 << 20) {
        upload.write_bytes(content.slice_ref(part)).await?;
    }
    upload.commit().await?;
    Ok(())
}

async fn assert_whole(store: &Bucket, writer: u8, file: u32) {
    let got = store.get_bytes(&path(writer, file), 16 << 20).await.unwrap();
    assert!(got == content(writer, file), "{}", path(writer, file));
}

fn path(writer: u8, file: u32) -> Path {
    Path::parse(format!("/{writer}/{file}")).unwrap()
}

/// Uploads have more than a part; what is put lies in the record.
fn content(writer: u8, file: u32) -> Bytes {
    let length = if file.is_multiple_of(3) { 9 << 20 } else { 20_000 };
    let mut random = fastrand::Rng::with_seed(u64::from(writer) << 32 | u64::from(file));
    let mut content = vec![0; length];
    random.fill(&mut content);
    content.into()
}
