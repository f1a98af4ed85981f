//! The operations, each with what has to be there before it.

use std::time::Duration;

use futures::{FutureExt, TryStreamExt, future::BoxFuture};
use storage_driver::{
    ListOptions, Path, Precondition, Result, StorageDriver, SweepOptions, WalkOptions,
    WriterOptions,
};
use storage_driver_bucket::Bucket;

use super::rivals::{COPY_B, CREATE_U, DELETE_A, DELETE_B, PUT_A, PUT_B, RENAME_B, Rival, TAKE_U};
use crate::support::{LARGE, bytes, path, put, upload};

/// What a process does to its store.
pub(super) type Act = for<'a> fn(&'a Bucket) -> BoxFuture<'a, Result<()>>;

/// An operation, and what has to be there before it.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// Whether an object that this driver did not write is at `/a` before the setup.
    pub(super) foreign: bool,
    pub(super) setup: Act,
    pub(super) act: Act,
    /// What other processes do in the middle of it.
    pub(super) rivals: &'static [Rival],
}

macro_rules! case {
    ($name:literal, $rivals:expr, |$store:ident| $setup:block, $act:block) => {
        Case {
            name: $name,
            foreign: false,
            setup: |$store| {
                async move {
                    let _ = $store;
                    $setup
                }
                .boxed()
            },
            act: |$store| async move { $act }.boxed(),
            rivals: $rivals,
        }
    };
}

/// One and a bit more than a part.
const PARTS: usize = (8 << 20) + 10;

/// All operations, or those whose names contain the environment variable `FAULT_CASE`.
pub(super) fn cases() -> Vec<Case> {
    let wanted = std::env::var("FAULT_CASE").unwrap_or_default();
    let foreign = foreign().into_iter().map(|case| Case { foreign: true, ..case });
    [puts(), commits(), uploads(), changes(), sweeps(), deletions(), looks()]
        .into_iter()
        .flatten()
        .chain(foreign)
        .filter(|case| case.name.contains(&wanted))
        .collect()
}

fn puts() -> Vec<Case> {
    vec![
        case!("put of a new file", &[PUT_A, DELETE_A], |store| { Ok(()) }, {
            put(store, "/a", bytes(1, 100)).await
        }),
        case!(
            "put over a file",
            &[PUT_A, DELETE_A],
            |store| { put(store, "/a", bytes(1, 100)).await },
            { put(store, "/a", bytes(2, 200)).await }
        ),
        case!(
            "put of a large file over one",
            &[PUT_A, DELETE_A],
            |store| { put(store, "/a", bytes(1, LARGE)).await },
            { put(store, "/a", bytes(2, LARGE)).await }
        ),
        case!("put in parts", &[], |store| { Ok(()) }, { put(store, "/a", bytes(2, PARTS)).await }),
        case!("put where nothing is", &[PUT_A, DELETE_A], |store| { Ok(()) }, {
            let content = bytes(2, 100).into();
            store.put_content(&path("/a"), content, Precondition::IfAbsent).await.map(drop)
        }),
        case!(
            "put over a version",
            &[PUT_A, DELETE_A],
            |store| { put(store, "/a", bytes(1, 100)).await },
            {
                let version = version(store, "/a").await?;
                store.put_content(&path("/a"), bytes(2, 100).into(), version).await.map(drop)
            }
        ),
    ]
}

fn commits() -> Vec<Case> {
    vec![
        case!(
            "commit of a small upload",
            &[PUT_A, DELETE_A],
            |store| { put(store, "/a", bytes(1, 10)).await },
            {
                let mut writer = store.writer(&path("/a"), WriterOptions::create()).await?;
                writer.write_bytes(bytes(2, 100)).await?;
                writer.commit().await.map(drop)
            }
        ),
        case!(
            "commit of a larger upload in two requests",
            &[PUT_B, DELETE_B],
            |store| { Ok(()) },
            {
                upload(store, "/u", bytes(3, LARGE)).await?;
                let mut writer = store.writer(&path("/u"), WriterOptions::resume()).await?;
                writer.write_bytes(bytes(4, 100)).await?;
                writer.commit_to(&path("/b"), Precondition::IfAbsent).await.map(drop)
            }
        ),
        case!(
            "commit of a resumed upload",
            &[PUT_B, DELETE_B, TAKE_U],
            |store| { upload(store, "/u", bytes(3, LARGE)).await },
            {
                let writer = store.writer(&path("/u"), WriterOptions::resume()).await?;
                writer.commit_to(&path("/b"), Precondition::None).await.map(drop)
            }
        ),
        case!(
            "commit over a version",
            &[PUT_B, DELETE_B, TAKE_U],
            |store| {
                upload(store, "/u", bytes(3, 100)).await?;
                put(store, "/b", bytes(1, LARGE)).await
            },
            {
                let version = version(store, "/b").await?;
                let writer = store.writer(&path("/u"), WriterOptions::resume()).await?;
                writer.commit_to(&path("/b"), version).await.map(drop)
            }
        ),
        case!("commit of parts", &[], |store| { Ok(()) }, {
            let mut writer = store.writer(&path("/u"), WriterOptions::create()).await?;
            writer.write_bytes(bytes(5, PARTS)).await?;
            writer.write_bytes(bytes(6, 100)).await?;
            writer.commit_to(&path("/b"), Precondition::None).await.map(drop)
        }),
        case!("append", &[], |store| { put(store, "/a", bytes(1, LARGE)).await }, {
            // What an attempt before has left.
            let _ = store.cancel_upload(&path("/a")).await;
            let mut writer = store.writer(&path("/a"), WriterOptions::append()).await?;
            writer.write_bytes(bytes(2, 100)).await?;
            writer.commit().await.map(drop)
        }),
    ]
}

fn uploads() -> Vec<Case> {
    vec![
        case!(
            "create over an upload",
            &[],
            |store| { upload(store, "/u", bytes(3, LARGE)).await },
            { upload(store, "/u", bytes(4, LARGE)).await }
        ),
        case!("resume, write, keep", &[], |store| { upload(store, "/u", bytes(3, 100)).await }, {
            let mut writer = store.writer(&path("/u"), WriterOptions::resume()).await?;
            if writer.size() == 100 {
                writer.write_bytes(bytes(4, LARGE)).await?;
            }
            writer.suspend().await
        }),
        case!("cancel by the writer", &[], |store| { Ok(()) }, {
            let mut writer = store.writer(&path("/u"), WriterOptions::create()).await?;
            writer.write_bytes(bytes(4, LARGE)).await?;
            writer.sync().await?;
            writer.cancel().await
        }),
        case!(
            "cancel of an upload",
            &[TAKE_U],
            |store| { upload(store, "/u", bytes(2, LARGE)).await },
            { store.cancel_upload(&path("/u")).await }
        ),
        case!(
            "cancel of all uploads",
            &[TAKE_U],
            |store| {
                upload(store, "/u", bytes(2, LARGE)).await?;
                upload(store, "/d/u", bytes(2, 100)).await
            },
            { store.cancel_uploads(&Path::root(), Duration::ZERO).await.map(drop) }
        ),
    ]
}

fn changes() -> Vec<Case> {
    vec![
        case!(
            "rename",
            &[PUT_A, PUT_B, DELETE_A, DELETE_B],
            |store| { put(store, "/a", bytes(1, LARGE)).await },
            { store.rename(&path("/a"), &path("/b"), Precondition::None).await.map(drop) }
        ),
        case!(
            "copy",
            &[PUT_A, PUT_B, DELETE_A, DELETE_B],
            |store| {
                put(store, "/b", bytes(2, LARGE)).await?;
                put(store, "/a", bytes(1, LARGE)).await
            },
            { store.copy(&path("/a"), &path("/b"), Precondition::None).await.map(drop) }
        ),
        case!("touch", &[PUT_A, DELETE_A], |store| { put(store, "/a", bytes(1, LARGE)).await }, {
            store.touch(&path("/a"), Precondition::None).await.map(drop)
        }),
    ]
}

async fn sweep(store: &Bucket) -> Result<()> {
    store.sweep(SweepOptions::new().deep().grace(Duration::ZERO)).await.map(drop)
}

fn sweeps() -> Vec<Case> {
    vec![
        case!(
            "sweep",
            &[PUT_A, DELETE_A],
            |store| {
                put(store, "/a", bytes(1, LARGE)).await?;
                store.copy(&path("/a"), &path("/b"), Precondition::None).await?;
                store.delete(&path("/a"), Precondition::None).await?;
                put(store, "/a", bytes(2, LARGE)).await?;
                put(store, "/a", bytes(3, LARGE)).await
            },
            { sweep(store).await }
        ),
        case!(
            "sweep of data that was renamed",
            &[RENAME_B, COPY_B],
            |store| {
                put(store, "/a", bytes(1, LARGE)).await?;
                store.rename(&path("/a"), &path("/b"), Precondition::None).await.map(drop)
            },
            { sweep(store).await }
        ),
        case!(
            "sweep of an upload and of the data of a fenced writer",
            &[TAKE_U, CREATE_U],
            |store| {
                upload(store, "/u", bytes(1, LARGE)).await?;
                let mut fenced = store.writer(&path("/u"), WriterOptions::resume()).await?;
                fenced.write_bytes(bytes(2, LARGE)).await?;
                let writer = store.writer(&path("/u"), WriterOptions::resume()).await?;
                assert!(fenced.sync().await.is_err());
                drop(writer);
                Ok(())
            },
            { sweep(store).await }
        ),
    ]
}

fn deletions() -> Vec<Case> {
    vec![
        case!(
            "delete of a file and its upload",
            &[PUT_A, DELETE_A],
            |store| {
                put(store, "/a", bytes(1, LARGE)).await?;
                upload(store, "/a", bytes(2, LARGE)).await
            },
            { store.delete(&path("/a"), Precondition::None).await }
        ),
        case!(
            "delete of a version",
            &[PUT_A, DELETE_A],
            |store| { put(store, "/a", bytes(1, LARGE)).await },
            {
                let version = version(store, "/a").await?;
                store.delete(&path("/a"), version).await
            }
        ),
        case!(
            "delete of a directory",
            &[],
            |store| {
                put(store, "/d/a", bytes(1, LARGE)).await?;
                put(store, "/d/b", bytes(1, 10)).await?;
                upload(store, "/d/u", bytes(2, LARGE)).await
            },
            { store.delete_dir(&path("/d")).await }
        ),
        case!(
            "delete of many files",
            &[PUT_A, DELETE_B],
            |store| {
                put(store, "/a", bytes(1, LARGE)).await?;
                put(store, "/b", bytes(1, 10)).await
            },
            { store.delete_many(&[path("/a"), path("/b"), path("/missing")]).await }
        ),
    ]
}

fn looks() -> Vec<Case> {
    vec![case!(
        "reading, listing, looking",
        &[],
        |store| {
            put(store, "/a", bytes(1, LARGE)).await?;
            upload(store, "/d/u", bytes(2, 100)).await?;
            put(store, "/d/b", bytes(2, 10)).await
        },
        {
            let content = store.get_content(&path("/a"), u64::MAX).await?;
            assert_eq!(content.into_bytes(), bytes(1, LARGE));
            assert_eq!(store.list(&Path::root(), ListOptions::new()).await?.items.len(), 2);
            let walked: Vec<_> =
                store.walk(&Path::root(), WalkOptions::new()).try_collect().await?;
            assert_eq!(walked.len(), 3);
            assert_eq!(store.uploads(&Path::root(), ListOptions::new()).await?.items.len(), 1);
            assert!(store.upload(&path("/d/u")).await?.is_some());
            let missing = store.stat(&path("/missing")).await;
            match missing {
                Err(error) if error.is_not_found() => store.health().await.write,
                Err(error) => Err(error),
                Ok(stat) => panic!("{stat:?} is not there"),
            }
        }
    )]
}

fn foreign() -> Vec<Case> {
    vec![
        case!("touch of a foreign object", &[PUT_A, DELETE_A], |store| { Ok(()) }, {
            store.touch(&path("/a"), Precondition::None).await.map(drop)
        }),
        case!("rename of a foreign object", &[PUT_A, DELETE_B], |store| { Ok(()) }, {
            store.rename(&path("/a"), &path("/b"), Precondition::None).await.map(drop)
        }),
        case!("copy of a foreign object", &[PUT_A, PUT_B], |store| { Ok(()) }, {
            store.copy(&path("/a"), &path("/b"), Precondition::None).await.map(drop)
        }),
        case!("delete of a foreign object", &[PUT_A], |store| { Ok(()) }, {
            store.delete(&path("/a"), Precondition::None).await
        }),
        case!("append to a foreign object", &[], |store| { Ok(()) }, {
            let _ = store.cancel_upload(&path("/a")).await;
            let mut writer = store.writer(&path("/a"), WriterOptions::append()).await?;
            writer.write_bytes(bytes(2, 100)).await?;
            writer.commit().await.map(drop)
        }),
    ]
}

async fn version(store: &Bucket, at: &str) -> Result<Precondition> {
    let file = store.stat(&path(at)).await?.into_file()?;
    Ok(Precondition::IfVersion(file.version))
}
