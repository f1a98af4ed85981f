//! Power cuts after every system call.
//!
//! A scene is played once, and the effects of its calls are recorded. Each prefix of the effects is then applied to a
//! [`Disk`]. Every tree that the disk may hold after a power cut is opened, and has to show all acknowledged operations,
//! nothing in part, and all or nothing of the operation in progress.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    os::unix::fs::MetadataExt,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures::FutureExt;
use storage_driver::{Path, Precondition, Result, StorageDriver, StorageDriverExt, WriterOptions};

use super::{
    Everything,
    disk::{Disk, Tree},
    fast_directory, path,
};
use crate::{
    Durability, Filesystem, FilesystemBuilder,
    sys::probe::{Effect, Probe},
};

/// What a caller sees, without the inodes in versions, which a copy of a disk does not keep.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Seen {
    files: BTreeMap<Path, (Bytes, String)>,
    uploads: BTreeMap<Path, (u64, Bytes)>,
}

impl Seen {
    async fn of(driver: &Filesystem) -> Self {
        let Everything { files, uploads } = Everything::of(driver).await;
        let without_inode = |version: String| version.split('-').next().unwrap().to_owned();
        let files = files
            .into_iter()
            .map(|(path, (bytes, version))| (path, (bytes, without_inode(version.to_string()))));
        Self { files: files.collect(), uploads }
    }
}

/// A scene that was played: the effects of its calls, and what a caller saw after each step.
struct Played {
    root: u64,
    effects: Vec<Effect>,
    steps: Vec<(usize, Seen)>,
    /// What was seen after this step may be back after any later power cut.
    may_return: usize,
}

/// A part of the content of every upload in the scene.
fn part(from: usize, to: usize) -> Bytes {
    (from..to).map(|at| b'a' + (at % 26) as u8).collect()
}

async fn play(durability: Durability) -> Played {
    play_on(&tempfile::tempdir().unwrap(), Probe::default(), durability, act).await
}

async fn play_on(
    dir: &tempfile::TempDir,
    probe: Probe,
    durability: Durability,
    act: impl AsyncFn(&Filesystem, usize) -> Option<Result<()>>,
) -> Played {
    let probe = Arc::new(probe);
    probe.watch();
    let root = std::fs::metadata(dir.path()).unwrap().ino();
    let builder = FilesystemBuilder::default().durability(durability).probe(Arc::clone(&probe));
    let driver = builder.open(dir.path()).await.unwrap();
    let mut steps = vec![(probe.seen(), Seen::default())];
    for step in 0.. {
        match act(&driver, step).await {
            None => break,
            Some(result) => result.unwrap(),
        }
        steps.push((probe.seen(), Seen::of(&driver).await));
    }
    Played { root, effects: probe.effects(), steps, may_return: usize::MAX }
}

/// One step of the scene. After each, all that was accepted is kept.
async fn act(driver: &Filesystem, step: usize) -> Option<Result<()>> {
    let none = Precondition::None;
    let upload = path("/_uploads/1");
    let renames = driver.capabilities().rename_file;
    let result = match step {
        0 => driver.put(&path("/a"), "the old a").await.map(drop),
        1 => driver.put(&path("/b/c/d"), "in new directories").await.map(drop),
        2 => driver.put(&path("/a"), "the new and longer a").await.map(drop),
        3 => driver.put(&path("/b/e"), "a sibling").await.map(drop),
        4 => keep(driver, WriterOptions::create(), part(0, 10)).await,
        5 => keep(driver, WriterOptions::resume_at(10), part(10, 30)).await,
        6 => driver.touch(&path("/b/e"), Precondition::None).await.map(drop),
        7 => keep(driver, WriterOptions::resume_at(30), part(30, 40)).await,
        8 if renames => driver.rename(&path("/b/e"), &path("/f/g"), none).await.map(drop),
        9 if renames => driver.rename(&path("/f/g"), &path("/a"), none).await.map(drop),
        14 if renames => driver.rename_dir(&path("/b"), &path("/h/i")).await,
        8 | 9 | 14 => Ok(()),
        10 => {
            let writer = driver.resume(&upload).await.unwrap();
            writer.commit_to(&path("/blobs/1/data"), Precondition::IfAbsent).await.map(drop)
        }
        11 => driver.copy(&path("/blobs/1/data"), &path("/b/copy"), none).await.map(drop),
        12 => {
            let mut writer = driver.create(&upload).await.unwrap();
            writer.write_bytes(part(0, 20)).await.unwrap();
            writer.commit().await.map(drop)
        }
        13 => {
            let mut writer = driver.append(&upload).await.unwrap();
            writer.write_bytes(part(20, 25)).await.unwrap();
            writer.commit().await.map(drop)
        }
        19 => keep(driver, WriterOptions::create(), part(0, 5)).await,
        20 => keep_note(driver).await,
        21 => keep(driver, WriterOptions::resume_at(5), part(5, 12)).await,
        15 => driver.delete(&path("/blobs/1/data"), none).await,
        16 => driver.put(&path("/blobs/1/data"), "again").await.map(drop),
        17 if renames => driver.delete_dir(&path("/h")).await,
        17 => driver.delete_dir(&path("/blobs")).await,
        18 => driver.put(&path("/h"), "a file where a directory was").await.map(drop),
        _ => return None,
    };
    Some(result)
}

async fn keep(driver: &Filesystem, options: WriterOptions, data: Bytes) -> Result<()> {
    let mut writer = driver.writer(&path("/_uploads/1"), options).await?;
    writer.write_bytes(data).await?;
    writer.set_note(note(writer.size(), b'n'))?;
    writer.suspend().await
}

/// The note of an upload of this size, in one of several kinds. Their lengths differ, so that a note replaces longer
/// and shorter ones.
fn note(size: u64, kind: u8) -> Bytes {
    let length = 1 + size as usize * 31 % 150;
    let text = format!("{}{size}:", char::from(kind));
    text.bytes().cycle().take(length.max(text.len())).collect()
}

/// Keeps another note with the same data.
async fn keep_note(driver: &Filesystem) -> Result<()> {
    let mut writer = driver.resume(&path("/_uploads/1")).await?;
    writer.set_note(note(writer.size(), b'N'))?;
    writer.suspend().await
}

/// The verdicts on the trees after power cuts, by the number of acknowledged steps, so that each tree is opened once.
#[derive(Default)]
struct Verdicts(HashMap<(usize, Tree), Result<(), String>>);

impl Verdicts {
    async fn of(
        &mut self,
        acknowledged: usize,
        tree: Tree,
        expected: &[&Seen],
    ) -> Result<(), String> {
        let key = (acknowledged, tree);
        if let Some(verdict) = self.0.get(&key) {
            return verdict.clone();
        }
        let root = fast_directory();
        key.1.write(root.path());
        let verdict = check(root.path(), expected).await;
        self.0.insert(key, verdict.clone());
        verdict
    }
}

/// Cuts the power after each call from number `from` on. Fails with the first wrong tree.
async fn replay(
    played: &Played,
    effects: &[Effect],
    from: usize,
    verdicts: &mut Verdicts,
) -> Result<(), String> {
    let mut disk = Disk::new(played.root);
    let mut acknowledged = 0;
    for (number, effect) in effects.iter().enumerate() {
        disk.apply(effect);
        while played.steps.get(acknowledged + 1).is_some_and(|(at, _)| *at <= number + 1) {
            acknowledged += 1;
        }
        if number < from {
            continue;
        }
        // Before the first step is acknowledged, the driver is being opened.
        let steps = played.steps.iter().take(acknowledged + 2);
        let expected = steps.skip(acknowledged.min(played.may_return));
        let expected: Vec<&Seen> = expected.map(|(_, seen)| seen).collect();
        for tree in disk.after_a_power_cut() {
            let verdict = verdicts.of(acknowledged, tree, &expected).await;
            verdict.map_err(|error| {
                format!("after call {number}, {effect:?}, in step {acknowledged}: {error}")
            })?;
        }
    }
    Ok(())
}

/// Cuts the power after each call. Returns the verdicts if all is well.
async fn replay_all(played: &Played) -> Verdicts {
    let mut verdicts = Verdicts::default();
    let result = replay(played, &played.effects, 0, &mut verdicts).await;
    result.unwrap_or_else(|error| panic!("{error}"));
    let count = verdicts.0.len();
    assert!(count > 100, "only {count} power cuts");
    verdicts
}

async fn check(root: &std::path::Path, expected: &[&Seen]) -> Result<(), String> {
    let opened = Filesystem::builder().durability(Durability::None).open(root).await;
    let driver = opened.map_err(|error| format!("it does not open: {error:?}"))?;
    let seen = Seen::of(&driver).await;
    if !expected.iter().any(|expected| expected.files == seen.files) {
        return Err(format!("{:#?}\ninstead of one of {expected:#?}", seen.files));
    }
    if !expected.iter().any(|expected| expected.uploads == seen.uploads) {
        return Err(format!("{:?}\ninstead of one of {expected:#?}", seen.uploads));
    }
    // A resumed upload has the kept data and note.
    for (path, (size, note)) in seen.uploads {
        let writer = driver.resume(&path).await.map_err(|error| error.to_string())?;
        if (writer.size(), writer.note()) != (size, &note) {
            return Err(format!("the upload at {path} resumes with {:?}", writer.note()));
        }
        writer.commit().await.map_err(|error| error.to_string())?;
        let content = driver.get_bytes(&path, 1 << 20).await.map_err(|error| error.to_string())?;
        if content != part(0, size as usize) {
            return Err(format!("the upload at {path} holds {content:?}"));
        }
    }
    driver.shutdown().await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn all_that_was_acknowledged_is_there_after_any_power_cut() {
    let played = play(Durability::Full).await;
    replay_all(&played).await;
}

/// Whether a call syncs the content of a file that was not changed since its content was synced last, as where
/// another note is kept with the same data.
fn is_synced_already(effects: &[Effect], number: usize) -> bool {
    let Effect::SyncData { inode } = &effects[number] else { return false };
    let last = effects[..number].iter().rev().find(|effect| match effect {
        Effect::Write { file, .. } | Effect::Truncate { file, .. } => file == inode,
        Effect::SyncData { inode: synced } | Effect::Sync { inode: synced } => synced == inode,
        _ => false,
    });
    matches!(last, Some(Effect::SyncData { .. } | Effect::Sync { .. }))
}

#[tokio::test]
async fn without_any_one_sync_something_is_missing_after_some_power_cut() {
    let played = play(Durability::Full).await;
    let mut verdicts = replay_all(&played).await;
    let mut without = async |left_out: &[usize]| {
        let mut effects = played.effects.clone();
        for &number in left_out {
            // As if it had returned without any effect.
            effects[number] = Effect::SyncData { inode: played.root };
        }
        // Up to there, nothing differs from the scene as it was played.
        replay(&played, &effects, left_out[0], &mut verdicts).await
    };
    let is =
        |number: usize, what: fn(&Effect) -> bool| played.effects.get(number).is_some_and(what);
    let mut count = 0;
    for number in 0..played.effects.len() {
        if !is(number, |effect| {
            matches!(effect, Effect::Sync { .. } | Effect::SyncData { .. } | Effect::SyncAll)
        }) {
            continue;
        }
        count += 1;
        if is_synced_already(&played.effects, number) {
            continue;
        }
        if without(&[number]).await.is_ok() {
            // A rename between two directories of the tree is done on both sides or on none, so that
            // the sync of one makes up for the other.
            let is_sync = |effect: &Effect| matches!(effect, Effect::Sync { .. });
            let is_rename = |effect: &Effect| matches!(effect, Effect::Rename { .. });
            let first = if is(number - 1, is_rename) { number } else { number - 1 };
            assert!(
                is(first - 1, is_rename) && is(first, is_sync) && is(first + 1, is_sync),
                "nothing is missing without call {number}: {:#?}",
                &played.effects[number - 3..=number]
            );
            without(&[first, first + 1]).await.expect_err("one of the two is needed");
        }
    }
    assert!(count > 40, "only {count} syncs");
}

/// Keeps an upload, and cancels it in one of three ways.
async fn keep_and_cancel(driver: &Filesystem, step: usize, way: usize) -> Option<Result<()>> {
    let upload = path("/_uploads/1");
    let result = match (step, way) {
        (0, _) => keep(driver, WriterOptions::create(), part(0, 10)).await,
        (1, _) => keep(driver, WriterOptions::resume_at(10), part(10, 30)).await,
        (2, 0) => driver.resume(&upload).await.unwrap().cancel().await,
        (2, 1) => driver.cancel_upload(&upload).await,
        (2, _) => driver.cancel_uploads(&Path::root(), Duration::ZERO).await.map(drop),
        _ => return None,
    };
    Some(result)
}

#[tokio::test]
async fn a_cancelled_upload_is_gone_or_back_as_it_was_kept_after_any_power_cut() {
    for way in 0..3 {
        let dir = tempfile::tempdir().unwrap();
        let scene = async |driver: &Filesystem, step| keep_and_cancel(driver, step, way).await;
        let mut played = play_on(&dir, Probe::default(), Durability::Full, scene).await;
        let [.., (_, kept), (_, cancelled)] = &*played.steps else { panic!("two steps") };
        assert!(cancelled.uploads.is_empty() && !kept.uploads.is_empty());
        played.may_return = 2;
        let mut verdicts = Verdicts::default();
        replay(&played, &played.effects, 0, &mut verdicts).await.unwrap();
    }
}

/// The blobs are on a file system of their own, so that uploads are published by a copy.
#[tokio::test]
async fn all_that_was_acknowledged_is_there_on_a_mount_too() {
    let dir = tempfile::tempdir().unwrap();
    let mount = dir.path().canonicalize().unwrap().join("blobs");
    std::fs::create_dir(&mount).unwrap();
    let made = std::fs::metadata(&mount).unwrap().ino();
    let mut played = play_on(&dir, Probe::mounted(vec![mount]), Durability::Full, act).await;
    // The mount was there before.
    let name = "blobs".to_owned();
    played.effects.splice(0..0, [Effect::Mkdir { dir: played.root, name, made }, Effect::SyncAll]);
    played.steps.iter_mut().for_each(|(at, _)| *at += 2);
    replay_all(&played).await;
}

/// If names are not synced, each file is still whole: with the content of one of the commits at its path.
#[tokio::test]
async fn content_before_names_leaves_every_file_whole() {
    let played = play(Durability::Data).await;
    let ever: HashSet<Vec<u8>> = played
        .steps
        .iter()
        .flat_map(|(_, seen)| seen.files.values().map(|(bytes, _)| bytes.to_vec()))
        .collect();
    let mut disk = Disk::new(played.root);
    let mut opened = HashSet::new();
    for effect in &played.effects {
        disk.apply(effect);
        for tree in disk.after_a_power_cut() {
            for (path, bytes) in tree.committed() {
                assert!(ever.contains(bytes), "{path} {bytes:?} after {effect:?}\n{tree:#?}");
            }
            // Opening the root depends on the driver's own files only.
            if opened.insert(tree.reserved()) {
                let root = fast_directory();
                tree.write(root.path());
                let opened = Filesystem::builder().durability(Durability::None).open(root.path());
                let driver = opened.map(|opened| opened.unwrap()).await;
                for (path, (bytes, _)) in Seen::of(&driver).await.files {
                    assert!(ever.contains(&*bytes), "{path} {bytes:?} after {effect:?}\n{tree:#?}");
                }
                driver.shutdown().await.unwrap();
            }
        }
    }
}
