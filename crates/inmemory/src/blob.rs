//! [`Blob`]: committed content, and the owners of its memory.

use std::{ops::Deref, sync::Arc};

use storage_driver::Error;

use crate::{
    budget::{Budget, Charge, Owner},
    rope::Rope,
    sync::{AtomicU64, Ordering::AcqRel, Ordering::Acquire},
    usage::Usage,
};

/// The content of one commit, which copies, renames and forks share.
///
/// An append makes a new blob that shares the segments of the one it started from. So that shared memory
/// counts once, a blob counts only the segments that it added, and keeps its base alive:
///
/// ```text
///  file /b ──▶ Blob { rope: ▣▣▣▣▢▢ , own: ▢▢, base ─┐ }
///  file /a ──▶ Blob { rope: ▣▣▣▣   , own: ▣▣▣▣ } ◀──┘
/// ```
///
/// A blob that has an owner owns its base in turn. Readers are no owners: they hold ropes.
#[derive(Debug)]
pub(crate) struct Blob {
    rope: Rope,
    base: Option<Arc<Blob>>,
    /// Bytes of memory of the segments that this blob added, slack included.
    own: u64,
    /// How many files (high half) and uploads (low half) own it.
    owners: AtomicU64,
    charge: Charge,
}

const FILE: u64 = 1 << 32;
const UPLOAD: u64 = 1;

impl Blob {
    pub(crate) fn rope(&self) -> &Rope {
        &self.rope
    }

    /// Takes the content out of a blob that has no owner any more.
    pub(crate) fn take(&mut self) -> (Rope, Option<Arc<Self>>) {
        (std::mem::take(&mut self.rope), self.base.take())
    }

    fn owner(owners: u64) -> Owner {
        match (owners >> 32, owners as u32) {
            (0, 0) => Owner::Unowned,
            (0, _) => Owner::Upload,
            _ => Owner::Committed,
        }
    }

    fn acquire(&self, kind: u64) {
        self.count(kind);
    }

    fn release(&self, kind: u64) {
        self.count(kind.wrapping_neg());
    }

    /// Counts owners in or out. To its base a blob is one owner, of its own kind. So the walk down the bases
    /// ends at the first blob whose kind does not change, which is nearly always the first of all.
    ///
    /// Two concurrent walks may reach a base in another order than they reached the blob. The counts of the base
    /// are wrong in between, and right after both, because both only add.
    fn count(&self, mut change: u64) {
        let mut blob = Some(self);
        while let Some(Self { own, owners, base, .. }) = blob {
            let before = owners.fetch_add(change, AcqRel);
            let (from, to) = (Self::owner(before), Self::owner(before.wrapping_add(change)));
            self.charge.budget().transfer(*own, from, to);
            change = Self::weight(to).wrapping_sub(Self::weight(from));
            blob = base.as_deref().filter(|_| change != 0);
        }
    }

    fn weight(owner: Owner) -> u64 {
        match owner {
            Owner::Committed => FILE,
            Owner::Upload => UPLOAD,
            Owner::Unowned => 0,
        }
    }
}

impl Drop for Blob {
    /// Drops the bases one by one: a file that was appended to a million times must not recurse a million
    /// deep.
    fn drop(&mut self) {
        debug_assert_eq!(self.owners.load(Acquire), 0);
        let mut base = self.base.take();
        while let Some(mut blob) = base.and_then(Arc::into_inner) {
            base = blob.base.take();
        }
    }
}

/// A reference to content by a file, which owns it.
#[derive(Debug)]
pub(crate) struct FileBlob(Arc<Blob>);

impl FileBlob {
    /// Publishes content, `own` bytes of which are counted as an upload's until then. The file takes the
    /// upload's place as owner of `base`.
    ///
    /// # Errors
    ///
    /// `StorageFull`, and nothing has changed.
    pub(crate) fn publish(
        budget: &Arc<Budget>,
        rope: Rope,
        own: u64,
        base: &mut Option<UploadBlob>,
    ) -> Result<Self, Error> {
        let charge = Charge::new(budget, Usage::BLOB)?;
        let upload = base.take();
        let base = upload.as_ref().map(|base| Arc::clone(&base.0));
        if let Some(base) = &base {
            base.acquire(FILE);
        }
        budget.transfer(own, Owner::Upload, Owner::Committed);
        Ok(Self(Arc::new(Blob { rope, base, own, owners: AtomicU64::new(FILE), charge })))
    }

    /// The content without ownership.
    pub(crate) fn blob(&self) -> Arc<Blob> {
        Arc::clone(&self.0)
    }

    /// A reference by an upload, which then owns the content too.
    pub(crate) fn for_upload(&self) -> UploadBlob {
        self.0.acquire(UPLOAD);
        UploadBlob(Arc::clone(&self.0))
    }
}

impl Deref for FileBlob {
    type Target = Blob;

    fn deref(&self) -> &Blob {
        &self.0
    }
}

impl Clone for FileBlob {
    fn clone(&self) -> Self {
        self.0.acquire(FILE);
        Self(Arc::clone(&self.0))
    }
}

impl Drop for FileBlob {
    fn drop(&mut self) {
        self.0.release(FILE);
    }
}

/// A reference to content by an upload that extends it, and owns it.
#[derive(Debug)]
pub(crate) struct UploadBlob(Arc<Blob>);

impl UploadBlob {
    /// The bytes of memory of the segments that the blob added to its base.
    pub(crate) fn own(&self) -> u64 {
        self.0.own
    }

    /// The content without ownership.
    pub(crate) fn blob(&self) -> Arc<Blob> {
        Arc::clone(&self.0)
    }

    /// The content that the blob extends.
    pub(crate) fn base(&self) -> Option<Self> {
        let base = self.0.base.as_ref()?;
        base.acquire(UPLOAD);
        Some(Self(Arc::clone(base)))
    }
}

impl Deref for UploadBlob {
    type Target = Blob;

    fn deref(&self) -> &Blob {
        &self.0
    }
}

impl Drop for UploadBlob {
    fn drop(&mut self) {
        self.0.release(UPLOAD);
    }
}

#[cfg(test)]
mod tests;
