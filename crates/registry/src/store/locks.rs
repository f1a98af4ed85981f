//! [`Locks`]: pushes and deletions of manifests exclude each other, per repository.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use super::keyed::{InUse, Keyed};
use crate::name::{Name, Tag};

/// A push of a manifest writes several links, a deletion removes several. Pushes to a repository run
/// concurrently; a deletion excludes them, so that it leaves no tag without a manifest.
///
/// The time to find the tags of a manifest depends on the number of tags in the repository, so a deletion finds
/// them before it excludes pushes. Pushes report the tags that they set meanwhile ([`Push::set`]), and only these
/// are read under the lock.
///
/// This holds within one process. Two processes on one store may leave a tag without a manifest. It
/// cannot be pulled until it is pushed again. An index without its child is prevented by the push: see
/// [`Store::put_manifest`](super::base::Store::put_manifest).
#[derive(Debug, Default)]
pub(super) struct Locks(Keyed<Name, Repository>);

#[derive(Debug, Default)]
struct Repository {
    lock: Arc<RwLock<()>>,
    deletions: Mutex<Deletions>,
}

/// The deletions in progress.
#[derive(Debug, Default)]
struct Deletions {
    next: u64,
    begun: Vec<Begun>,
}

#[derive(Debug)]
struct Begun {
    id: u64,
    set_meanwhile: HashSet<Tag>,
}

impl Repository {
    fn deletions(&self) -> MutexGuard<'_, Deletions> {
        self.deletions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A push to a repository, or the deletion of one of its tags. No manifest is deleted meanwhile.
#[derive(Debug)]
pub(super) struct Push<'a> {
    _shared: OwnedRwLockReadGuard<()>,
    repository: InUse<'a, Name, Repository>,
}

impl Push<'_> {
    /// Reports a tag before it is set.
    pub(super) fn set(&self, tag: &Tag) {
        for deletion in &mut self.repository.deletions().begun {
            deletion.set_meanwhile.insert(tag.clone());
        }
    }
}

/// The deletion of a manifest. It excludes pushes from [`exclude`](Self::exclude) on.
#[derive(Debug)]
pub(super) struct Deletion<'a> {
    exclusive: Option<OwnedRwLockWriteGuard<()>>,
    id: u64,
    repository: InUse<'a, Name, Repository>,
}

impl Deletion<'_> {
    /// Waits for the pushes in progress and excludes others until this is dropped. Returns the tags
    /// that were set since the deletion began.
    pub(super) async fn exclude(&mut self) -> HashSet<Tag> {
        let lock = Arc::clone(&self.repository.lock);
        self.exclusive = Some(lock.write_owned().await);
        let mut deletions = self.repository.deletions();
        let own = deletions.begun.iter_mut().find(|deletion| deletion.id == self.id);
        own.map(|own| std::mem::take(&mut own.set_meanwhile)).unwrap_or_default()
    }
}

impl Drop for Deletion<'_> {
    fn drop(&mut self) {
        self.repository.deletions().begun.retain(|deletion| deletion.id != self.id);
    }
}

impl Locks {
    pub(super) async fn push(&self, name: &Name) -> Push<'_> {
        let repository = self.0.enter(name.clone());
        let shared = Arc::clone(&repository.lock).read_owned().await;
        Push { _shared: shared, repository }
    }

    /// Begins the deletion of a manifest.
    pub(super) fn delete(&self, name: &Name) -> Deletion<'_> {
        let repository = self.0.enter(name.clone());
        let mut deletions = repository.deletions();
        let id = deletions.next;
        deletions.next += 1;
        deletions.begun.push(Begun { id, set_meanwhile: HashSet::new() });
        drop(deletions);
        Deletion { exclusive: None, id, repository }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::task::unconstrained;

    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[tokio::test]
    async fn a_deletion_excludes_pushes_to_its_own_repository_only() {
        let locks = Locks::default();
        // More repositories than any number of shared locks.
        let others: Vec<Name> = (0..1000).map(|n| name(&format!("other{n}"))).collect();
        let mut deletion = locks.delete(&name("demo"));
        deletion.exclude().await;
        for other in &others {
            assert!(unconstrained(locks.push(other)).now_or_never().is_some(), "{other}");
        }
        assert!(locks.push(&name("demo")).now_or_never().is_none());
        drop(deletion);
        assert!(locks.push(&name("demo")).now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_deletion_excludes_no_push_while_it_looks_for_tags() {
        let locks = Locks::default();
        let _deletion = locks.delete(&name("demo"));
        assert!(locks.push(&name("demo")).now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_deletion_learns_of_the_tags_that_were_set_since_it_began() {
        let locks = Locks::default();
        let [before, meanwhile, elsewhere] =
            ["before", "meanwhile", "elsewhere"].map(|tag| Tag::parse(tag).unwrap());
        locks.push(&name("demo")).await.set(&before);
        let mut deletion = locks.delete(&name("demo"));
        locks.push(&name("demo")).await.set(&meanwhile);
        locks.push(&name("other")).await.set(&elsewhere);
        assert_eq!(deletion.exclude().await, HashSet::from([meanwhile]));
    }
}
