//! [`Store`]: the data behind one driver, under one lock.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
    time::SystemTime,
};

use storage_driver::{Error, ErrorKind, Path, Result};

use crate::{
    budget::Budget,
    deferred_drop::DeferredDrop,
    file::{File, SMALL, Stamp},
    job::{Ended, Job, Outcome},
    reclaimer::Reclaimer,
    segment_builder::SegmentBuilder,
    state::State,
    sync::{
        AtomicBool, AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed,
        Ordering::Release, Ordering::SeqCst, RwLock, RwLockReadGuard, RwLockWriteGuard, read,
        write,
    },
    time::Timestamp,
    tree::Tree,
    upload::{Slot, Upload},
    uploads::RemovedUploads,
    work::yield_now,
};

/// What the handles of one store share.
///
/// Each operation is one critical section of `locked`, or a [`Job`] that takes effect in one: that makes
/// all of them linearizable. In it references move; content is copied before, and what was removed is
/// reclaimed after. The operations are in [`operations`](crate::operations) and
/// [`session`](crate::session).
pub(crate) struct Store {
    locked: RwLock<Locked>,
    /// Set under the lock; read without it by sessions.
    closed: AtomicBool,
    /// The count of removals of the [`State`].
    removals: Arc<AtomicU64>,
    /// Whether there is a job, as sessions have to know.
    has_job: AtomicBool,
    sessions: AtomicU64,
    shared: Shared,
}

/// What a store shares with its forks.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) budget: Arc<Budget>,
    pub(crate) versions: Arc<AtomicU64>,
    pub(crate) clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    pub(crate) segment_size: usize,
    pub(crate) reclaimer: Arc<Reclaimer>,
}

struct Locked {
    state: State,
    job: Option<(Outcome, Box<dyn Job>)>,
}

/// The lock on a store that has no job, to change it.
pub(crate) struct StateMut<'a>(RwLockWriteGuard<'a, Locked>);

impl Deref for StateMut<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0.state
    }
}

impl DerefMut for StateMut<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.0.state
    }
}

/// Room for what points to content: names, directories and segments.
const INDEX_ROOM: u64 = 64 << 10;

impl Store {
    pub(crate) fn new(shared: Shared, tree: Tree) -> Self {
        let removals = Arc::default();
        let state = State::new(tree, &shared.budget, &removals);
        Self {
            locked: RwLock::new(Locked { state, job: None }),
            closed: AtomicBool::new(false),
            removals,
            has_job: AtomicBool::new(false),
            sessions: AtomicU64::new(1),
            shared,
        }
    }

    /// Another store with the same files; an empty one if this store was shut down.
    pub(crate) fn fork(&self) -> Self {
        Self::new(self.shared.clone(), read(&self.locked).state.tree().clone())
    }

    pub(crate) fn budget(&self) -> &Arc<Budget> {
        &self.shared.budget
    }

    pub(crate) fn reclaimer(&self) -> &Arc<Reclaimer> {
        &self.shared.reclaimer
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.shared.clock)().into()
    }

    /// What a commit of this moment is known by. Called under the lock, so that versions and times grow in the
    /// order in which commits take effect.
    pub(crate) fn stamp(&self) -> Stamp {
        let version = self.shared.versions.fetch_add(1, AcqRel);
        Stamp { modified: self.now(), version }
    }

    pub(crate) fn next_session(&self) -> u64 {
        self.sessions.fetch_add(1, Relaxed)
    }

    pub(crate) fn segment_builder(&self, size_hint: Option<u64>) -> SegmentBuilder {
        SegmentBuilder::new(Arc::clone(self.budget()), self.shared.segment_size, size_hint)
    }

    /// Makes a file of the content of a builder, which is to be dropped afterwards. Called under the lock, once the
    /// place for it is there: the names may find the store full, and the builder must still have its content then.
    /// Little content is copied, so that a small upload takes no more memory than a small put.
    ///
    /// # Errors
    ///
    /// `StorageFull`, and nothing has changed.
    pub(crate) fn file_of(&self, text: &str, content: &mut SegmentBuilder) -> Result<File> {
        if content.len() <= SMALL as u64 {
            return File::copy_of(self.budget(), text, &content.payload(), self.stamp());
        }
        let charge = File::charge(self.budget(), text)?;
        Ok(File::large(text, content.publish()?, self.stamp(), charge))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Acquire)
    }

    /// # Errors
    ///
    /// `Unavailable` once the store was shut down.
    pub(crate) fn require_open(&self) -> Result<()> {
        if self.is_closed() { Err(Error::new(ErrorKind::Unavailable)) } else { Ok(()) }
    }

    fn read(&self) -> Result<RwLockReadGuard<'_, Locked>> {
        let locked = read(&self.locked);
        self.require_open()?;
        Ok(locked)
    }

    /// Looks at the files and uploads of this moment. What `view` returns is made under the lock.
    pub(crate) fn view<T>(&self, view: impl FnOnce(&State) -> Result<T>) -> Result<T> {
        view(&self.read()?.state)
    }

    /// The lock to change something. It yields to other tasks while a job has to be done first.
    pub(crate) async fn write(&self) -> Result<StateMut<'_>> {
        self.make_room(0);
        loop {
            if let Some(state) = self.try_write()? {
                return Ok(state);
            }
            yield_now().await;
        }
    }

    /// The lock to change something. `None` if there is a job, of which a part was done instead.
    pub(crate) fn try_write(&self) -> Result<Option<StateMut<'_>>> {
        let mut locked = write(&self.locked);
        self.require_open()?;
        if let Some((outcome, mut job)) = locked.job.take() {
            let Some(result) = job.advance(&mut locked.state) else {
                locked.job = Some((outcome, job));
                return Ok(None);
            };
            self.has_job.store(false, SeqCst);
            // Whether it has failed or not: what it holds is reclaimed after the lock, by the operation
            // that began it.
            outcome.set(Ended { result, deferred: job.into_deferred() });
        }
        Ok(Some(StateMut(locked)))
    }

    /// Does a job to its end and yields to other tasks in between. Returns how many paths or uploads were
    /// changed, and what is left to reclaim.
    pub(crate) async fn run<J: Job + 'static>(
        &self,
        job: impl FnOnce(&State) -> J,
    ) -> Result<(u64, DeferredDrop)> {
        let outcome = Outcome::default();
        {
            let mut state = self.write().await?;
            let job = Box::new(job(&state));
            state.0.job = Some((outcome.clone(), job));
            self.has_job.store(true, SeqCst);
        }
        let begun = BegunJob { store: self, outcome };
        loop {
            let tried = self.try_write().map(drop);
            if let Some(Ended { result, deferred }) = begun.outcome.take() {
                return match result {
                    Ok(count) => Ok((count, deferred)),
                    Err(error) => {
                        self.reclaimer().reclaim(deferred).await;
                        Err(error)
                    }
                };
            }
            tried?;
            yield_now().await;
        }
    }

    /// Reclaims deferred memory as long as there is some and no room for so many bytes of content and what
    /// points to them. Not under a lock.
    pub(crate) fn make_room(&self, bytes: usize) {
        let reclaimer = self.reclaimer();
        // A tail may be as large as what is already packed.
        let needed = 2 * bytes as u64 + INDEX_ROOM;
        while reclaimer.has_deferred()
            && self.budget().available() < needed
            && reclaimer.reclaim_some()
        {}
    }

    /// Calls `visit` with the upload at `path`, whose slot is locked; `None` if there is none. It waits while a
    /// session copies what one write brought.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub(crate) fn with_upload<T>(
        &self,
        path: &Path,
        visit: impl FnOnce(&Arc<Upload>, &mut Slot) -> T,
    ) -> Result<Option<T>> {
        loop {
            // A slot is never locked under the store's lock.
            let upload = self.view(|state| Ok(state.uploads().get(path).cloned()))?;
            let Some(upload) = upload else { return Ok(None) };
            let mut slot = upload.lock();
            // One that has ended in between made place for another, or for none.
            if slot.content.is_some() && self.has_upload(&upload, &mut slot.seen) {
                return Ok(Some(visit(&upload, &mut slot)));
            }
        }
    }

    /// Whether this very upload is in the table. `seen` is the count of removals at which it was there
    /// last.
    pub(crate) fn has_upload(&self, upload: &Arc<Upload>, seen: &mut u64) -> bool {
        if *seen == self.removals.load(Acquire) {
            return true;
        }
        let locked = read(&self.locked);
        let has = locked.state.uploads().contains(upload);
        if has {
            *seen = self.removals.load(Acquire);
        }
        has
    }

    /// Makes a job leave an upload alone that was written to: its time of modification was set before.
    pub(crate) fn spare(&self, upload: &Arc<Upload>) {
        if self.has_job.load(SeqCst)
            && let Some((_, job)) = &mut write(&self.locked).job
        {
            job.spare(upload);
        }
    }

    /// Closes the store and takes everything out.
    pub(crate) fn shut_down(&self) -> DeferredDrop {
        let mut locked = write(&self.locked);
        self.closed.store(true, Release);
        let (tree, uploads) = locked.state.take();
        let job = locked.job.take();
        drop(locked);
        let mut deferred = job.map(|(_, job)| job.into_deferred()).unwrap_or_default();
        deferred.add_cancelled(RemovedUploads::Many(uploads));
        deferred.add(tree.into());
        deferred
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let deferred = self.shut_down();
        self.reclaimer().add(deferred);
    }
}

/// A job that was begun. If this is dropped before the job has ended, the job ends without an effect.
struct BegunJob<'a> {
    store: &'a Store,
    outcome: Outcome,
}

impl Drop for BegunJob<'_> {
    fn drop(&mut self) {
        let mut locked = write(&self.store.locked);
        let job = locked.job.take_if(|(outcome, _)| outcome.is_of_same_job(&self.outcome));
        if job.is_some() {
            self.store.has_job.store(false, SeqCst);
        }
        drop(locked);
        let deferred = match (job, self.outcome.take()) {
            (Some((_, job)), _) => job.into_deferred(),
            (None, Some(ended)) => ended.deferred,
            (None, None) => return,
        };
        self.store.reclaimer().add(deferred);
    }
}
