//! [`DeferredDrop`]: memory that was taken out of a store and is yet to be reclaimed.

use std::{
    sync::Arc,
    task::{Context, Poll},
    vec,
};

use storage_driver::Path;

use crate::{
    blob::Blob,
    dir::{Dir, Directory, Removed},
    file::File,
    map::drain::Drain,
    rope::{Pieces, Rope},
    segment_builder::SegmentBuilder,
    upload::Upload,
    uploads::{Entry, RemovedUploads, Uploads},
    work::{self, BYTES_A_STEP, STEPS},
};

/// Memory that was taken out of a store, to be reclaimed when no lock is held, and a little at a time: to free
/// a directory of a million files, or a blob of gigabytes, at once would block its thread for a second.
///
/// A drop frees all that is left at once: give it to a [`Reclaimer`](crate::reclaimer::Reclaimer) instead.
#[must_use = "it may be large: reclaim it outside of the lock"]
#[derive(Debug, Default)]
pub(crate) struct DeferredDrop {
    /// The last one is next.
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Dirs(Drain<triomphe::Arc<Dir>>),
    Files(Drain<File>),
    File(File),
    Blob(Arc<Blob>),
    Segments(Pieces),
    /// Uploads whose content is freed, even while a fenced session holds them.
    Upload(Arc<Upload>),
    Uploads(Drain<Entry>),
    /// A copy of a table; the uploads may be in others.
    Entries(Drain<Entry>),
    Removals(vec::IntoIter<Removal>, Fate),
    Paths(vec::IntoIter<Vec<Path>>),
}

/// A part of what a job removes. A list of parts of bounded size never copies much when it grows.
#[derive(Debug, Default)]
pub(crate) struct Removal {
    pub(crate) deferred: DeferredDrop,
    pub(crate) uploads: Vec<RemovedUploads>,
}

/// Whether the uploads that a job has removed from its copies are cancelled, or still in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Cancelled,
    InStore,
}

impl DeferredDrop {
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Frees so much that other tasks should run now, counted in `steps`; true if nothing is left.
    pub(crate) fn free_some(&mut self, steps: &mut usize) -> bool {
        while *steps < STEPS {
            let before = work::freed_bytes();
            let Some(cost) = self.step() else { return true };
            let bytes = work::freed_bytes().wrapping_sub(before);
            *steps += cost + bytes / BYTES_A_STEP;
        }
        work::settle_allocator();
        false
    }

    /// Frees all of it, and yields to other tasks in between.
    pub(crate) fn poll_free(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.free_some(&mut 0) { Poll::Ready(()) } else { work::pending(cx) }
    }

    /// Frees one part; returns its cost without that of segments, or `None` if nothing is left.
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
                self.add_content_of(&upload);
                Some(16)
            }
            Part::Uploads(mut uploads) => {
                let Some(entry) = uploads.next() else { return Some(1) };
                self.parts.push(Part::Uploads(uploads));
                entry.into_iter().for_each(|entry| self.add_content_of(entry.upload()));
                Some(16)
            }
            Part::Removals(mut removals, fate) => {
                let Some(mut removal) = removals.next() else { return Some(1) };
                self.parts.push(Part::Removals(removals, fate));
                self.parts.append(&mut removal.deferred.parts);
                let cost = 1 + removal.uploads.len();
                for taken in removal.uploads {
                    match (fate, taken) {
                        (Fate::Cancelled, taken) => self.add_cancelled(taken),
                        (Fate::InStore, RemovedUploads::Many(table)) => self.add_table(table),
                        (Fate::InStore, RemovedUploads::One(_)) => {}
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
    pub(crate) fn add_cancelled(&mut self, uploads: RemovedUploads) {
        self.parts.push(match uploads {
            RemovedUploads::One(upload) => Part::Upload(upload),
            RemovedUploads::Many(uploads) => Part::Uploads(uploads.drain_all()),
        });
    }

    /// Adds a table, without what the uploads in it hold.
    pub(crate) fn add_table(&mut self, table: Uploads) {
        self.parts.push(Part::Entries(table.drain()));
    }

    pub(crate) fn add_removals(&mut self, removals: Vec<Removal>, fate: Fate) {
        self.parts.push(Part::Removals(removals.into_iter(), fate));
    }

    /// A small file is freed at once.
    fn add_file(&mut self, file: File) {
        self.parts.extend(file.into_blob().map(Part::Blob));
    }

    /// What is shared is left to the other holders.
    pub(crate) fn add_dir(&mut self, dir: triomphe::Arc<Dir>) {
        if let Some(mut dir) = triomphe::Arc::into_unique(dir) {
            let (dirs, files) = dir.drain();
            self.parts.extend([Part::Dirs(dirs), Part::Files(files)]);
        }
    }

    /// What is shared is left to the other holders.
    pub(crate) fn add_rope(&mut self, rope: Rope) {
        self.parts.extend(rope.into_last_pieces().map(Part::Segments));
    }

    pub(crate) fn add_pieces(&mut self, pieces: Pieces) {
        self.parts.extend(pieces.into_last().map(Part::Segments));
    }

    /// A directory that was read, and may have been removed from the store since.
    pub(crate) fn add_directory(&mut self, dir: Directory) {
        match dir {
            Directory::Real(dir) => self.add_dir(dir),
            Directory::Implied(file, _) => self.add_large(file),
        }
    }

    /// Defers a file that may be large; a small file is freed at once.
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

    /// Adds the content and the note of an upload that is in no store's table any more. Not under the
    /// store's lock.
    pub(crate) fn add_content_of(&mut self, upload: &Upload) {
        upload.take_content().into_iter().for_each(|mut content| self.add_builder(&mut content));
    }

    pub(crate) fn add_builder(&mut self, builder: &mut SegmentBuilder) {
        let (rope, base) = builder.take();
        self.parts.extend(base.map(Part::Blob));
        self.add_rope(rope);
    }
}

impl From<Removed> for DeferredDrop {
    fn from(removed: Removed) -> Self {
        let mut deferred = Self::default();
        deferred.add(removed);
        deferred
    }
}

#[cfg(test)]
mod tests;
