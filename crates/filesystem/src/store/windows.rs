//! [`Windows`]: names of large directories, which are kept for the next listings.

use std::{
    os::fd::AsFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use storage_driver::Path;

use crate::{
    clock,
    root::{Root, names::Window},
    sys::{FileStat, Result},
};

/// Windows of large directories. As long as a directory does not change, a listing or a walk that needs its names finds
/// them here and does not read it again.
///
/// The windows of at most [`MOST`](Self::MOST) directories are kept, with at most [`BYTES`](Self::BYTES) of names
/// together, or the one that was read last. Those that were not used for [`FOR`](Self::FOR) are dropped when the next
/// large directory is read.
#[derive(Debug, Default)]
pub(crate) struct Windows(Mutex<Vec<Kept>>);

#[derive(Debug)]
struct Kept {
    dir: Path,
    /// The metadata of the directory after it was read. It is equal as long as no name is added or removed.
    facts: FileStat,
    window: Arc<Window>,
    used: Instant,
}

impl Windows {
    const MOST: usize = 4;
    const BYTES: usize = 8 << 20;
    const FOR: Duration = Duration::from_secs(10);
    /// A directory with fewer names is read each time. In tests, almost every directory is large.
    const LARGE: usize = if cfg!(test) { 10 } else { 200 };
    /// In nanoseconds. A directory that changed less than this before it was read may have changed again within the same
    /// tick of the kernel's clock, which its metadata would not show.
    const TICK: i128 = 20_000_000;

    /// A window that [covers](Window::covers) `after`, of the open directory `dir`, which is at `path`.
    pub(crate) fn get(
        &self,
        root: &Root,
        path: &Path,
        dir: impl AsFd,
        after: Option<&str>,
    ) -> Result<Arc<Window>> {
        if self.kept().iter().any(|kept| kept.dir == *path) {
            let facts = root.sys.stat(dir.as_fd())?;
            if let Some(window) = self.find(path, &facts, after) {
                return Ok(window);
            }
        }
        let begun = i128::from(clock::now());
        let window = Arc::new(Window::read(root, dir.as_fd(), after)?);
        if window.len() >= Self::LARGE {
            let facts = root.sys.stat(dir)?;
            // Otherwise it may have changed while it was read.
            if begun - facts.modified >= Self::TICK {
                self.keep(path, facts, &window);
            }
        }
        Ok(window)
    }

    fn find(&self, path: &Path, facts: &FileStat, after: Option<&str>) -> Option<Arc<Window>> {
        let mut kept = self.kept();
        kept.retain(|kept| kept.dir != *path || kept.facts == *facts);
        let found = kept.iter_mut().find(|kept| kept.dir == *path && kept.window.covers(after))?;
        found.used = Instant::now();
        Some(Arc::clone(&found.window))
    }

    fn keep(&self, path: &Path, facts: FileStat, window: &Arc<Window>) {
        let used = Instant::now();
        let kept = Kept { dir: path.clone(), facts, window: Arc::clone(window), used };
        let mut all = self.kept();
        all.retain(|kept| kept.dir != *path && kept.used.elapsed() < Self::FOR);
        all.push(kept);
        // The one that was not used for the longest time is the first.
        all.sort_by_key(|kept| kept.used);
        let bytes = |all: &[Kept]| all.iter().map(|kept| kept.window.bytes).sum::<usize>();
        while all.len() > Self::MOST || (all.len() > 1 && bytes(&all) > Self::BYTES) {
            all.remove(0);
        }
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::Sys;

    /// A window of names, which take this memory.
    fn window(bytes: usize) -> Arc<Window> {
        let mut window = Window::default();
        window.bytes = bytes;
        Arc::new(window)
    }

    fn facts() -> FileStat {
        let sys = Sys::default();
        sys.stat(sys.open_root("/".as_ref()).unwrap()).unwrap()
    }

    fn kept(windows: &Windows) -> Vec<String> {
        windows.kept().iter().map(|kept| kept.dir.to_string()).collect()
    }

    #[test]
    fn the_windows_that_were_used_last_are_kept() {
        let (windows, facts) = (Windows::default(), facts());
        let path = |text: &str| Path::parse(text).unwrap();
        for dir in ["/a", "/b", "/c", "/d"] {
            windows.keep(&path(dir), facts, &window(1));
        }
        assert!(windows.find(&path("/a"), &facts, None).is_some());
        windows.keep(&path("/e"), facts, &window(1));
        assert_eq!(kept(&windows), ["/c", "/d", "/a", "/e"]);
        // All but one are dropped for a window that takes all the memory.
        windows.keep(&path("/f"), facts, &window(Windows::BYTES));
        assert_eq!(kept(&windows), ["/f"]);
    }
}
