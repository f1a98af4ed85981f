//! [`Recent`]: the uploads that this process has left, as it left them.

use quick_cache::sync::Cache;
use storage_driver::Path;

use crate::{journal::Journal, objects::Tag};

/// How many uploads are remembered.
const MOST: usize = 256;
/// Journals with more extents, or with more bytes in them, are not remembered.
const EXTENTS: usize = 64;
const BYTES: usize = 4 << 10;

/// The journals that this process wrote last. To resume an upload is to read its journal and to swap it. Who remembers
/// the journal need not read it: the swap fails if it has changed since.
///
/// Where the requests of a client go to several processes in turn, what a process remembers is old, and a swap in vain
/// costs more than the read. So a journal is only tried if its process has found the one before as it had left it.
#[derive(Debug)]
pub(crate) struct Recent(Cache<Path, Left>);

/// A journal as it was left.
#[derive(Debug, Clone)]
pub(crate) struct Left {
    pub(crate) journal: Journal,
    pub(crate) tag: Tag,
    /// The one before was found as this process had left it.
    pub(crate) again: bool,
}

impl Recent {
    pub(crate) fn keep(&self, path: &Path, left: Left) {
        let journal = &left.journal;
        let is_small =
            journal.extents.len() <= EXTENTS && journal.tail.len() + journal.note.len() <= BYTES;
        match is_small && journal.commit.is_none() {
            true => self.0.insert(path.clone(), left),
            false => self.forget(path),
        }
    }

    pub(crate) fn forget(&self, path: &Path) {
        self.0.remove(path);
    }

    pub(crate) fn take(&self, path: &Path) -> Option<Left> {
        self.0.remove(path).map(|(_, left)| left)
    }
}

impl Default for Recent {
    fn default() -> Self {
        Self(Cache::new(MOST))
    }
}
