//! [`Waste`]: what was taken out of a store and is yet to be freed, and [`Garbage`], where it waits
//! if its operation is dropped.

use std::{
    future::poll_fn,
    mem,
    sync::Arc,
    task::{Context, Poll},
    vec,
};

use storage_driver::Path;

use crate::{
    blob::Blob,
    draft::Draft,
    file::File,
    map::Drain,
    rope::{Pieces, Rope},
    sync::{AtomicBool, Mutex, Ordering::Relaxed, lock},
    tree::{Dir, Directory, Removed},
    upload::Upload,
    uploads::{Entry, Taken, Uploads},
    work::{self, BYTES_A_STEP, STEPS},
};

/// What was taken out of a store, to be freed when no lock is held, and a little at a time: a
/// directory of a million files, or a blob of gigabytes, would keep its thread from all others for
/// a second.
///
/// Dropped, it frees what is left at once: give it to [`Garbage`] instead.
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
    Segments(Pieces),
    /// Uploads whose content goes, whoever holds them.
    Upload(Arc<Upload>),
    Uploads(Drain<Entry>),
    /// A table that is given up; the uploads may be in others.
    Entries(Drain<Entry>),
    Removals(vec::IntoIter<Removal>, Fate),
    Paths(vec::IntoIter<Vec<Path>>),
}

/// A part of what a job removes: a list of such parts never has to grow by copying much.
#[derive(Debug, Default)]
pub(crate) struct Removal {
    pub(crate) waste: Waste,
    pub(crate) uploads: Vec<Taken>,
}

/// Whether removed uploads are cancelled, or in the store still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Cancelled,
    Kept,
}

impl Waste {
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Frees so much that others should get a turn now, counted in `steps`; true if nothing is left.
    fn free_some(&mut self, steps: &mut usize) -> bool {
        while *steps < STEPS {
            let before = work::freed_bytes();
            let Some(cost) = self.step() else { return true };
            let bytes = work::freed_bytes().wrapping_sub(before);
            *steps += cost + bytes / BYTES_A_STEP;
        }
        work::settle_allocator();
        false
    }

    /// Frees all of it, with turns for other tasks in between.
    pub(crate) fn poll_free(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.free_some(&mut 0) { Poll::Ready(()) } else { work::pending(cx) }
    }

    /// Frees something; returns its cost without that of segments, or `None` if nothing is left.
    fn step(&mut self) -> Option<usize> {
        match self.parts.pop()? {
            Part::Dirs(mut dirs) => {
                let Some(dir) = dirs.next() else { return Some(1) };
                self.parts.push(Part::Dirs(dirs));
                dir.into_iter().for_each(|dir| self.add_dir(dir));
                Some(4)
            }
            Part::Files(mut files) => {
                let Some(file) = files.next() else { return Some(1) };
                self.parts.push(Part::Files(files));
                file.into_iter().for_each(|file| self.add_file(file));
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
            Part::Upload(upload) => {
                upload.empty(self);
                Some(16)
            }
            Part::Uploads(mut uploads) => {
                let Some(entry) = uploads.next() else { return Some(1) };
                self.parts.push(Part::Uploads(uploads));
                entry.into_iter().for_each(|entry| entry.upload().empty(self));
                Some(16)
            }
            Part::Removals(mut removals, fate) => {
                let Some(mut removal) = removals.next() else { return Some(1) };
                self.parts.push(Part::Removals(removals, fate));
                self.parts.append(&mut removal.waste.parts);
                let cost = 1 + removal.uploads.len();
                for taken in removal.uploads {
                    match (fate, taken) {
                        (Fate::Cancelled, taken) => self.add_cancelled(taken),
                        (Fate::Kept, Taken::Many(table)) => self.add_table(table),
                        (Fate::Kept, Taken::One(_)) => {}
                    }
                }
                Some(cost)
            }
            Part::Entries(mut entries) => {
                let Some(entry) = entries.next() else { return Some(1) };
                self.parts.push(Part::Entries(entries));
                drop(entry);
                Some(16)
            }
            Part::Paths(mut paths) => {
                let Some(part) = paths.next() else { return Some(1) };
                self.parts.push(Part::Paths(paths));
                Some(1 + part.len())
            }
            Part::Segments(mut segments) => {
                let Some(segment) = segments.free_next() else { return Some(1) };
                self.parts.push(Part::Segments(segments));
                drop(segment);
                Some(1)
            }
        }
    }

    pub(crate) fn add_paths(&mut self, paths: vec::IntoIter<Vec<Path>>) {
        self.parts.push(Part::Paths(paths));
    }

    /// Adds uploads that are in no store's table any more.
    pub(crate) fn add_cancelled(&mut self, uploads: Taken) {
        self.parts.push(match uploads {
            Taken::One(upload) => Part::Upload(upload),
            Taken::Many(uploads) => Part::Uploads(uploads.drain_all()),
        });
    }

    /// Adds a table, without what the uploads in it hold.
    pub(crate) fn add_table(&mut self, table: Uploads) {
        self.parts.push(Part::Entries(table.drain()));
    }

    pub(crate) fn add_removals(&mut self, removals: Vec<Removal>, fate: Fate) {
        self.parts.push(Part::Removals(removals.into_iter(), fate));
    }

    /// A small file goes at once.
    fn add_file(&mut self, file: File) {
        self.parts.extend(file.into_blob().map(Part::Blob));
    }

    /// What others hold is theirs to free.
    pub(crate) fn add_dir(&mut self, dir: triomphe::Arc<Dir>) {
        if let Some(mut dir) = triomphe::Arc::into_unique(dir) {
            let (dirs, files) = dir.drain();
            self.parts.extend([Part::Dirs(dirs), Part::Files(files)]);
        }
    }

    /// What others hold is theirs to free.
    pub(crate) fn add_rope(&mut self, rope: Rope) {
        self.parts.extend(rope.into_last_pieces().map(Part::Segments));
    }

    pub(crate) fn add_pieces(&mut self, pieces: Pieces) {
        self.parts.extend(pieces.into_last().map(Part::Segments));
    }

    /// What was looked at, and may be gone from the store since.
    pub(crate) fn add_directory(&mut self, dir: Directory) {
        match dir {
            Directory::Real(dir) => self.add_dir(dir),
            Directory::Implied(file, _) => self.add_large(file),
        }
    }

    /// Keeps a file that may be large for later; a small file goes at once.
    fn add_large(&mut self, file: File) {
        if file.is_large() {
            self.parts.push(Part::File(file));
        }
    }

    pub(crate) fn add(&mut self, removed: Removed) {
        let Removed { file, dir } = removed;
        file.into_iter().for_each(|file| self.add_large(file));
        dir.into_iter().for_each(|dir| self.add_dir(dir));
    }

    pub(crate) fn add_draft(&mut self, draft: &mut Draft) {
        let (rope, base) = draft.take();
        self.parts.extend(base.map(Part::Blob));
        self.add_rope(rope);
    }
}

impl From<Removed> for Waste {
    fn from(removed: Removed) -> Self {
        let mut waste = Self::default();
        waste.add(removed);
        waste
    }
}

/// What waits to be freed because the operation that removed it was dropped, or because a reader or a
/// walk was the last to hold it. Handles of a store and its forks share one; each later operation
/// frees a part of it, and the last handle all that is left.
#[derive(Debug, Default)]
pub(crate) struct Garbage {
    /// Whether there may be something: read without the lock by every operation.
    waits: AtomicBool,
    list: Mutex<Vec<Waste>>,
}

impl Garbage {
    /// Frees `waste`, with turns for other tasks in between. If this is dropped, the rest waits here.
    pub(crate) async fn free(&self, waste: Waste) {
        if !waste.is_empty() {
            Held { waste, garbage: self }.free().await;
        }
    }

    /// Takes what cannot be freed with turns in between, for it is dropped. A little goes at once.
    pub(crate) fn add(&self, mut waste: Waste) {
        if !waste.free_some(&mut 0) {
            self.keep(waste);
        }
    }

    /// The same for a rope, which is rarely the last to hold its segments.
    pub(crate) fn add_rope(&self, rope: Rope) {
        let mut waste = Waste::default();
        waste.add_rope(rope);
        if !waste.is_empty() {
            self.add(waste);
        }
    }

    fn keep(&self, waste: Waste) {
        let mut list = lock(&self.list);
        list.push(waste);
        self.waits.store(true, Relaxed);
    }

    fn next(&self) -> Option<Waste> {
        let mut list = lock(&self.list);
        let waste = list.pop();
        self.waits.store(!list.is_empty(), Relaxed);
        waste
    }

    pub(crate) fn waits(&self) -> bool {
        self.waits.load(Relaxed)
    }

    /// Frees a part of what waits; false if nothing does.
    pub(crate) fn collect(&self) -> bool {
        if !self.waits() {
            return false;
        }
        let (mut steps, mut some) = (0, false);
        // Nothing is freed under the lock. Another thread may find nothing meanwhile.
        while steps < STEPS
            && let Some(mut waste) = self.next()
        {
            some = true;
            if !waste.free_some(&mut steps) {
                self.keep(waste);
            }
        }
        some
    }

    /// Frees all that waits, with turns for other tasks in between.
    pub(crate) async fn collect_all(&self) {
        poll_fn(|cx| if self.collect() { work::pending(cx) } else { Poll::Ready(()) }).await;
    }
}

/// Waste that goes to the garbage if it is dropped.
pub(crate) struct Held<'a> {
    pub(crate) waste: Waste,
    pub(crate) garbage: &'a Garbage,
}

impl Held<'_> {
    /// Frees it, with turns for other tasks in between.
    pub(crate) async fn free(mut self) {
        poll_fn(|cx| self.waste.poll_free(cx)).await;
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if !self.waste.is_empty() {
            self.garbage.add(mem::take(&mut self.waste));
        }
    }
}

/// A directory that is read while the store goes on. Its reader may come to be the last to hold it.
pub(crate) struct Snapshot<'a> {
    dir: Option<Directory>,
    held: Held<'a>,
}

impl<'a> Snapshot<'a> {
    pub(crate) fn new(dir: Directory, garbage: &'a Garbage) -> Self {
        Self { dir: Some(dir), held: Held { waste: Waste::default(), garbage } }
    }

    /// Lets go of it, with turns for other tasks in between.
    pub(crate) fn poll_release(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.dir.take().into_iter().for_each(|dir| self.held.waste.add_directory(dir));
        self.held.waste.poll_free(cx)
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        self.dir.take().into_iter().for_each(|dir| self.held.waste.add_directory(dir));
    }
}

#[cfg(test)]
mod tests;
