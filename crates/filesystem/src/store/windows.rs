//! [`Windows`]: names that were read for one page of a listing and are kept for the next pages.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use storage_driver::Path;

use crate::{clock, root::names::Window, sys::FileStat};

/// Names of directories that are listed page by page, so that the next page need not read the directory again: of at
/// most [`MOST`](Self::MOST) directories. The next listing drops those older than [`FOR`](Self::FOR).
#[derive(Debug, Default)]
pub(crate) struct Windows(Mutex<Vec<Kept>>);

#[derive(Debug)]
struct Kept {
    dir: Path,
    /// The metadata of the directory when it was read. It is equal as long as no name was added or removed.
    facts: FileStat,
    after: Path,
    window: Window,
    since: Instant,
}

impl Windows {
    const MOST: usize = 4;
    const FOR: Duration = Duration::from_secs(10);
    /// In nanoseconds. A directory that changed less than this before it was read may have changed again within the same
    /// tick of the kernel's clock, which its metadata would not show.
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
