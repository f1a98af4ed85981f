//! [`DirSyncs`] and [`FreshDirs`]: making names durable.

use std::{
    collections::HashMap,
    os::fd::AsFd,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use rustix::io::Errno;

use crate::sys::{FileStat, Result, Sys};

/// Syncs directories: callers that ask at the same time share a sync.
#[derive(Debug, Default)]
pub(crate) struct DirSyncs(Mutex<HashMap<(u64, u64), Arc<Dir>>>);

/// The syncs of one directory.
#[derive(Debug, Default)]
struct Dir {
    state: Mutex<Turns>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct Turns {
    running: bool,
    waiting: usize,
    /// The result of the sync that begins next. It covers all changes from before it was taken from here.
    next: Arc<Mutex<Option<Result<()>>>>,
}

impl DirSyncs {
    /// Makes all changes to the open directory `dir` durable, by a sync that begins after this call.
    pub(crate) fn sync(&self, sys: &Sys, dir: impl AsFd) -> Result<()> {
        let FileStat { device, inode, .. } = sys.stat(dir.as_fd())?;
        let key = (device, inode);
        let turns = Arc::clone(lock(&self.0).entry(key).or_default());
        let result = turns.sync(|| match sys.sync_dir(dir.as_fd()) {
            // Some file systems have no sync of a directory, and need none.
            Err(Errno::INVAL) => Ok(()),
            result => result,
        });
        let mut dirs = lock(&self.0);
        drop(turns);
        if dirs.get(&key).is_some_and(|turns| Arc::strong_count(turns) == 1) {
            dirs.remove(&key);
        }
        result
    }
}

impl Dir {
    fn sync(&self, sync: impl FnOnce() -> Result<()>) -> Result<()> {
        let mut state = lock(&self.state);
        let ours = Arc::clone(&state.next);
        while state.running {
            state.waiting += 1;
            state = self.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
            if let Some(result) = *lock(&ours) {
                return result;
            }
        }
        state.running = true;
        state.next = Arc::default();
        drop(state);
        let result = sync();
        *lock(&ours) = Some(result);
        let mut state = lock(&self.state);
        state.running = false;
        // A notification is a system call even if no thread waits.
        if state.waiting > 0 {
            self.ended.notify_all();
        }
        result
    }
}

/// New directories whose names are not durable yet.
///
/// A publication below a directory that another operation has created must not return before that directory is
/// durable. So the directory is recorded here from before it is visible until after the sync.
#[derive(Debug, Default)]
pub(crate) struct FreshDirs {
    made: Mutex<Made>,
    count: AtomicUsize,
}

#[derive(Debug, Default)]
struct Made {
    generations: HashMap<String, u64>,
    last: u64,
}

impl FreshDirs {
    /// Adds a directory that is about to be created.
    pub(crate) fn add(&self, dir: &str) {
        let mut made = lock(&self.made);
        made.last += 1;
        let generation = made.last;
        made.generations.insert(dir.to_owned(), generation);
        self.count.store(made.generations.len(), Ordering::Release);
    }

    /// The generation of the directory whose name is not durable, if there is one.
    pub(crate) fn generation(&self, dir: &str) -> Option<u64> {
        if self.is_empty() { None } else { lock(&self.made).generations.get(dir).copied() }
    }

    /// Removes a directory that is durable or gone, if it is still of this generation.
    pub(crate) fn remove(&self, dir: &str, generation: u64) {
        let mut made = lock(&self.made);
        if made.generations.get(dir) == Some(&generation) {
            made.generations.remove(dir);
        }
        self.count.store(made.generations.len(), Ordering::Release);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn callers_that_ask_during_a_sync_share_the_next_one() {
        let dir = Arc::new(Dir::default());
        let runs = Arc::new(AtomicUsize::new(0));
        let (started, is_started) = mpsc::channel();
        let (go, may_go) = mpsc::channel::<()>();
        let first = {
            let (dir, runs) = (Arc::clone(&dir), Arc::clone(&runs));
            std::thread::spawn(move || {
                dir.sync(|| {
                    started.send(()).unwrap();
                    may_go.recv().unwrap();
                    runs.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                })
            })
        };
        is_started.recv().unwrap();
        let others: Vec<_> = (0..8)
            .map(|_| {
                let (dir, runs) = (Arc::clone(&dir), Arc::clone(&runs));
                std::thread::spawn(move || {
                    dir.sync(|| {
                        runs.fetch_add(1, Ordering::Relaxed);
                        Err(Errno::IO)
                    })
                })
            })
            .collect();
        // Each thread waits for the next sync once it holds its result.
        while Arc::strong_count(&lock(&dir.state).next) < 9 {
            std::thread::yield_now();
        }
        go.send(()).unwrap();
        assert_eq!(first.join().unwrap(), Ok(()));
        assert!(others.into_iter().all(|other| other.join().unwrap() == Err(Errno::IO)));
        assert_eq!(runs.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_directory_that_is_created_again_is_fresh_again() {
        let fresh = FreshDirs::default();
        fresh.add("a");
        let first = fresh.generation("a").unwrap();
        fresh.add("a");
        fresh.remove("a", first);
        let second = fresh.generation("a").unwrap();
        fresh.remove("a", second);
        fresh.add("a");
        fresh.remove("a", second);
        assert!(!fresh.is_empty());
    }
}
