//! `Recorder`: a driver that writes every method and notes down each call.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use storage_driver::{
    Capabilities, Content, Entry, Error, ErrorKind, Health, ListOptions, Metadata, Page, Path,
    Payload, Precondition, ReadRange, Reader, RedirectMethod, Result, Stat, StorageDriver,
    SweepOptions, SweepReport, UploadInfo, Walk, WalkOptions, WalkSource, Writer, WriterOptions,
};

#[derive(Debug, Clone, Default)]
pub(crate) struct Recorder(Arc<Mutex<Vec<String>>>);

impl Recorder {
    /// The calls so far, which are forgotten.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    fn note(&self, method: &str, arguments: impl Debug) {
        self.0.lock().unwrap().push(format!("{method} {arguments:?}"));
    }

    fn refuse<T>(&self, method: &str, arguments: impl Debug) -> Result<T> {
        self.note(method, arguments);
        Err(Error::new(ErrorKind::PermissionDenied))
    }
}

struct Nothing;

impl WalkSource for Nothing {
    fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Entry>>> {
        Poll::Ready(None)
    }

    fn skip_dir(&mut self) {}
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl StorageDriver for Recorder {
    fn name(&self) -> &'static str {
        self.note("name", ());
        "recorder"
    }

    fn capabilities(&self) -> Capabilities {
        self.note("capabilities", ());
        Capabilities { max_path_bytes: 77, ..Capabilities::none() }
    }

    async fn get_content(&self, path: &Path, limit: u64) -> Result<Content> {
        self.refuse("get_content", (path, limit))
    }

    async fn get_range(&self, path: &Path, range: ReadRange, limit: u64) -> Result<Content> {
        self.refuse("get_range", (path, range, limit))
    }

    async fn put_content(
        &self,
        path: &Path,
        content: Payload,
        precondition: Precondition,
    ) -> Result<Metadata> {
        self.refuse("put_content", (path, content, precondition))
    }

    async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader> {
        self.refuse("reader", (path, range))
    }

    async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
        self.refuse("writer", (path, options))
    }

    async fn create_upload(&self, path: &Path) -> Result<()> {
        self.refuse("create_upload", path)
    }

    async fn file(&self, path: &Path) -> Result<Option<Metadata>> {
        self.refuse("file", path)
    }

    async fn stat(&self, path: &Path) -> Result<Stat> {
        self.refuse("stat", path)
    }

    async fn list(&self, path: &Path, options: ListOptions) -> Result<Page<Entry>> {
        self.refuse("list", (path, options))
    }

    fn walk<'a>(&'a self, path: &Path, options: WalkOptions) -> Walk<'a> {
        self.note("walk", (path, options));
        Walk::new("recorder", path.clone(), Nothing)
    }

    async fn uploads(&self, path: &Path, options: ListOptions) -> Result<Page<UploadInfo>> {
        self.refuse("uploads", (path, options))
    }

    async fn upload(&self, path: &Path) -> Result<Option<UploadInfo>> {
        self.refuse("upload", path)
    }

    async fn cancel_upload(&self, path: &Path) -> Result<()> {
        self.refuse("cancel_upload", path)
    }

    async fn cancel_uploads(&self, path: &Path, older_than: Duration) -> Result<u64> {
        self.refuse("cancel_uploads", (path, older_than))
    }

    async fn delete(&self, path: &Path, precondition: Precondition) -> Result<()> {
        self.refuse("delete", (path, precondition))
    }

    async fn delete_dir(&self, path: &Path) -> Result<()> {
        self.refuse("delete_dir", path)
    }

    async fn delete_many(&self, paths: &[Path]) -> Result<()> {
        self.refuse("delete_many", paths)
    }

    async fn rename(&self, from: &Path, to: &Path, precondition: Precondition) -> Result<Metadata> {
        self.refuse("rename", (from, to, precondition))
    }

    async fn rename_dir(&self, from: &Path, to: &Path) -> Result<()> {
        self.refuse("rename_dir", (from, to))
    }

    async fn copy(&self, from: &Path, to: &Path, precondition: Precondition) -> Result<Metadata> {
        self.refuse("copy", (from, to, precondition))
    }

    async fn touch(&self, path: &Path, precondition: Precondition) -> Result<Metadata> {
        self.refuse("touch", (path, precondition))
    }

    async fn redirect_url(
        &self,
        path: &Path,
        method: RedirectMethod,
        expires_in: Duration,
    ) -> Result<Option<String>> {
        self.refuse("redirect_url", (path, method, expires_in))
    }

    async fn sweep(&self, options: SweepOptions) -> Result<SweepReport> {
        self.refuse("sweep", options)
    }

    async fn health(&self) -> Health {
        self.note("health", ());
        Health::ok()
    }

    async fn shutdown(&self) -> Result<()> {
        self.refuse("shutdown", ())
    }
}
