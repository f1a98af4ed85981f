//! [`Waste`]: what was taken out of a store and is yet to be freed.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;

use crate::{
    blob::Blob,
    draft::Draft,
    file::File,
    map::Drain,
    rope::{self, Rope},
    tree::{Dir, Removed},
};

/// What was taken out of a store, to be freed when no lock is held, and a little at a time: a
/// directory of a million files, or a blob of gigabytes, would keep its thread from all others for
/// a second.
///
/// Dropped, it frees what is left at once.
#[must_use = "it may be large: free it, outside of the lock"]
#[derive(Debug, Default)]
pub(crate) struct Waste {
    /// What to go on with, the last one first.
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Dirs(Drain<triomphe::Arc<Dir>>),
    Files(Drain<File>),
    File(File),
    Blob(Arc<Blob>),
    Segments(rope::Drain),
}

/// How much is freed before other tasks get a turn, in steps of about a tenth of a microsecond: half
/// a millisecond.
const STEPS: usize = 1 << 12;
/// As many bytes of a segment cost a step: the system takes pages back one by one.
const BYTES_A_STEP: usize = 1 << 10;

impl Waste {
    /// Frees all of it, with turns for other tasks in between.
    pub(crate) async fn free(mut self) {
        if !self.parts.is_empty() {
            poll_fn(|cx| self.poll_free(cx)).await;
        }
    }

    fn poll_free(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut steps = 0;
        while steps < STEPS {
            match self.step() {
                Some(cost) => steps += cost,
                None => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Frees something; says at what cost, or that there is nothing left.
    fn step(&mut self) -> Option<usize> {
        match self.parts.pop()? {
            Part::Dirs(mut dirs) => {
                let Some(dir) = dirs.next() else { return Some(1) };
                self.parts.push(Part::Dirs(dirs));
                if let Some(mut dir) = triomphe::Arc::into_unique(dir) {
                    let (dirs, files) = dir.drain();
                    self.parts.extend([Part::Dirs(dirs), Part::Files(files)]);
                }
                Some(4)
            }
            Part::Files(mut files) => {
                let Some(file) = files.next() else { return Some(1) };
                self.parts.push(Part::Files(files));
                self.add_file(file);
                Some(4)
            }
            Part::File(file) => {
                self.add_file(file);
                Some(4)
            }
            Part::Blob(blob) => {
                if let Some(mut blob) = Arc::into_inner(blob) {
                    let (rope, base) = blob.take();
                    self.parts.extend(base.map(Part::Blob));
                    self.add_rope(rope);
                }
                Some(4)
            }
            Part::Segments(mut segments) => {
                let Some(segment) = segments.next() else { return Some(1) };
                self.parts.push(Part::Segments(segments));
                Some(cost(&segment))
            }
        }
    }

    /// A small file goes at once.
    fn add_file(&mut self, file: File) {
        self.parts.extend(file.into_blob().map(Part::Blob));
    }

    fn add_rope(&mut self, rope: Rope) {
        if !rope.is_empty() {
            self.parts.push(Part::Segments(rope.drain()));
        }
    }

    pub(crate) fn add(&mut self, removed: Removed) {
        let Removed { file, dir } = removed;
        self.parts.extend(file.filter(File::is_large).map(Part::File));
        if let Some(mut dir) = dir.and_then(triomphe::Arc::into_unique) {
            let (dirs, files) = dir.drain();
            self.parts.extend([Part::Dirs(dirs), Part::Files(files)]);
        }
    }

    pub(crate) fn add_draft(&mut self, mut draft: Draft) {
        self.add_rope(draft.take_rope());
    }
}

impl From<Removed> for Waste {
    fn from(removed: Removed) -> Self {
        let mut waste = Self::default();
        waste.add(removed);
        waste
    }
}

fn cost(segment: &Bytes) -> usize {
    1 + segment.len() / BYTES_A_STEP
}

#[cfg(test)]
mod tests;
