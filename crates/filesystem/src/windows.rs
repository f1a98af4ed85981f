//! [`Windows`]: names that were read for one page and belong to the next pages.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use storage_driver::Path;

use crate::{clock, names::Window, sys::FileStat};

/// What has been read of directories that are listed page by page, so that the next page need not
/// read them again: the names of at most [`MOST`](Self::MOST) directories, of which those that have
/// waited for longer than [`FOR`](Self::FOR) go with the next listing.
#[derive(Debug, Default)]
pub(crate) struct Windows(Mutex<Vec<Kept>>);

#[derive(Debug)]
struct Kept {
    dir: Path,
    /// What the directory was when it was read; it is the same as long as no name has come or gone.
    facts: FileStat,
    after: Path,
    window: Window,
    since: Instant,
}

impl Windows {
    const MOST: usize = 4;
    const FOR: Duration = Duration::from_secs(10);
    /// A directory that changed so shortly before it was read may have changed again within one tick
    /// of the kernel's clock, unseen.
    const TICK: i128 = 20_000_000;

    pub(crate) fn take(
        &self,
        dir: &Path,
        facts: &FileStat,
        after: Option<&Path>,
    ) -> Option<Window> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|kept| kept.since.elapsed() < Self::FOR);
        let found = kept.iter().position(|kept| kept.dir == *dir && Some(&kept.after) == after)?;
        let found = kept.swap_remove(found);
        (found.facts == *facts).then_some(found.window)
    }

    pub(crate) fn keep(&self, dir: &Path, facts: &FileStat, after: &Path, window: Window) {
        if window.is_empty() || i128::from(clock::now()) - facts.modified < Self::TICK {
            return;
        }
        let (dir, after, since) = (dir.clone(), after.clone(), Instant::now());
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == Self::MOST {
            kept.remove(0);
        }
        kept.push(Kept { dir, facts: *facts, after, window, since });
    }
}
