//! [`Turns`]: the order of the tasks on each path.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use crate::{ErrorKind, Path, Result};

/// Every task that runs or waits, in the order in which the tasks were started.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    next: u64,
    closed: bool,
    tasks: BTreeMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    /// What the task changes; empty for a task that changes nothing.
    paths: Vec<Path>,
    /// Whether nothing waits for the result.
    abandoned: bool,
    /// Closed when the task has ended.
    ended: watch::Receiver<()>,
}

/// Which earlier tasks a task waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// All that overlap.
    All,
    /// Those that overlap and whose future was dropped.
    Abandoned,
}

/// A place in the order. The task has ended when it is dropped.
pub(super) struct Turn {
    turns: Arc<Turns>,
    id: u64,
    /// Dropped after [`Drop::drop`] has removed the entry.
    _ended: watch::Sender<()>,
}

fn overlap(a: &Path, b: &Path) -> bool {
    a.starts_with(b) || b.starts_with(a)
}

impl Turns {
    /// Takes the next place in the order, for a task that changes `paths`.
    pub(super) fn take(self: &Arc<Self>, paths: Vec<Path>, abandoned: bool) -> Result<Turn> {
        let mut table = self.table();
        if table.closed {
            return Err(ErrorKind::Unavailable.into());
        }
        let id = table.next;
        table.next += 1;
        let (sender, ended) = watch::channel(());
        table.tasks.insert(id, Entry { paths, abandoned, ended });
        Ok(Turn { turns: Arc::clone(self), id, _ended: sender })
    }

    pub(super) fn abandon(&self, id: u64) {
        if let Some(entry) = self.table().tasks.get_mut(&id) {
            entry.abandoned = true;
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.table().closed
    }

    /// Refuses every task from now on.
    pub(super) fn close(&self) {
        self.table().closed = true;
    }

    /// Waits for every task that was started before this call.
    pub(super) async fn all_ended(&self) {
        let end = self.table().next;
        while let Some(ended) = self.last(end, |_| true) {
            wait(ended).await;
        }
    }

    /// The last task before `end` that `matches`.
    fn last(&self, end: u64, matches: impl Fn(&Entry) -> bool) -> Option<watch::Receiver<()>> {
        let table = self.table();
        let found = table.tasks.range(..end).rev().find(|(_, entry)| matches(entry));
        found.map(|(_, entry)| entry.ended.clone())
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for the end of a task, which drops the sender.
async fn wait(mut ended: watch::Receiver<()>) {
    while ended.changed().await.is_ok() {}
}

impl Turn {
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Waits for earlier tasks on a path at, above or below one of `paths`.
    pub(super) async fn wait(&self, paths: &[Path], after: After) {
        let matches = |entry: &Entry| {
            (after == After::All || entry.abandoned)
                && entry.paths.iter().any(|a| paths.iter().any(|b| overlap(a, b)))
        };
        // The last such task ends after those that it waits for itself; one that gave up leaves the others.
        while let Some(ended) = self.turns.last(self.id, matches) {
            wait(ended).await;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.table().tasks.remove(&self.id);
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("id", &self.id).finish_non_exhaustive()
    }
}
