//! [`Locks`]: pushes and deletions of manifests, kept apart.

use std::hash::{BuildHasher, RandomState};

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::name::Name;

/// A push of a manifest writes several links, a deletion removes several. Pushes go on side by
/// side; a deletion has its repository for itself, so that no tag is left that names nothing.
///
/// It holds within one process. Between two on one store, a tag may be left that names nothing: it is
/// listed, and its manifest is unknown, until it is pushed or deleted.
#[derive(Debug)]
pub(super) struct Locks {
    /// A repository's lock is that of its hash; two may share one.
    stripes: Vec<RwLock<()>>,
    hasher: RandomState,
}

impl Default for Locks {
    fn default() -> Self {
        let stripes = std::iter::repeat_with(RwLock::default).take(64).collect();
        Self { stripes, hasher: RandomState::new() }
    }
}

impl Locks {
    pub(super) async fn push(&self, name: &Name) -> RwLockReadGuard<'_, ()> {
        self.stripe(name).read().await
    }

    pub(super) async fn delete(&self, name: &Name) -> RwLockWriteGuard<'_, ()> {
        self.stripe(name).write().await
    }

    fn stripe(&self, name: &Name) -> &RwLock<()> {
        let hash = self.hasher.hash_one(name) as usize;
        &self.stripes[hash % self.stripes.len()]
    }
}
