//! [`Side`]: a driver with its open readers and writers, and the result of an operation on it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{StreamExt, future::try_join};
use storage_driver::{
    Entry, ListOptions, Metadata, Page, Path, Precondition, ReadRange, Reader, Result, Stat,
    StorageDriver, UploadInfo, WalkOptions, WriteMode, Writer, WriterOptions,
};
use tokio::io::AsyncReadExt;

use super::op::{Mode, Op, READERS, WRITERS};
use crate::check::path;

/// More pages than a listing of the sequences' few paths can have.
const MOST_PAGES: usize = 100;

/// One of the two drivers that are compared.
pub(super) struct Side {
    pub(super) driver: Arc<dyn StorageDriver>,
    pub(super) writers: [Option<Writer>; WRITERS],
    pub(super) readers: [Option<Reader>; READERS],
}

/// An operation with everything filled in that depends on the state of the store, except versions.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) op: Op,
    pub(super) data: Bytes,
    pub(super) range: ReadRange,
    pub(super) offset: Option<u64>,
}

/// What an operation returned.
#[derive(Debug)]
pub(super) enum Output {
    Nothing,
    File(Metadata),
    Content(Metadata, Bytes),
    Opened { metadata: Metadata, range: std::ops::Range<u64>, remaining: u64 },
    Read { bytes: Bytes, remaining: u64 },
    Size(u64),
    Stat(Stat),
    Pages(Vec<Vec<Entry>>),
    Walked(Vec<Entry>),
    Uploads(Vec<Vec<UploadInfo>>),
    Cancelled(u64),
    Upload(Option<UploadInfo>),
}

impl Side {
    pub(super) fn new(driver: Arc<dyn StorageDriver>) -> Self {
        Self { driver, writers: Default::default(), readers: Default::default() }
    }

    /// Performs one operation; none if its writer or reader is not open.
    pub(super) async fn perform(&mut self, step: &Step, condition: Precondition) -> Result<Output> {
        let driver = &self.driver;
        match step.op {
            Op::Put { at, .. } => {
                let content = step.data.clone().into();
                driver.put_content(&path(at), content, condition).await.map(Output::File)
            }
            Op::Get { at, limit } => {
                let content = driver.get_content(&path(at), limit).await?;
                Ok(Output::Content(content.metadata().clone(), content.into_bytes()))
            }
            Op::GetRange { at, .. } => {
                let content = driver.get_range(&path(at), step.range.clone(), u64::MAX).await?;
                Ok(Output::Content(content.metadata().clone(), content.into_bytes()))
            }
            Op::Open { reader: slot, at, .. } => {
                self.readers[slot] = None;
                let reader = driver.reader(&path(at), step.range.clone()).await?;
                let (metadata, range) = (reader.metadata().clone(), reader.range());
                let remaining = reader.remaining();
                self.readers[slot] = Some(reader);
                Ok(Output::Opened { metadata, range, remaining })
            }
            Op::Read { reader, length } => self.read(reader, length).await,
            Op::DropReader { reader } => {
                self.readers[reader] = None;
                Ok(Output::Nothing)
            }
            Op::Writer { writer: slot, at, mode } => {
                let at_offset = step.offset;
                let options = WriterOptions::new(match mode {
                    Mode::Create => WriteMode::Create,
                    Mode::Resume(_) => WriteMode::Resume { at: at_offset },
                    Mode::Append(_) => WriteMode::Append { at: at_offset },
                });
                let writer = driver.writer(&path(at), options).await?;
                let size = writer.size();
                self.writers[slot] = Some(writer);
                Ok(Output::Size(size))
            }
            Op::Write { writer, .. } => match &mut self.writers[writer] {
                Some(writer) => {
                    writer.write_bytes(step.data.clone()).await?;
                    Ok(Output::Size(writer.size()))
                }
                None => Ok(Output::Nothing),
            },
            Op::Sync { writer } => match &mut self.writers[writer] {
                Some(writer) => writer.sync().await.map(|()| Output::Size(writer.size())),
                None => Ok(Output::Nothing),
            },
            Op::Close { writer } => match self.writers[writer].take() {
                Some(writer) => writer.suspend().await.map(|()| Output::Nothing),
                None => Ok(Output::Nothing),
            },
            Op::DropWriter { writer } => {
                self.writers[writer] = None;
                Ok(Output::Nothing)
            }
            Op::Commit { writer } => match self.writers[writer].take() {
                Some(writer) => writer.commit().await.map(Output::File),
                None => Ok(Output::Nothing),
            },
            Op::CommitTo { writer, dest, .. } => match self.writers[writer].take() {
                Some(writer) => writer.commit_to(&path(dest), condition).await.map(Output::File),
                None => Ok(Output::Nothing),
            },
            Op::Cancel { writer } => match self.writers[writer].take() {
                Some(writer) => writer.cancel().await.map(|()| Output::Nothing),
                None => Ok(Output::Nothing),
            },
            Op::Stat { at } => driver.stat(&path(at)).await.map(Output::Stat),
            Op::List { at, start_after, limit } => {
                let of = path(at);
                let list = |options| driver.list(&of, options);
                pages(list, start_after, limit).await.map(Output::Pages)
            }
            Op::Walk { at, start_after, skip } => {
                walk(&**driver, &path(at), start_after, skip).await.map(Output::Walked)
            }
            Op::Uploads { at, start_after, limit } => {
                let of = path(at);
                let uploads = |options| driver.uploads(&of, options);
                pages(uploads, start_after, limit).await.map(Output::Uploads)
            }
            Op::CancelUpload { at } => {
                driver.cancel_upload(&path(at)).await.map(|()| Output::Nothing)
            }
            Op::CancelUploads { at, old } => {
                let older_than = if old { Duration::from_secs(1 << 20) } else { Duration::ZERO };
                driver.cancel_uploads(&path(at), older_than).await.map(Output::Cancelled)
            }
            Op::Delete { at, .. } => {
                driver.delete(&path(at), condition).await.map(|()| Output::Nothing)
            }
            Op::DeleteMany { ref paths } => {
                let paths: Vec<Path> = paths.iter().map(|at| path(at)).collect();
                driver.delete_many(&paths).await.map(|()| Output::Nothing)
            }
            Op::Rename { from, to, .. } => {
                driver.rename(&path(from), &path(to), condition).await.map(Output::File)
            }
            Op::RenameDir { from, to } => {
                driver.rename_dir(&path(from), &path(to)).await.map(|()| Output::Nothing)
            }
            Op::Copy { from, to, .. } => {
                driver.copy(&path(from), &path(to), condition).await.map(Output::File)
            }
            Op::Touch { at, .. } => driver.touch(&path(at), condition).await.map(Output::File),
            Op::DeleteDir { at } => driver.delete_dir(&path(at)).await.map(|()| Output::Nothing),
            Op::SetNote { writer, .. } => match &mut self.writers[writer] {
                Some(writer) => writer.set_note(step.data.clone()).map(|()| Output::Nothing),
                None => Ok(Output::Nothing),
            },
            Op::Upload { at } => driver.upload(&path(at)).await.map(Output::Upload),
        }
    }

    async fn read(&mut self, slot: usize, length: u64) -> Result<Output> {
        let Some(reader) = &mut self.readers[slot] else { return Ok(Output::Nothing) };
        let mut bytes = vec![0; length.min(reader.remaining()) as usize];
        reader.read_exact(&mut bytes).await?;
        Ok(Output::Read { bytes: bytes.into(), remaining: reader.remaining() })
    }
}

/// All pages of a listing.
async fn pages<T, F>(
    list: impl Fn(ListOptions) -> F,
    start_after: Option<&str>,
    limit: usize,
) -> Result<Vec<Vec<T>>>
where
    F: Future<Output = Result<Page<T>>>,
{
    let mut options = ListOptions::new().limit(limit);
    options.start_after = start_after.map(path);
    let mut pages = Vec::new();
    loop {
        let page = list(options.clone()).await?;
        pages.push(page.items);
        match page.next {
            // Pages of limit 0 never end.
            Some(_) if limit == 0 => pages.push(Vec::new()),
            Some(next) if pages.len() < MOST_PAGES => {
                options.start_after = Some(next);
                continue;
            }
            _ => {}
        }
        return Ok(pages);
    }
}

async fn walk(
    driver: &dyn StorageDriver,
    of: &Path,
    start_after: Option<&str>,
    skip: Option<&str>,
) -> Result<Vec<Entry>> {
    let mut options = WalkOptions::new();
    options.start_after = start_after.map(path);
    let mut walk = driver.walk(of, options);
    let mut entries = Vec::new();
    while let Some(entry) = walk.next().await.transpose()? {
        if entry.is_dir() && Some(entry.path().as_str()) == skip {
            walk.skip_dir();
        }
        entries.push(entry);
    }
    Ok(entries)
}

/// Every entry, in order, and every upload.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) entries: Vec<Entry>,
    pub(super) uploads: Vec<UploadInfo>,
}

impl Contents {
    /// Reads the contents of a store, with overlapping calls.
    pub(super) async fn of(driver: &dyn StorageDriver) -> Result<Self> {
        let root = Path::root();
        let uploads = pages(|options| driver.uploads(&root, options), None, 1000);
        let (mut entries, uploads) = try_join(walk(driver, &root, None, None), uploads).await?;
        entries.sort_by(|a, b| a.path().cmp(b.path()));
        Ok(Self { entries, uploads: uploads.concat() })
    }
}
