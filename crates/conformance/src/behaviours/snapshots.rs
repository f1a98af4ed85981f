//! 4.3: a reader returns the content that it was opened on.

use std::{pin::Pin, sync::Arc};

use storage_driver::{ErrorKind, Precondition, ReadRange, StorageDriver};
use tokio::io::AsyncReadExt;

use crate::{
    Pattern, Subject,
    check::{append, create, drain, path, put},
};

const OLD: Pattern = Pattern::new(20);
const NEW: Pattern = Pattern::new(21);
/// Longer than a driver reads ahead.
const SIZE: u64 = 3 << 20;

type Change = Pin<Box<dyn Future<Output = ()> + Send>>;

/// As [`unchanged`], of a file that was put.
async fn holds(subject: Subject, change: impl Fn(Arc<dyn StorageDriver>) -> Change) {
    let driver = subject.driver().await;
    put(&driver, "/d/a", OLD.bytes(0..SIZE)).await;
    unchanged(driver, change).await;
}

/// Opens two readers of `/d/a`, reads a part from one, makes a change, and checks that both continue with the old
/// content, or fail with `ContentChanged`.
async fn unchanged(
    driver: Arc<dyn StorageDriver>,
    change: impl Fn(Arc<dyn StorageDriver>) -> Change,
) {
    let offset = 1000;
    let mut unread = driver.reader(&path("/d/a"), ReadRange::Offset(offset)).await.unwrap();
    let mut begun = driver.reader(&path("/d/a"), ReadRange::Full).await.unwrap();
    let mut first = vec![0; offset as usize];
    begun.read_exact(&mut first).await.unwrap();
    OLD.check(0, &first).unwrap();

    change(Arc::clone(&driver)).await;

    for reader in [&mut unread, &mut begun] {
        assert_eq!(reader.metadata().size, SIZE);
        match drain(reader).await {
            Ok(rest) => {
                assert_eq!(rest.len() as u64, SIZE - offset);
                OLD.check(offset, &rest).unwrap();
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::ContentChanged, "{error:?}"),
        }
    }
}

pub(crate) async fn a_reader_holds_its_content_under_a_put(subject: Subject) {
    holds(subject, |driver| {
        Box::pin(async move {
            put(&driver, "/d/a", NEW.bytes(0..SIZE)).await;
        })
    })
    .await;
}

pub(crate) async fn a_reader_holds_its_content_under_a_shorter_put(subject: Subject) {
    holds(subject, |driver| {
        Box::pin(async move {
            put(&driver, "/d/a", "short").await;
        })
    })
    .await;
}

pub(crate) async fn a_reader_holds_its_content_under_a_commit(subject: Subject) {
    holds(subject, |driver| {
        Box::pin(async move {
            let mut writer = create(&driver, "/d/a").await;
            writer.write_bytes(NEW.bytes(0..SIZE)).await.unwrap();
            writer.commit().await.unwrap();
        })
    })
    .await;
}

pub(crate) async fn a_reader_holds_its_content_under_a_commit_to(subject: Subject) {
    holds(subject, |driver| {
        Box::pin(async move {
            let mut writer = create(&driver, "/upload").await;
            writer.write_bytes(NEW.bytes(0..SIZE)).await.unwrap();
            writer.commit_to(&path("/d/a"), Precondition::None).await.unwrap();
        })
    })
    .await;
}

pub(crate) async fn a_reader_holds_its_content_under_an_append(subject: Subject) {
    holds(subject, |driver| {
        Box::pin(async move {
            let mut writer = append(&driver, "/d/a").await;
            writer.write_bytes(NEW.bytes(0..100_000)).await.unwrap();
            writer.commit().await.unwrap();
        })
    })
    .await;
}

/// Makes `/d/a` by a put of its first `first` bytes and an append of the rest.
async fn appended(driver: &dyn StorageDriver, first: u64) {
    put(driver, "/d/a", OLD.bytes(0..first)).await;
    let mut writer = append(driver, "/d/a").await;
    writer.write_bytes(OLD.bytes(first..SIZE)).await.unwrap();
    writer.commit().await.unwrap();
}

pub(crate) async fn a_reader_of_an_appended_file_holds_its_content_under_an_append(
    subject: Subject,
) {
    // The base of an append may be shared, or copied if it is small.
    for first in [0, 1000, SIZE - 1000, SIZE] {
        for more in [1, 100_000] {
            let driver = subject.driver().await;
            appended(&driver, first).await;
            let change = move |driver: Arc<dyn StorageDriver>| -> Change {
                Box::pin(async move {
                    let mut writer = append(&driver, "/d/a").await;
                    writer.write_bytes(NEW.bytes(0..more)).await.unwrap();
                    writer.commit().await.unwrap();
                })
            };
            unchanged(driver, change).await;
        }
    }
}

pub(crate) async fn a_reader_of_an_appended_file_holds_its_content_under_a_put(subject: Subject) {
    let driver = subject.driver().await;
    appended(&driver, 1000).await;
    let change = |driver: Arc<dyn StorageDriver>| -> Change {
        Box::pin(async move { drop(put(&driver, "/d/a", NEW.bytes(0..SIZE)).await) })
    };
    unchanged(driver, change).await;
}

pub(crate) async fn a_reader_of_a_copy_holds_its_content_under_an_append(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/b", OLD.bytes(0..SIZE)).await;
    driver.copy(&path("/b"), &path("/d/a"), Precondition::None).await.unwrap();
    let change = |driver: Arc<dyn StorageDriver>| -> Change {
        Box::pin(async move {
            for at in ["/b", "/d/a"] {
                let mut writer = append(&driver, at).await;
                writer.write_bytes(NEW.bytes(0..100_000)).await.unwrap();
                writer.commit().await.unwrap();
            }
        })
    };
    unchanged(driver, change).await;
}

pub(crate) async fn a_reader_holds_its_content_under_a_deletion(subject: Subject) {
    holds(subject, |driver| {
        Box::pin(async move {
            driver.delete(&path("/d/a"), Precondition::None).await.unwrap();
        })
    })
    .await;
}

pub(crate) async fn a_reader_holds_its_content_under_the_deletion_of_the_directory(
    subject: Subject,
) {
    holds(subject, |driver| {
        Box::pin(async move {
            driver.delete_dir(&path("/d")).await.unwrap();
            put(&driver, "/d/a", NEW.bytes(0..SIZE)).await;
        })
    })
    .await;
}

pub(crate) async fn a_reader_holds_its_content_under_a_rename_away(subject: Subject) {
    holds(subject, |driver| {
        Box::pin(async move {
            driver.rename(&path("/d/a"), &path("/b"), Precondition::None).await.unwrap();
            put(&driver, "/d/a", NEW.bytes(0..SIZE)).await;
        })
    })
    .await;
}

pub(crate) async fn a_reader_holds_its_content_under_a_rename_onto_it(subject: Subject) {
    holds(subject, |driver| {
        Box::pin(async move {
            put(&driver, "/b", NEW.bytes(0..SIZE)).await;
            driver.rename(&path("/b"), &path("/d/a"), Precondition::None).await.unwrap();
        })
    })
    .await;
}

pub(crate) async fn a_reader_holds_its_content_under_a_rename_of_the_directory(subject: Subject) {
    holds(subject, |driver| {
        Box::pin(async move {
            driver.rename_dir(&path("/d"), &path("/e")).await.unwrap();
            put(&driver, "/d/a", NEW.bytes(0..SIZE)).await;
        })
    })
    .await;
}

pub(crate) async fn a_reader_holds_its_content_under_a_copy_onto_it(subject: Subject) {
    holds(subject, |driver| {
        Box::pin(async move {
            put(&driver, "/b", NEW.bytes(0..SIZE)).await;
            driver.copy(&path("/b"), &path("/d/a"), Precondition::None).await.unwrap();
        })
    })
    .await;
}

pub(crate) async fn a_reader_holds_its_content_under_a_touch(subject: Subject) {
    holds(subject, |driver| {
        Box::pin(async move {
            driver.touch(&path("/d/a"), Precondition::None).await.unwrap();
        })
    })
    .await;
}

pub(crate) async fn a_reader_holds_its_content_under_many_changes(subject: Subject) {
    holds(subject, |driver| {
        Box::pin(async move {
            for round in 0..20 {
                let pattern = Pattern::new(100 + round);
                put(&driver, "/d/a", pattern.bytes(0..SIZE / 16)).await;
            }
            driver.delete(&path("/d/a"), Precondition::None).await.unwrap();
            put(&driver, "/d/a", "last").await;
        })
    })
    .await;
}
