//! [`BrokenWriter`]: what a writer does otherwise than the writer of the [`Reference`] inside it.
//!
//! [`Reference`]: super::breakage::Reference

use std::task::{Context, Poll};

use futures::FutureExt;

use super::breakage::*;

/// A writer that is wrong in the methods that it overrides.
pub(super) trait BrokenWriter: Send + Sized + 'static {
    fn write(&mut self, inner: &mut Writer, data: Bytes) -> Result<()> {
        write(inner, data)
    }

    fn note(&mut self, inner: &mut Writer, note: Bytes) -> Result<()> {
        inner.set_note(note)
    }

    fn sync(&mut self, inner: &mut Writer) -> Result<()> {
        sync(inner)
    }

    fn commit(self, commit: Commit<'_>) -> impl Future<Output = Result<Metadata>> + Send {
        commit.run()
    }

    fn cancel(self, inner: Writer) -> impl Future<Output = Result<()>> + Send {
        inner.cancel()
    }

    /// The writer is dropped.
    fn dropped(&mut self, inner: Writer) {
        drop(inner);
    }
}

/// A commit as the caller asks for it.
pub(super) struct Commit<'a> {
    pub(super) inner: Writer,
    pub(super) dest: &'a Path,
    pub(super) precondition: Precondition,
}

impl Commit<'_> {
    /// Commits as the reference does.
    pub(super) async fn run(self) -> Result<Metadata> {
        let Self { inner, dest, precondition } = self;
        if dest == inner.path() && precondition.is_none() {
            inner.commit().await
        } else {
            inner.commit_to(dest, precondition).await
        }
    }

    pub(super) fn is_to_own_path(&self) -> bool {
        self.dest == self.inner.path()
    }
}

/// Writes as the reference does.
pub(super) fn write(inner: &mut Writer, data: Bytes) -> Result<()> {
    inner.write_bytes(data).now_or_never().expect("the reference does not wait")
}

/// Syncs as the reference does.
pub(super) fn sync(inner: &mut Writer) -> Result<()> {
    inner.sync().now_or_never().expect("the reference does not wait")
}

/// `inner`, used by `behaviour`.
pub(super) fn broken_writer(inner: Writer, behaviour: impl BrokenWriter) -> Writer {
    let size = inner.size();
    broken_writer_at(size, inner, behaviour)
}

/// As [`broken_writer`], but its size is said to be `size` bytes.
pub(super) fn broken_writer_at(size: u64, inner: Writer, behaviour: impl BrokenWriter) -> Writer {
    let (path, note) = (inner.path().clone(), inner.note().clone());
    Writer::new("reference", path, size, Session { held: Some((inner, behaviour)) }).with_note(note)
}

/// A broken driver whose writers are of one [`BrokenWriter`], made from the reference and the path.
macro_rules! writes_with {
    ($(#[$doc:meta])* $name:ident, $behaviour:expr) => {
        broken! {
            $(#[$doc])*
            $name {
                fn wrap_writer(&self, inner: Writer) -> Writer {
                    let behaviour: fn(Reference, Path) -> _ = $behaviour;
                    let behaviour = behaviour(self.inner.clone(), inner.path().clone());
                    broken_writer(inner, behaviour)
                }
            }
        }
    };
}

pub(super) use writes_with;

/// A writer that does all as the reference does.
pub(super) struct SoundWriter;

impl BrokenWriter for SoundWriter {}

struct Session<W: BrokenWriter> {
    /// `None` once it was consumed.
    held: Option<(Writer, W)>,
}

impl<W: BrokenWriter> Session<W> {
    fn held(&mut self) -> (&mut Writer, &mut W) {
        let (inner, behaviour) = self.held.as_mut().expect("it was not consumed");
        (inner, behaviour)
    }

    fn take(&mut self) -> (Writer, W) {
        self.held.take().expect("it was not consumed")
    }
}

#[async_trait]
impl<W: BrokenWriter> WriteSession for Session<W> {
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
        let (inner, behaviour) = self.take();
        behaviour.commit(Commit { inner, dest, precondition }).await
    }

    async fn cancel(mut self: Box<Self>) -> Result<()> {
        let (inner, behaviour) = self.take();
        behaviour.cancel(inner).await
    }
}

impl<W: BrokenWriter> Drop for Session<W> {
    fn drop(&mut self) {
        if let Some((inner, mut behaviour)) = self.held.take() {
            behaviour.dropped(inner);
        }
    }
}
