//! Rename, copy, delete, touch, shutdown.

use storage_driver::{ErrorKind, Precondition, StorageDriverExt, Version};

use super::{Scene, at_every_poll};
use crate::{
    Subject,
    check::{fails, path},
};

/// A directory `/d` of three files, and their versions.
async fn directory(scene: &Scene) -> Vec<(&'static str, Version)> {
    let mut files = Vec::new();
    for name in ["1", "s/2", "s/t/3"] {
        files.push((name, scene.put(&path("/d").join(name).unwrap(), name).await));
    }
    files
}

pub(crate) async fn dropped_rename_moves_once_or_never(subject: Subject) {
    at_every_poll(subject, |scene| async move {
        let (from, to) = (path("/a"), path("/d/b"));
        let moved = Some(("moved".into(), scene.put(&from, "moved").await));
        let replaced = Some(("replaced".into(), scene.put(&to, "replaced").await));
        let ended = scene.cut(scene.driver.rename(&from, &to, Precondition::None)).await;
        let after = (scene.settled(&from).await, scene.settled(&to).await);
        if scene.driver.capabilities().atomic_rename || ended.is_some() {
            assert!(
                after == (None, moved.clone())
                    || (ended.is_none() && after == (moved.clone(), replaced.clone())),
                "half a rename: {after:?}"
            );
        } else {
            let whole = after.1 == moved || (after.1 == replaced && after.0 == moved);
            assert!(whole && (after.0.is_none() || after.0 == moved), "lost: {after:?}");
        }
        ended.map(Result::unwrap).is_some()
    })
    .await;
}

pub(crate) async fn dropped_rename_dir_loses_no_file(subject: Subject) {
    at_every_poll(subject, |scene| async move {
        let (from, to) = (path("/d"), path("/e/d"));
        let files = directory(&scene).await;
        let ended = scene.cut(scene.driver.rename_dir(&from, &to)).await;
        let mut moved = 0;
        for (name, version) in &files {
            let old = scene.settled(&from.join(name).unwrap()).await;
            let new = scene.settled(&to.join(name).unwrap()).await;
            let file = Some(((*name).into(), version.clone()));
            assert!(old == file || new == file, "{name} is lost: {old:?}, {new:?}");
            assert!(old.is_none() || old == file);
            assert!(new.is_none() || new == file);
            assert!(old.is_none() || ended.is_none(), "{name} is still there");
            moved += usize::from(old.is_none());
        }
        if scene.driver.capabilities().atomic_rename {
            assert!(moved == 0 || moved == files.len(), "{moved} of {} moved", files.len());
            let (old, new) = (scene.driver.exists(&from).await, scene.driver.exists(&to).await);
            assert_ne!(old.unwrap(), new.unwrap());
        }
        ended.map(Result::unwrap).is_some()
    })
    .await;
}

pub(crate) async fn dropped_copy_makes_a_file_or_none(subject: Subject) {
    at_every_poll(subject, |scene| async move {
        let (from, to) = (path("/a"), path("/d/b"));
        let source = scene.put(&from, "copied").await;
        let target = scene.put(&to, "replaced").await;
        let ended = scene.cut(scene.driver.copy(&from, &to, Precondition::None)).await;
        assert_eq!(scene.settled(&from).await, Some(("copied".into(), source.clone())));
        let (content, version) = scene.settled(&to).await.unwrap();
        if content == "copied" {
            assert_ne!(version, target);
        } else {
            assert!(ended.is_none());
            assert_eq!((content, version), ("replaced".into(), target));
        }
        ended.map(Result::unwrap).is_some()
    })
    .await;
}

pub(crate) async fn dropped_touch_keeps_the_content(subject: Subject) {
    at_every_poll(subject, |scene| async move {
        let file = path("/a");
        let old = scene.put(&file, "content").await;
        let ended = scene.cut(scene.driver.touch(&file, Precondition::None)).await;
        let (content, version) = scene.settled(&file).await.unwrap();
        assert_eq!(content, "content");
        if let Some(touched) = &ended {
            assert_eq!(version, touched.as_ref().unwrap().version);
            assert_ne!(version, old);
        }
        ended.is_some()
    })
    .await;
}

pub(crate) async fn dropped_delete_of_a_file_removes_it_or_not(subject: Subject) {
    at_every_poll(subject, |scene| async move {
        let file = path("/d/a");
        let version = scene.put(&file, "content").await;
        let ended = scene.cut(scene.driver.delete(&file, Precondition::None)).await;
        match scene.settled(&file).await {
            Some(found) => {
                assert!(ended.is_none());
                assert_eq!(found, ("content".into(), version));
            }
            None => {
                assert!(!scene.driver.exists(&path("/d")).await.unwrap(), "an empty directory");
                fails(
                    scene.driver.delete(&file, Precondition::None).await,
                    ErrorKind::PathNotFound,
                );
            }
        }
        ended.map(Result::unwrap).is_some()
    })
    .await;
}

pub(crate) async fn dropped_delete_of_a_directory_can_be_called_again(subject: Subject) {
    at_every_poll(subject, |scene| async move {
        let dir = path("/d");
        let files = directory(&scene).await;
        let sibling = scene.put(&path("/d-sibling"), "sibling").await;
        scene.driver.create(&path("/d/s/u")).await.unwrap().suspend().await.unwrap();
        let ended = scene.cut(scene.driver.delete_dir(&dir)).await;
        let mut left = 0;
        for (name, version) in &files {
            if let Some(found) = scene.settled(&dir.join(name).unwrap()).await {
                assert_eq!(found, ((*name).into(), version.clone()));
                left += 1;
            }
        }
        assert!(left == 0 || ended.is_none(), "{left} files are left");
        if scene.driver.capabilities().linearizable {
            assert!(left == 0 || left == files.len(), "{left} of {} files are left", files.len());
        }
        match scene.driver.delete_dir(&dir).await {
            Ok(()) => assert!(ended.is_none(), "it was deleted twice"),
            Err(error) => assert!(error.is_not_found() && left == 0, "{error:?}"),
        }
        assert_eq!(scene.settled(&path("/d-sibling")).await, Some(("sibling".into(), sibling)));
        fails(scene.driver.resume(&path("/d/s/u")).await, ErrorKind::PathNotFound);
        ended.map(Result::unwrap).is_some()
    })
    .await;
}

pub(crate) async fn dropped_delete_many_may_stop_between_two(subject: Subject) {
    at_every_poll(subject, |scene| async move {
        let files = directory(&scene).await;
        let paths: Vec<_> = files.iter().map(|(name, _)| path("/d").join(name).unwrap()).collect();
        let ended = scene.cut(scene.driver.delete_many(&paths)).await;
        for (at, (name, version)) in paths.iter().zip(&files) {
            if let Some(found) = scene.settled(at).await {
                assert!(ended.is_none(), "{at} is left");
                assert_eq!(found, ((*name).into(), version.clone()));
            }
        }
        scene.driver.delete_many(&paths).await.unwrap();
        assert!(!scene.driver.exists(&path("/d")).await.unwrap());
        ended.map(Result::unwrap).is_some()
    })
    .await;
}

pub(crate) async fn dropped_shutdown_can_be_called_again(subject: Subject) {
    // The driver is shut down at the end, so the store cannot be checked for leftovers.
    for polls in 0.. {
        let driver = crate::layers::Yielding::new(subject.driver().await);
        let scene = Scene { driver: std::sync::Arc::new(driver), polls };
        scene.put(&path("/a"), "content").await;
        let ended = scene.cut(scene.driver.shutdown()).await;
        scene.driver.shutdown().await.unwrap();
        fails(scene.driver.stat(&path("/a")).await, ErrorKind::Unavailable);
        if ended.map(Result::unwrap).is_some() {
            return;
        }
    }
}
