//! [`Backend`]: what the parts of one driver share.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use storage_driver::{Error, ErrorKind, Path, Result};

use crate::{
    budget::Budget, lease::Sightings, objects::Objects, probe::Unsuitable, recent::Recent,
    tasks::Tasks, time,
};

/// The clock that files and uploads are dated by.
pub(crate) type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// What the parts of one driver share.
pub(crate) struct Backend {
    pub(crate) objects: Objects,
    /// Why the store should not be used, if it is used all the same.
    pub(crate) unsuitable: Option<Unsuitable>,
    /// Nothing is written to the store.
    pub(crate) read_only: bool,
    pub(crate) tasks: Arc<Tasks>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) clock: Clock,
    /// The uploads that this process has left.
    pub(crate) recent: Recent,
    /// What was seen of the lease of the sweeper.
    pub(crate) sightings: Sightings,
    /// How long data stays readable that nothing names any more.
    pub(crate) grace: Duration,
    /// The longest path whose keys the store takes.
    pub(crate) max_path_bytes: usize,
}

impl Backend {
    pub(crate) fn check_writable(&self) -> Result<()> {
        match self.read_only {
            true => Err(Error::new(ErrorKind::Unsupported)
                .with_source("the store was opened to be read only")),
            false => Ok(()),
        }
    }

    pub(crate) fn now(&self) -> u64 {
        time::to_nanos((self.clock)())
    }

    /// How long after an announcement a request that relies on it may be sent: a quarter of the grace. The rest is for
    /// the request to arrive.
    pub(crate) fn patience(&self) -> Duration {
        self.grace / 4
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend").field("objects", &self.objects).finish_non_exhaustive()
    }
}

/// The key of the file at `path`.
pub(crate) fn file_key(path: &Path) -> String {
    path.as_str().trim_start_matches('/').to_owned()
}
