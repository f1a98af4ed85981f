//! [`Reference`]: the simplest driver that keeps the whole contract, with which others are compared.

mod driver;
mod entries;
mod session;
mod state;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use bytes::Bytes;
use storage_driver::{
    Capabilities, Error, ErrorKind, Metadata, Operation, Path, Precondition, Result, StorageDriver,
};

use self::state::File;
pub(crate) use self::state::State;

type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// A driver that is meant to be obviously correct: two maps under one lock, each file in one `Bytes`, each
/// operation one critical section.
///
/// It is the model that other drivers are compared with, and the base of the broken drivers in the suite's
/// tests. It claims every capability but `durable` and `redirect`. A clone is a handle to
/// the same store.
#[derive(Clone)]
pub struct Reference {
    state: Arc<Mutex<State>>,
    capabilities: Capabilities,
    clock: Clock,
}

impl Reference {
    /// An empty store.
    pub fn new() -> Self {
        Self::claiming(Capabilities {
            preconditions: true,
            conditional_commit: true,
            rename_file: true,
            rename_dir: true,
            copy: true,
            append: true,
            touch: true,
            keeps_on_drop: true,
            atomic_rename: true,
            atomic_commit_to: true,
            rejects_conflicts: true,
            snapshot_listing: true,
            linearizable: true,
            unique_versions: true,
            ordered_walk: true,
            ..Capabilities::none()
        })
    }

    /// An empty store that claims what `capabilities` says, `durable` and `redirect` excepted:
    /// operations that are not claimed fail with `Unsupported`, and paths have at most the length that it claims.
    pub fn claiming(capabilities: Capabilities) -> Self {
        Self {
            state: Arc::default(),
            capabilities: Capabilities { durable: false, redirect: false, ..capabilities },
            clock: Arc::new(SystemTime::now),
        }
    }

    /// The same store, with times from `clock`.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Stops the clock at `time`, for every handle to the store.
    pub fn set_time(&self, time: SystemTime) {
        self.lock().held = Some(time);
    }

    fn now(&self, state: &State) -> SystemTime {
        state.held.unwrap_or_else(|| (self.clock)())
    }

    /// The current state of the store.
    pub(crate) fn save(&self) -> State {
        self.lock().clone()
    }

    /// Goes back to a saved state. Open writers remain writers of the same uploads.
    pub(crate) fn restore(&self, saved: State) {
        *self.lock() = saved;
    }

    /// Forgets the end of an upload, as a driver may do that keeps only synced data.
    pub(crate) fn truncate_upload(&self, path: &Path, size: u64, note: Bytes) {
        if let Some(upload) = self.lock().uploads.get_mut(path) {
            upload.note = note;
            upload.content.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one operation in one critical section.
    fn run<T>(
        &self,
        operation: Operation,
        path: &Path,
        act: impl FnOnce(&mut State) -> Result<T>,
    ) -> Result<T> {
        self.check_length(path)
            .and_then(|()| act(&mut *self.open()?))
            .map_err(|error| error.context(self.name(), operation, path))
    }

    /// The state, unless the driver was shut down.
    fn open(&self) -> Result<MutexGuard<'_, State>> {
        let state = self.lock();
        if state.shut_down { Err(ErrorKind::Unavailable.into()) } else { Ok(state) }
    }

    fn check_length(&self, path: &Path) -> Result<()> {
        if path.as_str().len() > self.capabilities.max_path_bytes {
            return Err(Error::new(ErrorKind::InvalidPath).at(path));
        }
        Ok(())
    }

    fn check_condition(&self, precondition: &Precondition) -> Result<()> {
        require(self.capabilities.preconditions || precondition.is_none())
    }

    /// `rename` and `copy`: their common checks, and `act`, which makes the new file.
    fn transfer(
        &self,
        operation: Operation,
        (from, to): (&Path, &Path),
        precondition: &Precondition,
        act: impl FnOnce(&mut State, File) -> File,
    ) -> Result<Metadata> {
        let claimed = match operation {
            Operation::Rename => self.capabilities.rename_file,
            _ => self.capabilities.copy,
        };
        self.run(operation, from, |state| {
            from.require_not_root()?;
            to.require_not_root()?;
            self.check_length(to)?;
            require(claimed)?;
            self.check_condition(precondition)?;
            let file = state.file(from)?.clone();
            if from != to {
                state.check_place(to)?;
            }
            state.check(to, precondition)?;
            if from == to {
                return Ok(file.metadata(to));
            }
            let file = act(state, file);
            let metadata = file.metadata(to);
            state.files.insert(to.clone(), file);
            Ok(metadata)
        })
    }
}

fn require(claimed: bool) -> Result<()> {
    if claimed { Ok(()) } else { Err(ErrorKind::Unsupported.into()) }
}

impl Default for Reference {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Reference")
            .field("files", &state.files.keys())
            .field("uploads", &state.uploads.keys())
            .finish_non_exhaustive()
    }
}
