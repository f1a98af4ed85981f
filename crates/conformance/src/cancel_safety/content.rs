//! Whole content, reading, and queries.

use futures::{StreamExt, TryStreamExt};
use storage_driver::{
    ListOptions, Path, Precondition, ReadRange, StorageDriverExt, WalkOptions, WriterOptions,
};

use super::at_every_poll;
use crate::{
    Pattern, Subject,
    check::{LIMIT, path},
};

pub(crate) async fn dropped_put_content_stores_once_or_never(subject: Subject) {
    at_every_poll(subject, |scene| async move {
        let (file, new) = (path("/d/a"), path("/n/a"));
        let old = scene.put(&file, "the old content").await;
        let ended = scene.cut(scene.driver.put(&file, "new")).await;
        let (content, version) = scene.settled(&file).await.unwrap();
        match &ended {
            Some(result) => assert_eq!(version, result.as_ref().unwrap().version),
            None => assert_eq!(version == old, content == "the old content"),
        }
        assert!(content == "new" || (ended.is_none() && content == "the old content"));

        // The same at a path without a file.
        let also = scene.cut(scene.driver.put(&new, "new")).await;
        match scene.settled(&new).await {
            Some((content, _)) => assert_eq!(content, "new"),
            None => {
                assert!(also.is_none());
                assert!(!scene.driver.exists(&path("/n")).await.unwrap(), "an empty directory");
            }
        }
        ended.is_some() && also.is_some()
    })
    .await;
}

pub(crate) async fn dropped_conditional_put_stores_once_or_never(subject: Subject) {
    at_every_poll(subject, |scene| async move {
        let file = path("/a");
        let put = |precondition| scene.driver.put_content(&file, "one".into(), precondition);
        let ended = scene.cut(put(Precondition::IfAbsent)).await;
        // A retry finds out whether the first put took effect.
        match put(Precondition::IfAbsent).await {
            Ok(_) => assert!(ended.is_none()),
            Err(error) => assert!(error.is_precondition_failed(), "{error:?}"),
        }
        assert_eq!(scene.settled(&file).await.unwrap().0, "one");
        ended.is_some()
    })
    .await;
}

pub(crate) async fn dropped_get_content_changes_nothing(subject: Subject) {
    at_every_poll(subject, |scene| async move {
        let file = path("/a");
        let version = scene.put(&file, "content").await;
        let whole = scene.cut(scene.driver.get_content(&file, LIMIT)).await;
        if let Some(content) = whole.map(Result::unwrap) {
            assert_eq!(content.into_bytes(), "content");
        }
        let part = scene.cut(scene.driver.get_range(&file, (2..5).into(), LIMIT)).await;
        assert_eq!(scene.settled(&file).await, Some(("content".into(), version)));
        part.map(|part| assert_eq!(part.unwrap().into_bytes(), "nte")).is_some()
    })
    .await;
}

pub(crate) async fn dropped_reader_opens_nothing(subject: Subject) {
    at_every_poll(subject, |scene| async move {
        let file = path("/a");
        let version = scene.put(&file, "content").await;
        let reader = scene.cut(scene.driver.reader(&file, ReadRange::Full)).await;
        assert_eq!(scene.settled(&file).await, Some(("content".into(), version)));
        reader.is_some()
    })
    .await;
}

pub(crate) async fn dropped_read_takes_no_bytes(subject: Subject) {
    at_every_poll(subject, |scene| async move {
        let (file, pattern, size) = (path("/a"), Pattern::new(0x91), 300_000);
        scene.driver.put(&file, pattern.bytes(0..size)).await.unwrap();
        let mut reader = scene.driver.reader(&file, ReadRange::Full).await.unwrap();
        let (mut offset, mut ended) = (0, true);
        while reader.remaining() > 0 {
            assert_eq!(reader.remaining(), size - offset);
            let next = match scene.cut(reader.next()).await {
                Some(next) => next,
                None => {
                    ended = false;
                    assert_eq!(reader.remaining(), size - offset, "a dropped read took bytes");
                    reader.next().await
                }
            };
            let chunk = next.expect("there is more").unwrap();
            pattern.check(offset, &chunk).unwrap();
            offset += chunk.len() as u64;
        }
        assert_eq!(offset, size);
        assert!(reader.next().await.is_none());
        ended
    })
    .await;
}

pub(crate) async fn dropped_queries_change_nothing(subject: Subject) {
    at_every_poll(subject, |scene| async move {
        let (dir, file, upload) = (path("/d"), path("/d/a"), path("/d/u"));
        let version = scene.put(&file, "content").await;
        scene.driver.create(&upload).await.unwrap().suspend().await.unwrap();
        let stat = scene.cut(scene.driver.stat(&file)).await;
        let list = scene.cut(scene.driver.list(&dir, ListOptions::new())).await;
        let uploads = scene.cut(scene.driver.uploads(&dir, ListOptions::new())).await;
        let health = scene.cut(scene.driver.health()).await;
        assert_eq!(scene.settled(&file).await, Some(("content".into(), version)));
        assert!(scene.driver.writer(&upload, WriterOptions::resume_at(0)).await.is_ok());
        if let Some(list) = &list {
            assert_eq!(list.as_ref().unwrap().items.len(), 1);
        }
        if let Some(uploads) = &uploads {
            assert_eq!(uploads.as_ref().unwrap().items.len(), 1);
        }
        stat.is_some() && list.is_some() && uploads.is_some() && health.is_some()
    })
    .await;
}

pub(crate) async fn dropped_walk_step_skips_nothing(subject: Subject) {
    at_every_poll(subject, |scene| async move {
        for file in ["/a/b/1", "/a/2", "/b/3", "/c"] {
            scene.put(&path(file), "content").await;
        }
        let root = Path::root();
        let expected: Vec<_> =
            scene.driver.walk(&root, WalkOptions::new()).try_collect().await.unwrap();
        let mut walk = scene.driver.walk(&root, WalkOptions::new());
        let (mut found, mut ended) = (Vec::new(), true);
        loop {
            let next = match scene.cut(walk.next()).await {
                Some(next) => next,
                None => {
                    ended = false;
                    walk.next().await
                }
            };
            match next {
                Some(entry) => found.push(entry.unwrap()),
                None => break,
            }
        }
        assert_eq!(found.len(), 7);
        assert_eq!(found, expected);
        ended
    })
    .await;
}
