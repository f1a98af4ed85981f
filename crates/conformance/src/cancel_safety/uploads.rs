//! Writers, and uploads without a writer.

use std::time::Duration;

use storage_driver::{ErrorKind, Precondition, StorageDriverExt, Writer, WriterOptions};

use super::{Scene, at_every_poll};
use crate::{
    Subject,
    check::{fails, path},
};

/// An upload at `/u` that holds `kept`, all of it synced.
async fn upload(scene: &Scene) -> Writer {
    let mut writer = scene.driver.create(&path("/u")).await.unwrap();
    writer.write_bytes("kept").await.unwrap();
    writer.sync().await.unwrap();
    writer
}

pub(crate) async fn dropped_create_discards_the_earlier_upload_or_not(subject: Subject) {
    at_every_poll(subject, |scene| async move {
        let at = path("/u");
        let version = scene.put(&at, "committed").await;
        upload(&scene).await.suspend().await.unwrap();
        let ended = scene.cut(scene.driver.create(&at)).await.is_some();
        assert_eq!(scene.settled(&at).await, Some(("committed".into(), version)));
        match scene.upload(&at).await {
            Some(content) if content == "kept" => assert!(!ended, "create did not discard"),
            Some(content) => assert_eq!(content, ""),
            None => panic!("there is neither the old upload nor a new one"),
        }
        ended
    })
    .await;
}

pub(crate) async fn dropped_resume_loses_nothing(subject: Subject) {
    at_every_poll(subject, |scene| async move {
        let at = path("/u");
        drop(upload(&scene).await);
        let ended = scene.cut(scene.driver.writer(&at, WriterOptions::resume_at(4))).await;
        let ended = ended.map(|writer| assert_eq!(writer.unwrap().size(), 4)).is_some();
        assert_eq!(scene.upload(&at).await.unwrap(), "kept");
        ended
    })
    .await;
}

pub(crate) async fn dropped_append_starts_an_upload_or_none(subject: Subject) {
    at_every_poll(subject, |scene| async move {
        let at = path("/a");
        let version = scene.put(&at, "committed").await;
        let ended = scene.cut(scene.driver.append(&at)).await.is_some();
        assert_eq!(scene.settled(&at).await, Some(("committed".into(), version)));
        match scene.upload(&at).await {
            Some(content) => assert_eq!(content, "committed"),
            None => assert!(!ended),
        }
        ended
    })
    .await;
}

pub(crate) async fn dropped_write_accepts_all_or_nothing(subject: Subject) {
    at_every_poll(subject, |scene| async move {
        let mut writer = upload(&scene).await;
        let ended = scene.cut(writer.write_bytes(", and more")).await;
        ended.iter().for_each(|result| assert!(result.is_ok(), "{result:?}"));
        let size = writer.size();
        assert!(size == 14 || (ended.is_none() && size == 4), "a part of a write: {size}");
        writer.write_bytes("!").await.unwrap();
        assert_eq!(writer.size(), size + 1);
        writer.suspend().await.unwrap();
        let expected = if size == 4 { "kept!" } else { "kept, and more!" };
        assert_eq!(scene.upload(&path("/u")).await.unwrap(), expected);
        ended.is_some()
    })
    .await;
}

pub(crate) async fn dropped_sync_can_be_called_again(subject: Subject) {
    at_every_poll(subject, |scene| async move {
        let mut writer = upload(&scene).await;
        writer.write_bytes(", and more").await.unwrap();
        let ended = scene.cut(writer.sync()).await;
        ended.iter().for_each(|result| assert!(result.is_ok(), "{result:?}"));
        assert_eq!(writer.size(), 14);
        if ended.is_none() {
            writer.sync().await.unwrap();
        }
        drop(writer);
        assert_eq!(scene.upload(&path("/u")).await.unwrap(), "kept, and more");
        ended.is_some()
    })
    .await;
}

pub(crate) async fn dropped_close_keeps_what_a_drop_keeps(subject: Subject) {
    at_every_poll(subject, |scene| async move {
        let mut writer = upload(&scene).await;
        writer.write_bytes(", and more").await.unwrap();
        let ended = scene.cut(writer.suspend()).await;
        let content = scene.upload(&path("/u")).await.unwrap();
        let all = ended.is_some() || scene.driver.capabilities().keeps_on_drop;
        assert!(content.starts_with(b"kept") && b"kept, and more".starts_with(&content));
        assert!(content == "kept, and more" || !all, "only {content:?} was kept");
        ended.map(Result::unwrap).is_some()
    })
    .await;
}

pub(crate) async fn dropped_commit_publishes_or_stays_resumable(subject: Subject) {
    at_every_poll(subject, |scene| async move {
        let at = path("/u");
        let old = scene.put(&at, "committed").await;
        let writer = upload(&scene).await;
        let ended = scene.cut(writer.commit()).await;
        let (content, version) = scene.settled(&at).await.unwrap();
        if content == "kept" {
            assert_ne!(version, old);
            fails(scene.driver.resume(&at).await, ErrorKind::PathNotFound);
        } else {
            assert!(ended.is_none());
            assert_eq!((content, version), ("committed".into(), old));
            assert_eq!(scene.upload(&at).await.expect("it is resumable"), "kept");
        }
        ended.map(Result::unwrap).is_some()
    })
    .await;
}

pub(crate) async fn dropped_commit_of_an_append_publishes_once_or_stays_resumable(
    subject: Subject,
) {
    at_every_poll(subject, |scene| async move {
        let at = path("/a");
        scene.put(&at, "committed").await;
        let mut writer = scene.driver.append(&at).await.unwrap();
        writer.write_bytes(", and more").await.unwrap();
        writer.sync().await.unwrap();
        let ended = scene.cut(writer.commit()).await;
        let (content, _) = scene.settled(&at).await.unwrap();
        if content == "committed" {
            assert!(ended.is_none());
            assert_eq!(scene.upload(&at).await.unwrap(), "committed, and more");
        } else {
            assert_eq!(content, "committed, and more");
            assert!(scene.upload(&at).await.is_none(), "published, and an upload still");
        }
        ended.map(Result::unwrap).is_some()
    })
    .await;
}

pub(crate) async fn dropped_commit_to_publishes_or_stays_resumable(subject: Subject) {
    at_every_poll(subject, |scene| async move {
        let (at, dest) = (path("/u"), path("/d/blob"));
        let own = scene.put(&at, "committed").await;
        let writer = upload(&scene).await;
        let ended = scene.cut(writer.commit_to(&dest, Precondition::None)).await;
        let published = scene.settled(&dest).await;
        assert_eq!(scene.settled(&at).await, Some(("committed".into(), own)));
        match &published {
            Some((content, _)) => assert_eq!(content, "kept", "published in part"),
            None => assert!(ended.is_none()),
        }
        let left = scene.upload(&at).await;
        if published.is_none() || left.is_some() {
            assert_eq!(left.expect("it is resumable"), "kept");
        }
        if published.is_some() && scene.driver.capabilities().atomic_commit_to {
            let (content, _) = scene.settled(&at).await.unwrap();
            assert_eq!(content, "committed", "published, and an upload still");
        }
        ended.map(Result::unwrap).is_some()
    })
    .await;
}

pub(crate) async fn dropped_cancel_removes_the_upload_or_leaves_it(subject: Subject) {
    at_every_poll(subject, |scene| async move {
        let at = path("/u");
        let version = scene.put(&at, "committed").await;
        let writer = upload(&scene).await;
        let ended = scene.cut(writer.cancel()).await;
        assert_eq!(scene.settled(&at).await, Some(("committed".into(), version)));
        if let Some(content) = scene.upload(&at).await {
            assert!(ended.is_none());
            assert_eq!(content, "kept");
        }
        ended.map(Result::unwrap).is_some()
    })
    .await;
}

pub(crate) async fn dropped_cancel_upload_removes_it_or_leaves_it(subject: Subject) {
    at_every_poll(subject, |scene| async move {
        let at = path("/u");
        drop(upload(&scene).await);
        let ended = scene.cut(scene.driver.cancel_upload(&at)).await;
        match scene.upload(&at).await {
            Some(content) => {
                assert!(ended.is_none());
                assert_eq!(content, "kept");
            }
            None => assert!(!scene.driver.exists(&at).await.unwrap()),
        }
        ended.map(Result::unwrap).is_some()
    })
    .await;
}

pub(crate) async fn dropped_cancel_uploads_may_stop_between_two(subject: Subject) {
    at_every_poll(subject, |scene| async move {
        let paths = ["/u/1", "/u/2", "/u/3"].map(path);
        for at in &paths {
            let mut writer = scene.driver.create(at).await.unwrap();
            writer.write_bytes("kept").await.unwrap();
            writer.suspend().await.unwrap();
        }
        let ended = scene.cut(scene.driver.cancel_uploads(&path("/u"), Duration::ZERO)).await;
        let mut left = 0;
        for at in &paths {
            if let Some(content) = scene.upload(at).await {
                assert_eq!(content, "kept");
                left += 1;
            }
        }
        ended.map(|cancelled| assert_eq!((cancelled.unwrap(), left), (3, 0))).is_some()
    })
    .await;
}
