//! What broken drivers are made of: a driver that is the [`Reference`] but for the methods that a [`Breakage`]
//! replaces, and a writer that is the one inside but for what a [`BrokenWriter`] does otherwise.

use std::{
    fmt::Debug,
    task::{Context, Poll},
};

pub(crate) use std::time::Duration;

pub(crate) use async_trait::async_trait;
pub(crate) use bytes::Bytes;
use futures::FutureExt;
pub(crate) use storage_driver::{
    Capabilities, Content, Entry, Error, ErrorKind, Health, ListOptions, Metadata, Page, Path,
    Payload, Precondition, ReadRange, Reader, RedirectMethod, Result, Stat, StorageDriver,
    StorageDriverExt, UploadInfo, Walk, WalkOptions, WalkSource, WriteMode, WriteSession, Writer,
    WriterOptions,
};
pub(crate) use storage_driver_conformance::reference::Reference;

/// One listing of the methods makes both the trait of lies, whose defaults are honest, and the
/// driver that tells them.
macro_rules! methods {
    ($(async fn $name:ident(&self $(, $arg:ident: $type:ty)*) -> $answer:ty;)*) => {
        /// A driver that is honest but for the methods that it overrides.
        #[async_trait]
        pub(crate) trait Breakage: Debug + Default + Send + Sync + 'static {
            fn honest(&self) -> &Reference;

            $(async fn $name(&self $(, $arg: $type)*) -> $answer {
                self.honest().$name($($arg),*).await
            })*

            fn walk<'a>(&'a self, path: &Path, options: WalkOptions) -> Walk<'a> {
                self.honest().walk(path, options)
            }
        }

        #[deny(clippy::missing_trait_methods)]
        #[async_trait]
        impl<L: Breakage> StorageDriver for Broken<L> {
            fn name(&self) -> &'static str {
                self.0.honest().name()
            }

            fn capabilities(&self) -> Capabilities {
                self.0.honest().capabilities()
            }

            $(async fn $name(&self $(, $arg: $type)*) -> $answer {
                self.0.$name($($arg),*).await
            })*

            fn walk<'a>(&'a self, path: &Path, options: WalkOptions) -> Walk<'a> {
                self.0.walk(path, options)
            }
        }
    };
}

/// The driver that tells a lie.
#[derive(Debug, Default)]
pub(crate) struct Broken<L>(pub(crate) L);

methods! {
    async fn get_content(&self, path: &Path, limit: u64) -> Result<Content>;
    async fn get_range(&self, path: &Path, range: ReadRange, limit: u64) -> Result<Content>;
    async fn put_content(
        &self, path: &Path, content: Payload, precondition: Precondition
    ) -> Result<Metadata>;
    async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader>;
    async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer>;
    async fn stat(&self, path: &Path) -> Result<Stat>;
    async fn list(&self, path: &Path, options: ListOptions) -> Result<Page<Entry>>;
    async fn uploads(&self, path: &Path, options: ListOptions) -> Result<Page<UploadInfo>>;
    async fn upload(&self, path: &Path) -> Result<Option<UploadInfo>>;
    async fn cancel_upload(&self, path: &Path) -> Result<()>;
    async fn cancel_uploads(&self, path: &Path, older_than: Duration) -> Result<u64>;
    async fn delete(&self, path: &Path, precondition: Precondition) -> Result<()>;
    async fn delete_dir(&self, path: &Path) -> Result<()>;
    async fn delete_many(&self, paths: &[Path]) -> Result<()>;
    async fn rename(&self, from: &Path, to: &Path, precondition: Precondition) -> Result<Metadata>;
    async fn rename_dir(&self, from: &Path, to: &Path) -> Result<()>;
    async fn copy(&self, from: &Path, to: &Path, precondition: Precondition) -> Result<Metadata>;
    async fn touch(&self, path: &Path, precondition: Precondition) -> Result<Metadata>;
    async fn redirect_url(
        &self, path: &Path, method: RedirectMethod, expires_in: Duration
    ) -> Result<Option<String>>;
    async fn health(&self) -> Health;
    async fn shutdown(&self) -> Result<()>;
}

/// A broken driver: its name, and the methods of [`Breakage`] that are not honest.
macro_rules! broken {
    ($(#[$doc:meta])* $name:ident { $($methods:tt)* }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(crate) struct $name(Reference);

        #[async_trait]
        impl Breakage for $name {
            fn honest(&self) -> &Reference {
                &self.0
            }

            $($methods)*
        }
    };
}

pub(crate) use broken;

/// What a writer does otherwise than the one inside, which is of the [`Reference`].
#[async_trait]
pub(crate) trait BrokenWriter: Send + Sized + 'static {
    fn write(&mut self, inner: &mut Writer, data: Bytes) -> Result<()> {
        pass(inner, data)
    }

    fn note(&mut self, inner: &mut Writer, note: Bytes) -> Result<()> {
        inner.set_note(note)
    }

    fn sync(&mut self, inner: &mut Writer) -> Result<()> {
        inner.sync().now_or_never().expect("the reference does not wait")
    }

    async fn commit_to(
        self,
        inner: Writer,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        if dest == inner.path() && precondition.is_none() {
            inner.commit().await
        } else {
            inner.commit_to(dest, precondition).await
        }
    }

    async fn cancel(self, inner: Writer) -> Result<()> {
        inner.cancel().await
    }

    /// What happens when the writer is dropped.
    fn dropped(&mut self, inner: Writer) {
        drop(inner);
    }
}

/// Writes as the reference does.
pub(crate) fn pass(inner: &mut Writer, data: Bytes) -> Result<()> {
    inner.write_bytes(data).now_or_never().expect("the reference does not wait")
}

/// `inner`, in the hands of `behaviour`.
pub(crate) fn broken_writer(inner: Writer, behaviour: impl BrokenWriter) -> Writer {
    let size = inner.size();
    broken_writer_at(size, inner, behaviour)
}

/// As [`broken_writer`], but it says that it stands at `size` bytes.
pub(crate) fn broken_writer_at(size: u64, inner: Writer, behaviour: impl BrokenWriter) -> Writer {
    let (path, note) = (inner.path().clone(), inner.note().clone());
    Writer::new("reference", path, size, Session { held: Some((inner, behaviour)) }).with_note(note)
}

struct Session<P: BrokenWriter> {
    /// `None` once it was consumed.
    held: Option<(Writer, P)>,
}

impl<P: BrokenWriter> Session<P> {
    fn held(&mut self) -> (&mut Writer, &mut P) {
        let (inner, behaviour) = self.held.as_mut().expect("it was not consumed");
        (inner, behaviour)
    }
}

#[async_trait]
impl<P: BrokenWriter> WriteSession for Session<P> {
    fn start_write(&mut self, data: Bytes) -> Result<()> {
        let (inner, behaviour) = self.held();
        behaviour.write(inner, data)
    }

    fn set_note(&mut self, note: Bytes) -> Result<()> {
        let (inner, behaviour) = self.held();
        behaviour.note(inner, note)
    }

    fn poll_sync(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        let (inner, behaviour) = self.held();
        Poll::Ready(behaviour.sync(inner))
    }

    async fn commit_to(
        mut self: Box<Self>,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        let (inner, behaviour) = self.held.take().expect("it was not consumed");
        behaviour.commit_to(inner, dest, precondition).await
    }

    async fn cancel(mut self: Box<Self>) -> Result<()> {
        let (inner, behaviour) = self.held.take().expect("it was not consumed");
        behaviour.cancel(inner).await
    }
}

impl<P: BrokenWriter> Drop for Session<P> {
    fn drop(&mut self) {
        if let Some((inner, mut behaviour)) = self.held.take() {
            behaviour.dropped(inner);
        }
    }
}

broken! {
    /// 9.3: a call blocks its thread, for ever.
    BlocksItsThread {
        async fn put_content(&self, _: &Path, _: Payload, _: Precondition) -> Result<Metadata> {
            loop {
                std::thread::park();
            }
        }
    }
}

broken! {
    /// Tells the truth, so that a behaviour which fails on a broken driver fails because of the lie.
    Honest {
        async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
            Ok(broken_writer(self.0.writer(path, options).await?, HonestWriter))
        }
    }
}

pub(crate) struct HonestWriter;

impl BrokenWriter for HonestWriter {}
