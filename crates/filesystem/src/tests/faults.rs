//! Every system call of every operation fails once, in each way.

use futures::{FutureExt, StreamExt, future::BoxFuture};
use rustix::io::Errno;
use storage_driver::{
    ErrorKind, ListOptions, Path, Precondition, ReadRange, Result, StorageDriver, StorageDriverExt,
    WalkOptions, WriterOptions,
};

use super::{Everything, Fixture, path};
use crate::{
    Durability, Filesystem,
    sys::{Call, probe::Fault},
};

type Act = fn(&Filesystem) -> BoxFuture<'_, Result<()>>;

const WAYS: [Fault; 5] = [
    Fault::Errno(Errno::IO),
    Fault::Errno(Errno::NOSPC),
    Fault::Errno(Errno::MFILE),
    Fault::Errno(Errno::INTR),
    Fault::Short,
];

/// The start of each test: files, one of them alone in a directory, and a kept upload.
async fn scene(driver: &Filesystem) {
    for (at, content) in [("/a", "the old a"), ("/b", "the old b"), ("/d/e/f", "alone")] {
        driver.put(&path(at), content).await.unwrap();
    }
    let mut writer = driver.create(&path("/u/1")).await.unwrap();
    writer.write_bytes("kept").await.unwrap();
    writer.set_note("4 bytes").unwrap();
    writer.suspend().await.unwrap();
}

/// Runs `act` once for each of its calls and each way in which it can fail. A failed run changes nothing, has a cause, and
/// succeeds when it is repeated; a successful run has its whole effect.
async fn every_call_fails(act: Act, mounts: &[&str]) {
    let done = {
        let fixture = Fixture::fast(Durability::Full, mounts).await;
        scene(&fixture.driver).await;
        act(&fixture.driver).await.unwrap();
        Everything::of(&fixture.driver).await
    };
    for fault in WAYS {
        for number in 0.. {
            let fixture = Fixture::fast(Durability::Full, mounts).await;
            let driver = &fixture.driver;
            scene(driver).await;
            let before = Everything::of(driver).await;
            fixture.probe.fail(number, fault);
            let result = act(driver).await;
            let Some(call) = fixture.probe.disarm() else {
                assert!(number > 0, "no call was made");
                result.unwrap();
                break;
            };
            let after = Everything::of(driver).await;
            let what = format!("{fault:?} at call {number}, {call:?}: {result:?}");
            match result {
                Ok(()) => assert_eq!(after.contents(), done.contents(), "{what}"),
                Err(error) => {
                    assert_eq!(after, before, "{what}");
                    let full = ErrorKind::StorageFull { needed: None, available: None };
                    match fault {
                        Fault::Errno(Errno::NOSPC) => assert_eq!(
                            std::mem::discriminant(&error.kind()),
                            std::mem::discriminant(&full),
                            "{what}"
                        ),
                        Fault::Errno(Errno::IO | Errno::MFILE) => {
                            assert_eq!(error.kind(), ErrorKind::Unavailable, "{what}");
                        }
                        _ => panic!("nothing has failed: {what}"),
                    }
                    assert!(std::error::Error::source(&error).is_some(), "{what}");
                    act(driver).await.unwrap_or_else(|error| panic!("{what}, then {error:?}"));
                    let again = Everything::of(driver).await;
                    assert_eq!(again.contents(), done.contents(), "{what}, done again");
                }
            }
            leaves_nothing(fixture, mounts).await;
        }
    }
}

/// Asserts that after a restart the reserved directories hold only uploads in progress.
async fn leaves_nothing(fixture: Fixture, mounts: &[&str]) {
    let before = Everything::of(&fixture.driver).await;
    fixture.driver.shutdown().await.unwrap();
    let driver = Fixture::open(&fixture.root, &fixture.probe, Durability::Full).await;
    assert_eq!(Everything::of(&driver).await, before);
    driver.shutdown().await.unwrap();
    for mount in mounts.iter().chain(&[""]) {
        assert_eq!(fixture.reserved_at(mount, "staging"), Vec::<String>::new());
    }
    assert_eq!(fixture.reserved("uploads").len(), before.uploads.len() * 2);
}

macro_rules! every_call_fails {
    ($mounts:expr; $($(#[$doc:meta])* $name:ident: |$driver:ident| $act:expr;)*) => {$(
        $(#[$doc])*
        #[tokio::test]
        async fn $name() {
            every_call_fails(|$driver| async move { $act.map(|_| ()) }.boxed(), $mounts).await;
        }
    )*};
}

every_call_fails! {
    &[];
    putting_a_new_file: |driver| driver.put(&path("/n"), "new").await;
    putting_a_new_file_in_new_directories: |driver| driver.put(&path("/n/o/p"), "new").await;
    putting_over_a_file: |driver| driver.put(&path("/a"), "new").await;
    putting_a_large_file: |driver| driver.put(&path("/a"), vec![b'x'; 48 << 10]).await;
    putting_where_nothing_is: |driver| {
        // Repeated after an error, it must not find its own first try.
        driver.put_content(&path("/n"), "new".into(), Precondition::IfAbsent).await
    };
    touching: |driver| driver.touch(&path("/a"), Precondition::None).await;
    copying_to_a_new_file: |driver| driver.copy(&path("/a"), &path("/n/o"), Precondition::None).await;
    copying_over_a_file: |driver| driver.copy(&path("/a"), &path("/b"), Precondition::None).await;
    committing_a_new_upload: |driver| upload(driver, "/n/o").await;
    committing_a_new_upload_over_a_file: |driver| upload(driver, "/a").await;
    committing_a_large_upload: |driver| upload_of(driver, "/n", vec![b'x'; 11_000], 5).await;
    renaming_a_file: |driver| driver.rename(&path("/a"), &path("/n/o"), Precondition::None).await;
    renaming_over_a_file: |driver| driver.rename(&path("/d/e/f"), &path("/b"), Precondition::None).await;
    renaming_a_directory: |driver| driver.rename_dir(&path("/d"), &path("/n/longer")).await;
    deleting_a_file: |driver| driver.delete(&path("/d/e/f"), Precondition::None).await;
    deleting_a_directory: |driver| driver.delete_dir(&path("/d")).await;
    deleting_an_upload: |driver| driver.delete(&path("/u/1"), Precondition::None).await;
    cancelling_without_a_writer: |driver| async {
        match driver.cancel_upload(&path("/u/1")).await {
            Err(error) if error.is_not_found() => Ok(()),
            result => result,
        }
    }.await;
}

// The file `/a` of the scene is on the root's file system, `/d/e/f` on one of its own.
every_call_fails! {
    &["d", "m"];
    putting_a_new_file_on_a_mount: |driver| driver.put(&path("/m/n"), "new").await;
    putting_over_a_file_on_a_mount: |driver| driver.put(&path("/d/e/f"), "new").await;
    touching_on_a_mount: |driver| driver.touch(&path("/d/e/f"), Precondition::None).await;
    copying_onto_a_mount: |driver| driver.copy(&path("/a"), &path("/m/n"), Precondition::None).await;
    copying_from_a_mount: |driver| driver.copy(&path("/d/e/f"), &path("/a"), Precondition::None).await;
    committing_a_new_upload_onto_a_mount: |driver| upload(driver, "/m/n/o").await;
    committing_a_new_upload_over_a_file_on_a_mount: |driver| upload(driver, "/d/e/f").await;
    committing_a_large_upload_onto_a_mount: |driver| upload_of(driver, "/m/n", vec![b'x'; 11_000], 2).await;
    deleting_a_file_on_a_mount: |driver| driver.delete(&path("/d/e/f"), Precondition::None).await;
    deleting_a_mount: |driver| driver.delete_dir(&path("/d")).await;
}

async fn upload(driver: &Filesystem, at: &str) -> Result<()> {
    upload_of(driver, at, b"uploaded".to_vec(), 1).await
}

/// Uploads and commits; what fails is cancelled, so that it is as if it never was.
async fn upload_of(driver: &Filesystem, at: &str, piece: Vec<u8>, times: usize) -> Result<()> {
    let upload = async {
        let mut writer = driver.create(&path(at)).await?;
        for _ in 0..times {
            writer.write_bytes(piece.clone()).await?;
        }
        writer.commit().await
    };
    let result = upload.await;
    if result.is_err() {
        driver.cancel_upload(&path(at)).await?;
    }
    result.map(|_| ())
}

/// The kinds of error that come before a full disk, in the order of clause 8.6.
#[tokio::test]
async fn a_full_disk_comes_after_conflicts_and_conditions() {
    async fn put(driver: &Filesystem, at: &str, size: usize) -> Result<()> {
        driver.put_content(&path(at), vec![7; size].into(), Precondition::IfAbsent).await.map(drop)
    }
    async fn copy(driver: &Filesystem, to: &str) -> Result<()> {
        driver.copy(&path("/b"), &path(to), Precondition::IfAbsent).await.map(drop)
    }
    async fn commit(driver: &Filesystem, to: &str) -> Result<()> {
        let mut writer = driver.create(&path("/n")).await?;
        writer.write_bytes("new").await?;
        let result = writer.commit_to(&path(to), Precondition::IfAbsent).await.map(drop);
        driver.cancel_upload(&path("/n")).await?;
        result
    }
    let (conflict, condition) = (ErrorKind::PathConflict, ErrorKind::PreconditionFailed);
    let acts: [(Act, ErrorKind); 9] = [
        (|driver| put(driver, "/a", 9).boxed(), condition),
        (|driver| put(driver, "/a", 48 << 10).boxed(), condition),
        (|driver| put(driver, "/d", 9).boxed(), conflict),
        (|driver| put(driver, "/a/b/c", 9).boxed(), conflict),
        (|driver| copy(driver, "/a").boxed(), condition),
        (|driver| copy(driver, "/d").boxed(), conflict),
        (|driver| commit(driver, "/a").boxed(), condition),
        (|driver| commit(driver, "/d").boxed(), conflict),
        (|driver| commit(driver, "/a/b").boxed(), conflict),
    ];
    for (act, kind) in acts {
        for number in 0.. {
            let fixture = Fixture::fast(Durability::Full, &[]).await;
            scene(&fixture.driver).await;
            fixture.probe.fail(number, Fault::Errno(Errno::NOSPC));
            let error = act(&fixture.driver).await.unwrap_err();
            let fired = fixture.probe.disarm();
            assert_eq!(error.kind(), kind, "call {number}, {fired:?}: {error:?}");
            if fired.is_none() {
                break;
            }
        }
    }
}

/// Looks change nothing, and see what is there or say that they cannot.
#[tokio::test]
async fn looking() {
    async fn look(driver: &Filesystem) -> Result<Vec<String>> {
        let mut seen = Vec::new();
        seen.push(format!("{:?}", driver.stat(&path("/a")).await?));
        seen.push(format!("{:?}", driver.stat(&path("/d")).await?));
        seen.push(format!("{:?}", driver.list(&Path::root(), ListOptions::new()).await?));
        let walk: Vec<_> = driver.walk(&Path::root(), WalkOptions::new()).collect().await;
        for entry in walk {
            seen.push(format!("{:?}", entry?));
        }
        let content = driver.get_range(&path("/a"), ReadRange::Offset(4), 99).await?;
        seen.push(format!("{:?}", content.into_bytes()));
        Ok(seen)
    }
    let fixture = Fixture::new(Durability::Full).await;
    scene(&fixture.driver).await;
    let expected = look(&fixture.driver).await.unwrap();
    let mut failed = 0;
    for fault in WAYS {
        for number in 0.. {
            fixture.probe.fail(number, fault);
            let result = look(&fixture.driver).await;
            if fixture.probe.disarm().is_none() {
                break;
            }
            match result {
                Ok(seen) => assert_eq!(seen, expected),
                Err(error) => {
                    failed += 1;
                    assert!(!error.is_not_found(), "{error:?}");
                }
            }
        }
    }
    assert!(failed > 0);
}

/// What was accepted is lost only where a sync of the data itself has failed, and then the writer
/// says so and what was kept before is there.
#[tokio::test]
async fn keeping_what_was_accepted() {
    for fault in WAYS {
        for number in 0.. {
            let fixture = Fixture::fast(Durability::Full, &[]).await;
            let driver = &fixture.driver;
            scene(driver).await;
            fixture.probe.fail(number, fault);
            let at = path("/u/1");
            let mut writer = driver.writer(&at, WriterOptions::resume()).await.unwrap();
            writer.write_bytes(", and more").await.unwrap();
            writer.set_note("14 bytes, a longer note").unwrap();
            let result = writer.sync().await;
            let fired = fixture.probe.disarm();
            let what = format!("{fault:?} at call {number}, {fired:?}: {result:?}");
            let lost = match (&result, fired) {
                (Ok(()), _) => false,
                (Err(_), Some(Call::Sync)) => {
                    let again = writer.sync().await;
                    again.is_err()
                }
                (Err(_), _) => {
                    writer.sync().await.unwrap_or_else(|error| panic!("{what}, then {error:?}"));
                    false
                }
            };
            drop(writer);
            let writer = driver.resume(&at).await.unwrap();
            let expected: (u64, &str) =
                if lost { (4, "4 bytes") } else { (14, "14 bytes, a longer note") };
            assert_eq!(
                (writer.size(), writer.note().as_ref()),
                (expected.0, expected.1.as_bytes()),
                "{what}"
            );
            writer.commit().await.unwrap();
            let expected = if lost { "kept" } else { "kept, and more" };
            assert_eq!(driver.get_bytes(&at, 99).await.unwrap(), expected, "{what}");
            leaves_nothing(fixture, &[]).await;
            if fired.is_none() {
                break;
            }
        }
    }
}

/// A commit that fails leaves the upload resumable with all that was accepted, unless a sync of the
/// data itself has failed.
#[tokio::test]
async fn committing_an_upload_that_is_kept() {
    for fault in WAYS {
        for number in 0.. {
            let fixture = Fixture::fast(Durability::Full, &[]).await;
            let driver = &fixture.driver;
            scene(driver).await;
            let before = Everything::of(driver).await;
            fixture.probe.fail(number, fault);
            let (at, dest) = (path("/u/1"), path("/a"));
            let mut writer = driver.writer(&at, WriterOptions::resume()).await.unwrap();
            writer.write_bytes(", and more").await.unwrap();
            writer.set_note("14 bytes").unwrap();
            let result = writer.commit_to(&dest, Precondition::None).await;
            let fired = fixture.probe.disarm();
            let what = format!("{fault:?} at call {number}, {fired:?}: {result:?}");
            if result.is_err() {
                let after = Everything::of(driver).await;
                assert_eq!(after.files, before.files, "{what}");
                let writer = driver.resume(&at).await.unwrap();
                let lost = fired == Some(Call::Sync) && writer.size() == 4;
                assert!(lost || writer.size() == 14, "{what}: {}", writer.size());
                assert_eq!(writer.note(), if lost { "4 bytes" } else { "14 bytes" }, "{what}");
                writer.commit_to(&dest, Precondition::None).await.unwrap();
                let expected = if lost { "kept" } else { "kept, and more" };
                assert_eq!(driver.get_bytes(&dest, 99).await.unwrap(), expected, "{what}");
            } else {
                assert_eq!(driver.get_bytes(&dest, 99).await.unwrap(), "kept, and more", "{what}");
            }
            assert!(driver.resume(&at).await.unwrap_err().is_not_found(), "{what}");
            leaves_nothing(fixture, &[]).await;
            if fired.is_none() {
                break;
            }
        }
    }
}

/// A root opens, or fails with a cause and opens at the next try.
#[tokio::test]
async fn opening() {
    let fixture = Fixture::fast(Durability::Full, &[]).await;
    scene(&fixture.driver).await;
    let expected = Everything::of(&fixture.driver).await;
    fixture.driver.shutdown().await.unwrap();
    for fault in WAYS {
        for number in 0.. {
            fixture.probe.fail(number, fault);
            let builder = Filesystem::builder().probe(fixture.probe.clone());
            let result = builder.open(fixture.root.path()).await;
            let fired = fixture.probe.disarm();
            let driver = match result {
                Ok(driver) => driver,
                Err(error) => {
                    let call = fired.expect("it fails because a call did");
                    assert!(!error.is_not_found(), "{call:?}: {error:?}");
                    Fixture::open(&fixture.root, &fixture.probe, Durability::Full).await
                }
            };
            assert_eq!(Everything::of(&driver).await, expected, "{fault:?} {number} {fired:?}");
            driver.shutdown().await.unwrap();
            if fired.is_none() {
                break;
            }
        }
    }
}
