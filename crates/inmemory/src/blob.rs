//! [`Blob`]: committed content, and who owns its memory.

use std::{ops::Deref, sync::Arc};

use storage_driver::Error;

use crate::{
    budget::{Budget, Charge, Owner},
    rope::Rope,
    sync::{AtomicU64, Ordering::AcqRel, Ordering::Acquire},
    usage::Usage,
};

/// The content of files: what one commit made, which a copy, a rename or a fork shares.
///
/// An append makes a new blob that shares the segments of the one it started from. So that shared
/// memory counts once, a blob counts only what it brought itself, and holds on to the one before:
///
/// ```text
///  file /b ──▶ Blob { rope: ▣▣▣▣▢▢ , own: ▢▢, base ─┐ }
///  file /a ──▶ Blob { rope: ▣▣▣▣   , own: ▣▣▣▣ } ◀──┘
/// ```
///
/// A blob that somebody owns owns its base in turn. Readers own nothing: they hold ropes.
#[derive(Debug)]
pub(crate) struct Blob {
    rope: Rope,
    base: Option<Arc<Blob>>,
    /// Bytes of memory that this blob brought, slack included.
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

    /// Takes out what it holds, which nobody owns any more.
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

    /// Counts owners in or out. To its base a blob is one owner, of the kind that it has itself: so
    /// the walk down the bases ends at the first whose kind stays, which is nearly always the first
    /// of all.
    ///
    /// Two walks at once may meet a base in another order than they met the blob. Its counts are
    /// off between the two, and right after both, for all that is done is addition.
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
    /// Lets go of the bases one by one: a file that was appended to a million times must not
    /// recurse a million deep.
    fn drop(&mut self) {
        debug_assert_eq!(self.owners.load(Acquire), 0);
        let mut base = self.base.take();
        while let Some(mut blob) = base.and_then(Arc::into_inner) {
            base = blob.base.take();
        }
    }
}

/// A file's hold on its content.
#[derive(Debug)]
pub(crate) struct FileBlob(Arc<Blob>);

impl FileBlob {
    /// Publishes content of which `own` bytes are counted to an upload as yet, and makes that
    /// upload's hold on `base` the file's.
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

    /// The content without a hold on it.
    pub(crate) fn blob(&self) -> Arc<Blob> {
        Arc::clone(&self.0)
    }

    /// Has an upload own the content too.
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

/// An upload's hold on the content that it extends.
#[derive(Debug)]
pub(crate) struct UploadBlob(Arc<Blob>);

impl UploadBlob {
    /// The bytes of memory that the blob brought, without its base.
    pub(crate) fn own(&self) -> u64 {
        self.0.own
    }

    /// The content without a hold on it.
    pub(crate) fn blob(&self) -> Arc<Blob> {
        Arc::clone(&self.0)
    }

    /// What the blob was extended from.
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
