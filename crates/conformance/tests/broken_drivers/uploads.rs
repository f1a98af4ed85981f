//! Lies about uploads and writers.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    time::SystemTime,
};

use futures::FutureExt;
use storage_driver::Version;

use crate::breakage::*;

/// A broken driver whose writers are in the hands of that behaviour, made from the honest driver and the path.
macro_rules! writes_with {
    ($(#[$doc:meta])* $name:ident, $behaviour:expr) => {
        broken! {
            $(#[$doc])*
            $name {
                async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
                    let behaviour: fn(Reference, Path) -> _ = $behaviour;
                    let inner = self.0.writer(path, options).await?;
                    Ok(broken_writer(inner, behaviour(self.0.clone(), path.clone())))
                }
            }
        }
    };
}

writes_with! {
    /// 5.1: what is written is visible at once.
    ShowsUploads, |driver, path| Showing { driver, path, bytes: Vec::new() }
}

struct Showing {
    driver: Reference,
    path: Path,
    bytes: Vec<u8>,
}

impl BrokenWriter for Showing {
    fn write(&mut self, inner: &mut Writer, data: Bytes) -> Result<()> {
        self.bytes.extend_from_slice(&data);
        let shown = self.driver.put(&self.path, self.bytes.clone()).now_or_never();
        drop(shown);
        pass(inner, data)
    }
}

broken! {
    /// 5.3: `Create` continues the upload at the path.
    CreatesOnTop {
        async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
            match (options.mode, self.0.resume(path).await) {
                (WriteMode::Create, Ok(writer)) => Ok(writer),
                _ => self.0.writer(path, options).await,
            }
        }
    }
}

broken! {
    /// 5.8: the size counts from where the writer was opened.
    CountsFromZero {
        async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
            Ok(broken_writer_at(0, self.0.writer(path, options).await?, HonestWriter))
        }
    }
}

broken! {
    /// 5.6: where the caller believes the upload to stand is not looked at.
    ResumesAnywhere {
        async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
            match options.mode {
                WriteMode::Resume { .. } => self.0.resume(path).await,
                _ => self.0.writer(path, options).await,
            }
        }
    }
}

broken! {
    /// 5.6: a wrong offset fences the writer that is open.
    FencesOnMismatch {
        async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
            if let WriteMode::Resume { at: Some(_) } = options.mode {
                drop(self.0.resume(path).await);
            }
            self.0.writer(path, options).await
        }
    }
}

writes_with! {
    /// 5.7: what a fenced writer sends joins the upload of its successor.
    WritesWhenFenced, |driver, path| Unfenced { driver, path }
}

struct Unfenced {
    driver: Reference,
    path: Path,
}

impl BrokenWriter for Unfenced {
    fn write(&mut self, inner: &mut Writer, data: Bytes) -> Result<()> {
        match pass(inner, data.clone()) {
            Err(error) if error.kind() == ErrorKind::WriterFenced => {
                *inner =
                    self.driver.resume(&self.path).now_or_never().expect("it does not wait")?;
                pass(inner, data)
            }
            other => other,
        }
    }
}

writes_with! {
    /// 5.7: the sync of a fenced writer is said to have kept everything.
    SwallowsErrorsOfSync, |_, _| Swallowing
}

struct Swallowing;

impl BrokenWriter for Swallowing {
    fn sync(&mut self, inner: &mut Writer) -> Result<()> {
        drop(inner.sync().now_or_never());
        Ok(())
    }
}

writes_with! {
    /// 5.9: the last piece waits in a buffer, which a close forgets.
    CloseLosesBytes, |_, _| Buffering { last: Bytes::new() }
}

struct Buffering {
    last: Bytes,
}

#[async_trait]
impl BrokenWriter for Buffering {
    fn write(&mut self, inner: &mut Writer, data: Bytes) -> Result<()> {
        pass(inner, std::mem::replace(&mut self.last, data))
    }

    async fn commit_to(
        self,
        mut inner: Writer,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        inner.write_bytes(self.last).await?;
        inner.commit_to(dest, precondition).await
    }
}

writes_with! {
    /// 5.9: `keeps_on_drop` is claimed, and a drop takes the upload along.
    DropCancels, |_, _| Cancelling
}

struct Cancelling;

impl BrokenWriter for Cancelling {
    fn dropped(&mut self, inner: Writer) {
        drop(inner.cancel().now_or_never());
    }
}

writes_with! {
    /// 5.10: a commit that fails takes the upload along.
    FailedCommitLosesUpload, |driver, path| Losing { driver, path }
}

struct Losing {
    driver: Reference,
    path: Path,
}

#[async_trait]
impl BrokenWriter for Losing {
    async fn commit_to(
        self,
        inner: Writer,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        let result = inner.commit_to(dest, precondition).await;
        if result.is_err() {
            drop(self.driver.cancel_upload(&self.path).await);
        }
        result
    }
}

writes_with! {
    /// 5.11: a cancel deletes the committed file.
    CancelDeletesTheFile, |driver, path| Deleting { driver, path }
}

struct Deleting {
    driver: Reference,
    path: Path,
}

#[async_trait]
impl BrokenWriter for Deleting {
    async fn cancel(self, inner: Writer) -> Result<()> {
        inner.cancel().await?;
        drop(self.driver.delete(&self.path, Precondition::None).await);
        Ok(())
    }
}

writes_with! {
    /// 5.12: `commit_to` publishes at the writer's own path too.
    CommitsTwice, |driver, path| Twice { driver, path }
}

struct Twice {
    driver: Reference,
    path: Path,
}

#[async_trait]
impl BrokenWriter for Twice {
    async fn commit_to(
        self,
        inner: Writer,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        let file = inner.commit_to(dest, precondition).await?;
        drop(self.driver.copy(dest, &self.path, Precondition::None).await);
        Ok(file)
    }
}

broken! {
    /// 5.5: an append forgets what it started from, and commits onto anything.
    AppendLosesTheRace {
        async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
            let writer = self.0.writer(path, options.clone()).await?;
            let WriteMode::Append { .. } = options.mode else { return Ok(writer) };
            let content = self.0.get_bytes(path, u64::MAX).await?;
            let mut writer = self.0.create(path).await?;
            writer.write_bytes(content).await?;
            Ok(writer)
        }
    }
}

broken! {
    /// 5.7: a put cancels the upload at its path.
    PutCancelsTheUpload {
        async fn put_content(
            &self,
            path: &Path,
            content: Payload,
            precondition: Precondition,
        ) -> Result<Metadata> {
            let file = self.0.put_content(path, content, precondition).await?;
            drop(self.0.cancel_upload(path).await);
            Ok(file)
        }
    }
}

broken! {
    /// 5.16: old and young are cancelled alike.
    CancelsTheYoung {
        async fn cancel_uploads(&self, path: &Path, _: Duration) -> Result<u64> {
            let uploads = self.0.uploads(path, ListOptions::new()).await?.items;
            for upload in &uploads {
                self.0.cancel_upload(&upload.path).await?;
            }
            Ok(uploads.len() as u64)
        }
    }
}

/// Cancels the uploads of which `old` says so, at the time of the reference's clock.
async fn sweep(
    driver: &Reference,
    path: &Path,
    old: impl Fn(&UploadInfo, SystemTime) -> bool,
) -> Result<u64> {
    let probe = Path::parse("/clock").expect("a path");
    let now = driver.put(&probe, "").await?.modified;
    driver.delete(&probe, Precondition::None).await?;
    let uploads = driver.uploads(path, ListOptions::new()).await?.items;
    let mut cancelled = 0;
    for upload in uploads.iter().filter(|upload| old(upload, now)) {
        driver.cancel_upload(&upload.path).await?;
        cancelled += 1;
    }
    Ok(cancelled)
}

/// How long ago a time was.
fn age(time: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(time).unwrap_or_default()
}

broken! {
    /// 5.16: an upload that is exactly as old is left.
    TakesTheOlderAlone {
        async fn cancel_uploads(&self, path: &Path, older_than: Duration) -> Result<u64> {
            sweep(&self.0, path, |upload, now| age(upload.modified, now) > older_than).await
        }
    }
}

broken! {
    /// 5.16: the age of an upload counts from its start.
    JudgesByStart {
        async fn cancel_uploads(&self, path: &Path, older_than: Duration) -> Result<u64> {
            sweep(&self.0, path, |upload, now| age(upload.created, now) >= older_than).await
        }
    }
}

broken! {
    /// 5.16: an upload that was written to in the future is as old as it is young.
    TakesTheFuture {
        async fn cancel_uploads(&self, path: &Path, older_than: Duration) -> Result<u64> {
            let old = |upload: &UploadInfo, now| {
                age(upload.modified, now).max(age(now, upload.modified)) >= older_than
            };
            sweep(&self.0, path, old).await
        }
    }
}

broken! {
    /// 5.16: committed content under the path is swept too.
    CancelUploadsTakesFiles {
        async fn cancel_uploads(&self, path: &Path, older_than: Duration) -> Result<u64> {
            for upload in self.0.uploads(path, ListOptions::new()).await?.items {
                if older_than.is_zero() && self.0.exists(&upload.path).await? {
                    self.0.rename(&upload.path, &Path::parse("/trash")?, Precondition::None).await?;
                }
            }
            self.0.cancel_uploads(path, older_than).await
        }
    }
}

/// A broken driver about what is listed of uploads.
macro_rules! lists_uploads {
    ($(#[$doc:meta])* $name:ident, $lie:expr) => {
        broken! {
            $(#[$doc])*
            $name {
                async fn uploads(&self, path: &Path, options: ListOptions) -> Result<Page<UploadInfo>> {
                    let lie: fn(&Path, &ListOptions, Vec<UploadInfo>) -> Page<UploadInfo> = $lie;
                    let all = self.0.uploads(path, ListOptions::new().limit(usize::MAX)).await?;
                    Ok(lie(path, &options, all.items))
                }
            }
        }
    };
}

lists_uploads! {
    /// 5.16: the time of the last write is that of the start.
    NeverDatesAWrite, |path, options, mut uploads| {
        uploads.iter_mut().for_each(|upload| upload.modified = upload.created);
        Page::from_sorted(path, options, uploads)
    }
}

lists_uploads! {
    /// 5.16: the next page starts after the entry that did not fit, and so leaves it out.
    LosesTheEntryAtTheLimit, |path, options, uploads| {
        let after = uploads.clone();
        let mut page = Page::from_sorted(path, options, uploads);
        if let (Some(next), true) = (&mut page.next, options.limit > 0) {
            let lost = after.into_iter().find(|upload| upload.path > *next);
            *next = lost.expect("there is more").path;
        }
        page
    }
}

lists_uploads! {
    /// 5.16: a page that is full is the last.
    EndsAtTheLimit, |path, options, uploads| {
        Page::new(Page::from_sorted(path, options, uploads).items, None)
    }
}

lists_uploads! {
    /// 5.16: after a page that is full there is more.
    NeverEndsAtTheLimit, |path, options, uploads| {
        let mut page = Page::from_sorted(path, options, uploads);
        if page.items.len() == options.limit && page.next.is_none() {
            page.next = page.items.last().map(|upload| upload.path.clone());
        }
        page
    }
}

lists_uploads! {
    /// 5.16: where to start is looked at for the whole store alone.
    IgnoresStartBelow, |path, options, uploads| {
        let mut options = options.clone();
        options.start_after = options.start_after.filter(|_| path.is_root());
        Page::from_sorted(path, &options, uploads)
    }
}

writes_with! {
    /// 5.12: `commit_to` takes `IfVersion` for no condition.
    CommitToIgnoresIfVersion, |_, _| Unconditional { own_alone: false }
}

writes_with! {
    /// 5.12: `commit_to` to its own path is a commit, whatever the condition.
    OwnCommitIgnoresConditions, |_, _| Unconditional { own_alone: true }
}

struct Unconditional {
    own_alone: bool,
}

#[async_trait]
impl BrokenWriter for Unconditional {
    async fn commit_to(
        self,
        inner: Writer,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        match precondition {
            _ if dest == inner.path() => inner.commit().await,
            Precondition::IfVersion(_) if !self.own_alone => {
                inner.commit_to(dest, Precondition::None).await
            }
            other => inner.commit_to(dest, other).await,
        }
    }
}

writes_with! {
    /// 5.12: `commit_to` cancels uploads that are under the destination.
    CommitToTakesUploadsBelow, |driver, _| TakingBelow { driver }
}

struct TakingBelow {
    driver: Reference,
}

#[async_trait]
impl BrokenWriter for TakingBelow {
    async fn commit_to(
        self,
        inner: Writer,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        let file = HonestWriter.commit_to(inner, dest, precondition).await?;
        for upload in self.driver.uploads(dest, ListOptions::new()).await?.items {
            if upload.path != *dest {
                self.driver.cancel_upload(&upload.path).await?;
            }
        }
        Ok(file)
    }
}

/// The version of a file.
async fn version(driver: &Reference, path: &Path) -> Option<Version> {
    driver.stat(path).await.ok()?.into_file().ok().map(|file| file.version)
}

/// A broken driver about what an append started from.
#[derive(Debug, Default)]
pub(crate) struct CreateKeepsTheBase {
    honest: Reference,
    bases: Mutex<HashMap<Path, Version>>,
}

/// 5.3: a new upload remembers what the append before it started from.
#[async_trait]
impl Breakage for CreateKeepsTheBase {
    fn honest(&self) -> &Reference {
        &self.honest
    }

    async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
        let mode = options.mode;
        let base = version(&self.honest, path).await;
        let inner = self.honest.writer(path, options).await?;
        let mut bases = self.bases.lock().unwrap();
        if let (WriteMode::Append { .. }, Some(base)) = (&mode, base) {
            bases.insert(path.clone(), base);
        }
        Ok(match (mode, bases.get(path)) {
            (WriteMode::Create, Some(base)) => broken_writer(inner, Based { base: base.clone() }),
            _ => inner,
        })
    }
}

struct Based {
    base: Version,
}

#[async_trait]
impl BrokenWriter for Based {
    async fn commit_to(self, inner: Writer, dest: &Path, _: Precondition) -> Result<Metadata> {
        inner.commit_to(dest, Precondition::IfVersion(self.base)).await
    }
}

/// A broken driver whose appends are in the hands of that behaviour, made from the honest driver, the content that
/// was there and its version.
macro_rules! appends_with {
    ($(#[$doc:meta])* $name:ident, $behaviour:expr) => {
        broken! {
            $(#[$doc])*
            $name {
                async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
                    let WriteMode::Append { .. } = options.mode else {
                        return self.0.writer(path, options).await;
                    };
                    let behaviour: fn(Reference, Content) -> _ = $behaviour;
                    let inner = self.0.writer(path, options).await?;
                    let content = self.0.get_content(path, u64::MAX).await?;
                    Ok(broken_writer(inner, behaviour(self.0.clone(), content)))
                }
            }
        }
    };
}

appends_with! {
    /// 5.5: an append commits onto the same content, whatever became of its version.
    AppendChecksContent, |driver, content| OntoEqual { driver, content: content.into_bytes() }
}

struct OntoEqual {
    driver: Reference,
    content: Bytes,
}

#[async_trait]
impl BrokenWriter for OntoEqual {
    async fn commit_to(
        self,
        inner: Writer,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        match self.driver.get_bytes(dest, u64::MAX).await {
            Ok(content) if dest == inner.path() && content == self.content => {
                // To another path, what it started from is not looked at.
                let aside = Path::parse("/aside")?;
                inner.commit_to(&aside, Precondition::None).await?;
                self.driver.rename(&aside, dest, precondition).await
            }
            _ => HonestWriter.commit_to(inner, dest, precondition).await,
        }
    }
}

/// 5.5: an append is lost once its file was renamed, also if it came back.
#[derive(Debug, Default)]
pub(crate) struct AppendChecksThePathAlone {
    honest: Reference,
    renamed: Arc<Mutex<HashSet<Path>>>,
}

#[async_trait]
impl Breakage for AppendChecksThePathAlone {
    fn honest(&self) -> &Reference {
        &self.honest
    }

    async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
        let inner = self.honest.writer(path, options).await?;
        self.renamed.lock().unwrap().remove(path);
        Ok(broken_writer(inner, LosesRenamed { renamed: Arc::clone(&self.renamed) }))
    }

    async fn rename(&self, from: &Path, to: &Path, precondition: Precondition) -> Result<Metadata> {
        self.renamed.lock().unwrap().insert(from.clone());
        self.honest.rename(from, to, precondition).await
    }
}

struct LosesRenamed {
    renamed: Arc<Mutex<HashSet<Path>>>,
}

#[async_trait]
impl BrokenWriter for LosesRenamed {
    async fn commit_to(
        self,
        inner: Writer,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        if dest == inner.path() && self.renamed.lock().unwrap().contains(dest) {
            return Err(ErrorKind::PreconditionFailed.into());
        }
        HonestWriter.commit_to(inner, dest, precondition).await
    }
}

appends_with! {
    /// 5.5: an append of nothing leaves the file as it is, its version too.
    AppendOfNothingIsNothing, |_, content| OfNothing { file: content.metadata().clone() }
}

struct OfNothing {
    file: Metadata,
}

#[async_trait]
impl BrokenWriter for OfNothing {
    async fn commit_to(
        self,
        inner: Writer,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        if dest == inner.path() && inner.size() == self.file.size {
            inner.cancel().await?;
            return Ok(self.file);
        }
        HonestWriter.commit_to(inner, dest, precondition).await
    }
}

writes_with! {
    /// 5.9: `keeps_on_drop` is claimed, and what was not synced waits in the writer.
    DropForgetsWhatFollowedASync, |_, _| SyncsAlone { waiting: Vec::new() }
}

struct SyncsAlone {
    waiting: Vec<u8>,
}

#[async_trait]
impl BrokenWriter for SyncsAlone {
    fn write(&mut self, _: &mut Writer, data: Bytes) -> Result<()> {
        self.waiting.extend_from_slice(&data);
        Ok(())
    }

    fn sync(&mut self, inner: &mut Writer) -> Result<()> {
        pass(inner, std::mem::take(&mut self.waiting).into())?;
        HonestWriter.sync(inner)
    }

    async fn commit_to(
        mut self,
        mut inner: Writer,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        self.sync(&mut inner)?;
        HonestWriter.commit_to(inner, dest, precondition).await
    }
}

writes_with! {
    /// 5.17: a note is not kept.
    ForgetsNotes, |_, _| Forgetting
}

struct Forgetting;

impl BrokenWriter for Forgetting {
    fn note(&mut self, _: &mut Writer, _: Bytes) -> Result<()> {
        Ok(())
    }
}

writes_with! {
    /// 5.17: a note is kept at once, its data when the writer is synced.
    NotesRunAhead, |_, _| RunningAhead(Vec::new())
}

struct RunningAhead(Vec<u8>);

#[async_trait]
impl BrokenWriter for RunningAhead {
    fn write(&mut self, _: &mut Writer, data: Bytes) -> Result<()> {
        self.0.extend_from_slice(&data);
        Ok(())
    }

    fn sync(&mut self, inner: &mut Writer) -> Result<()> {
        pass(inner, std::mem::take(&mut self.0).into())
    }

    async fn commit_to(
        mut self,
        mut inner: Writer,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        self.sync(&mut inner)?;
        inner.commit_to(dest, precondition).await
    }
}

broken! {
    /// 5.16: `upload` resumes the upload to find out its size.
    UploadFences {
        async fn upload(&self, path: &Path) -> Result<Option<UploadInfo>> {
            drop(self.0.resume(path).await);
            self.0.upload(path).await
        }
    }
}

broken! {
    /// 5.16: `upload` reports what is below the path.
    UploadLooksBelow {
        async fn upload(&self, path: &Path) -> Result<Option<UploadInfo>> {
            path.require_not_root()?;
            let page = self.0.uploads(path, ListOptions::new().limit(1)).await?;
            Ok(page.items.into_iter().next())
        }
    }
}

broken! {
    /// 5.17: `Create` keeps the note of the upload that it discards.
    CreateKeepsTheNote {
        async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
            let note = self.0.upload(path).await.ok().flatten().and_then(|upload| upload.note);
            let create = options.mode == WriteMode::Create;
            let mut writer = self.0.writer(path, options).await?;
            if let Some(note) = note.filter(|_| create) {
                writer.set_note(note)?;
            }
            Ok(writer)
        }
    }
}
