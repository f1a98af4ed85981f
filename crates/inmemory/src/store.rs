//! [`Store`]: the namespace and the uploads, and every step that changes them.

use std::{
    iter::once,
    mem,
    sync::Arc,
    time::{Duration, SystemTime},
};

use storage_driver::{
    Error, ErrorKind, ListOptions, Metadata, Page, Path, Payload, Precondition, Result, Version,
    WriterOptions,
};

use crate::{
    budget::Budget,
    draft::Draft,
    file::{File, SMALL, Stamp},
    job::{CancelUploads, DeleteMany, Done, Job, Outcome, RenameDir},
    sync::{
        AtomicBool, AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed,
        Ordering::Release, Ordering::SeqCst, RwLock, RwLockReadGuard, RwLockWriteGuard, read,
        write,
    },
    time::Timestamp,
    tree::{Directory, Found, Measure, Node, Removed, Tree},
    upload::{Session, Upload, YIELD_EVERY},
    uploads::{Taken, Uploads},
    waste::{Garbage, Held, Waste},
    work::{ENTRIES, PATHS, collect, yield_now},
};

/// What handles of one store share.
///
/// Each operation is one critical section of `state`, or a [`Job`] that takes effect in one: that
/// makes all of them linearizable. In it references move; content is copied before, and what was
/// removed is dropped after.
pub(crate) struct Store {
    state: RwLock<State>,
    /// Set under the lock on `state`; read without it by writers.
    closed: AtomicBool,
    /// Counts the times that uploads were taken out of the table, under the lock on `state`. Read
    /// without it by writers: as long as it stands still, an upload that was seen there is there.
    removals: AtomicU64,
    /// Whether there is a job, as writers have to know.
    busy: AtomicBool,
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
    pub(crate) garbage: Arc<Garbage>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) tree: Tree,
    pub(crate) uploads: Uploads,
    job: Option<(Outcome, Box<dyn Job>)>,
}

/// How far a directory's rename came.
pub(crate) enum Renamed {
    /// It is done, and this is left.
    Done(Removed),
    /// Nothing has changed: a path below may become too long, which is to be measured.
    TooLongPerhaps(Measure),
}

impl Store {
    pub(crate) fn new(shared: Shared, tree: Tree) -> Self {
        Self {
            state: RwLock::new(State { tree, ..State::default() }),
            closed: AtomicBool::new(false),
            removals: AtomicU64::new(0),
            busy: AtomicBool::new(false),
            sessions: AtomicU64::new(1),
            shared,
        }
    }

    /// A store of its own with the same files. Of a closed store it is empty.
    pub(crate) fn fork(&self) -> Self {
        Self::new(self.shared.clone(), read(&self.state).tree.clone())
    }

    pub(crate) fn budget(&self) -> &Arc<Budget> {
        &self.shared.budget
    }

    pub(crate) fn garbage(&self) -> &Arc<Garbage> {
        &self.shared.garbage
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.shared.clock)().into()
    }

    pub(crate) fn next_session(&self) -> u64 {
        self.sessions.fetch_add(1, Relaxed)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Acquire)
    }

    fn open<G>(&self, guard: G) -> Result<G> {
        if self.is_closed() { Err(Error::new(ErrorKind::Unavailable)) } else { Ok(guard) }
    }

    fn read(&self) -> Result<RwLockReadGuard<'_, State>> {
        self.open(read(&self.state))
    }

    /// The lock to change something. Other tasks get turns while a job has to be done first.
    async fn write(&self) -> Result<RwLockWriteGuard<'_, State>> {
        self.make_room(0);
        loop {
            if let Some(state) = self.try_write()? {
                return Ok(state);
            }
            yield_now().await;
        }
    }

    /// The lock to change something. `None` if there is a job, of which a part was done instead.
    fn try_write(&self) -> Result<Option<RwLockWriteGuard<'_, State>>> {
        let mut state = self.open(write(&self.state))?;
        if let Some((outcome, mut job)) = state.job.take() {
            let Some(done) = job.advance(self, &mut state) else {
                state.job = Some((outcome, job));
                return Ok(None);
            };
            self.busy.store(false, SeqCst);
            outcome.set(done);
        }
        Ok(Some(state))
    }

    /// Does a job to its end, with turns for other tasks in between.
    async fn run<J: Job + 'static>(&self, job: impl FnOnce(&State) -> J) -> Result<Done> {
        let outcome = Outcome::default();
        {
            let mut state = self.write().await?;
            let job = Box::new(job(&state));
            state.job = Some((outcome.clone(), job));
            self.busy.store(true, SeqCst);
        }
        let begun = Begun { store: self, outcome };
        loop {
            let tried = self.try_write().map(drop);
            if let Some(done) = begun.outcome.take() {
                return done;
            }
            tried?;
            yield_now().await;
        }
    }

    /// Frees garbage as long as there is some and no room for so many bytes of content and what
    /// points to them. Not under a lock.
    pub(crate) fn make_room(&self, bytes: usize) {
        let garbage = self.garbage();
        // A tail may be as large as what is already packed.
        let needed = 2 * bytes as u64 + INDEX_ROOM;
        while garbage.waits() && self.budget().available() < needed && garbage.collect() {}
    }

    /// Whether this very upload is in the table. `seen` is the count of removals at which it was
    /// there last.
    pub(crate) fn has(&self, upload: &Arc<Upload>, seen: &mut u64) -> bool {
        if *seen == self.removals.load(Acquire) {
            return true;
        }
        let state = read(&self.state);
        let has = state.uploads.contains(upload);
        if has {
            *seen = self.removals.load(Acquire);
        }
        has
    }

    /// Called under the lock, when uploads were taken out of the table.
    pub(crate) fn count_removal(&self) {
        self.removals.fetch_add(1, Release);
    }

    /// Has a job leave an upload alone that was written to: its time of that was set before.
    pub(crate) fn keep(&self, upload: &Arc<Upload>) {
        if self.busy.load(SeqCst)
            && let Some((_, job)) = &mut write(&self.state).job
        {
            job.keep(upload);
        }
    }

    /// Looks at the namespace of this moment. What `look` returns is made under the lock.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Tree) -> Result<T>) -> Result<T> {
        look(&self.read()?.tree)
    }

    fn draft(&self, size_hint: Option<u64>) -> Draft {
        Draft::new(Arc::clone(self.budget()), self.shared.segment_size, size_hint)
    }

    /// What a commit of this moment is known by. Called under the lock, so that versions and times grow
    /// in the order in which things happen.
    fn stamp(&self) -> Stamp {
        let version = self.shared.versions.fetch_add(1, AcqRel);
        Stamp { modified: self.now(), version }
    }

    pub(crate) async fn put(
        &self,
        path: &Path,
        content: Payload,
        precondition: &Precondition,
    ) -> Result<(Metadata, Waste)> {
        if content.len() <= SMALL {
            return self.put_small(path, &content, precondition).await;
        }
        self.open(())?;
        self.make_room(content.len());
        let draft = self.draft(Some(content.len() as u64));
        let mut filling = Filling { draft, garbage: self.garbage() };
        let mut until_yield = YIELD_EVERY;
        for part in content {
            let copied = filling.draft.take_over(part, false)?.unwrap_or_default();
            // What is taken over costs about as much as the copy of a KiB.
            for piece in once(&copied[..0]).chain(copied.chunks(YIELD_EVERY)) {
                if until_yield == 0 {
                    yield_now().await;
                    until_yield = YIELD_EVERY;
                }
                filling.draft.pack(piece)?;
                until_yield = until_yield.saturating_sub(piece.len().max(1 << 10));
            }
        }
        filling.draft.seal_tail();
        let mut state = self.write().await?;
        let published = state.publish(self, path, precondition, None, &mut filling.draft);
        drop(state);
        published.map(|(metadata, removed)| (metadata, removed.into()))
    }

    async fn put_small(
        &self,
        path: &Path,
        content: &Payload,
        precondition: &Precondition,
    ) -> Result<(Metadata, Waste)> {
        let plan = |tree: &Tree| {
            let plan = tree.plan(path)?;
            precondition.check(plan.replaced().map(File::version).as_ref())?;
            Ok((plan.text(), plan.for_file(self.budget())?, tree.changes()))
        };
        // Made before the lock is taken to change something: its memory may have to come from the
        // system.
        let (text, mut place, changes) = self.look(plan)?;
        let mut file = File::small(self.budget(), text, content, Stamp::NONE)?;
        let mut state = self.write().await?;
        if state.tree.changes() != changes {
            let (now, there, _) = plan(&state.tree)?;
            place = there;
            if now != text {
                file = file.moved(self.budget(), now, None)?;
            }
        }
        let file = file.stamped(self.stamp());
        let metadata = file.metadata(path);
        let replaced = state.tree.fill(path, place, Node::File(file));
        drop(state);
        Ok((metadata, replaced.into()))
    }

    /// Publishes the draft of an upload, whose slot the caller has locked. `None` if there is a job.
    pub(crate) fn try_publish(
        &self,
        dest: &Path,
        precondition: &Precondition,
        appends_to: Option<&Version>,
        upload: &Arc<Upload>,
        draft: &mut Draft,
    ) -> Result<Option<(Metadata, Waste)>> {
        let Some(mut state) = self.try_write()? else { return Ok(None) };
        if !state.uploads.contains(upload) {
            return Err(Error::new(ErrorKind::WriterFenced));
        }
        let (metadata, removed) = state.publish(self, dest, precondition, appends_to, draft)?;
        state.uploads.remove(upload);
        self.count_removal();
        drop(state);
        Ok(Some((metadata, removed.into())))
    }

    /// Starts an upload in the place of the one that is in progress, if one is.
    pub(crate) async fn create(
        self: &Arc<Self>,
        path: &Path,
        options: &WriterOptions,
    ) -> Result<(Session, Waste)> {
        let draft = self.draft(options.size_hint);
        let session = Session::create(self, path, draft, None, options.exclusive_buffers)?;
        let mut state = self.write().await?;
        let replaced = state.uploads.insert(Arc::clone(session.upload()));
        if replaced.is_some() {
            self.count_removal();
        }
        drop(state);
        let mut waste = Waste::default();
        replaced.into_iter().for_each(|upload| waste.add_cancelled(Taken::One(upload)));
        Ok((session, waste))
    }

    /// Starts an upload as the content of the file.
    pub(crate) async fn append(
        self: &Arc<Self>,
        path: &Path,
        at: Option<u64>,
        options: &WriterOptions,
    ) -> Result<Session> {
        let mut state = self.write().await?;
        if state.uploads.get(path).is_some() {
            return Err(Error::new(ErrorKind::UploadInProgress));
        }
        let file = state.tree.file(path)?;
        if let Some(given) = at.filter(|&at| at != file.size()) {
            return Err(Error::new(ErrorKind::OffsetMismatch { given, size: file.size() }));
        }
        let mut draft = self.draft(options.size_hint);
        match file.blob() {
            Some(blob) => draft = draft.extending(blob.for_upload()),
            None => draft.pack(file.content())?,
        }
        let version = Some(file.version());
        let session = Session::create(self, path, draft, version, options.exclusive_buffers)?;
        state.uploads.insert(Arc::clone(session.upload()));
        Ok(session)
    }

    /// Goes on with the upload that is in progress.
    pub(crate) fn resume(
        self: &Arc<Self>,
        path: &Path,
        at: Option<u64>,
        options: &WriterOptions,
    ) -> Result<Session> {
        loop {
            // The lock on an upload is never taken under the store's.
            let upload = self.read()?.uploads.get(path).cloned().ok_or(ErrorKind::PathNotFound)?;
            // One that died in between has made place for another, or for none.
            if let Some(session) = upload.open(self, at, options.exclusive_buffers)? {
                return Ok(session);
            }
        }
    }

    pub(crate) async fn uploads(
        &self,
        path: &Path,
        options: &ListOptions,
    ) -> Result<Page<storage_driver::UploadInfo>> {
        let mut waste = Waste::default();
        let (first, under) = {
            let state = self.read()?;
            waste.add_table(state.uploads.clone());
            let mut under = state.uploads.under(path, options.start_after.as_ref());
            // A page is of one moment, as far as one poll may list it.
            let first = under.by_ref().take(options.limit.min(ENTRIES));
            (first.map(|upload| upload.describe()).collect(), under)
        };
        let table = Held { waste, garbage: self.garbage() };
        let rest = under.map(|upload| upload.describe());
        let page = collect(path, options, first, rest).await;
        table.free().await;
        Ok(page)
    }

    pub(crate) async fn cancel_upload(&self, path: &Path) -> Result<Waste> {
        let mut state = self.write().await?;
        let upload = state.uploads.get(path).cloned().ok_or(ErrorKind::PathNotFound)?;
        state.uploads.remove(&upload);
        self.count_removal();
        drop(state);
        let mut waste = Waste::default();
        waste.add_cancelled(Taken::One(upload));
        Ok(waste)
    }

    pub(crate) async fn cancel_uploads(
        &self,
        path: &Path,
        older_than: Duration,
    ) -> Result<(u64, Waste)> {
        let now = self.now();
        let job = |state: &State| CancelUploads::new(path, older_than, now, state);
        self.run(job).await.map(|done| (done.count, done.waste))
    }

    /// Removes an upload whose slot the caller has locked; false if there is a job.
    pub(crate) fn try_forget(&self, upload: &Arc<Upload>) -> Result<bool> {
        let Some(mut state) = self.try_write()? else { return Ok(false) };
        if !state.uploads.remove(upload) {
            return Err(Error::new(ErrorKind::WriterFenced));
        }
        self.count_removal();
        Ok(true)
    }

    pub(crate) async fn delete(&self, path: &Path, precondition: &Precondition) -> Result<Waste> {
        precondition.require_existing()?;
        let mut state = self.write().await?;
        let current = match state.tree.get(path) {
            Some(Found::File(file)) => Some(file.version()),
            Some(Found::Dir(_)) => return Err(Error::new(ErrorKind::IsADirectory)),
            None if state.uploads.get(path).is_some() => None,
            None => return Err(Error::new(ErrorKind::PathNotFound)),
        };
        precondition.check(current.as_ref())?;
        let (removed, uploads) = state.remove_file(self, path);
        drop(state);
        let mut waste = Waste::from(removed);
        uploads.into_iter().for_each(|uploads| waste.add_cancelled(uploads));
        Ok(waste)
    }

    pub(crate) async fn delete_dir(&self, path: &Path) -> Result<Waste> {
        let mut state = self.write().await?;
        match state.tree.get(path) {
            Some(Found::File(_)) => return Err(Error::new(ErrorKind::NotADirectory)),
            None if !state.uploads.has_any(path) => {
                return Err(Error::new(ErrorKind::PathNotFound));
            }
            Some(Found::Dir(_)) | None => {}
        }
        let (removed, uploads) = state.remove(self, path);
        drop(state);
        let mut waste = Waste::from(removed);
        uploads.into_iter().for_each(|uploads| waste.add_cancelled(uploads));
        Ok(waste)
    }

    pub(crate) async fn delete_many(&self, paths: &[Path]) -> Result<Waste> {
        let mut copied = Copied { parts: Vec::new(), garbage: self.garbage() };
        for part in paths.chunks(PATHS) {
            part.iter().try_for_each(Path::require_not_root)?;
            if paths.len() <= PATHS {
                return self.delete_few(part).await;
            }
            copied.parts.push(part.to_vec());
            yield_now().await;
        }
        let job = |state: &State| DeleteMany::new(mem::take(&mut copied.parts), state);
        self.run(job).await.map(|done| done.waste)
    }

    /// Deletes so many as one critical section may.
    async fn delete_few(&self, paths: &[Path]) -> Result<Waste> {
        let mut state = self.write().await?;
        for path in paths {
            state.tree.require_no_dir(path)?;
        }
        let removed: Vec<_> = paths.iter().map(|path| state.remove_file(self, path)).collect();
        drop(state);
        let mut waste = Waste::default();
        for (removed, uploads) in removed {
            waste.add(removed);
            uploads.into_iter().for_each(|uploads| waste.add_cancelled(uploads));
        }
        Ok(waste)
    }

    pub(crate) async fn rename(
        &self,
        from: &Path,
        to: &Path,
        precondition: &Precondition,
    ) -> Result<(Metadata, Waste)> {
        let mut state = self.write().await?;
        let file = state.tree.file(from)?;
        let plan = state.tree.plan(to)?;
        let replaced = plan.replaced().map(File::version);
        precondition.check(replaced.as_ref()).map_err(|error| error.at(to))?;
        let metadata = file.metadata(to);
        if from == to {
            return Ok((metadata, Waste::default()));
        }
        let place = plan.for_file(self.budget())?;
        let file = file.moved(self.budget(), plan.text(), None)?;
        let replaced = state.tree.fill(to, place, Node::File(file));
        let moved = state.tree.remove(from);
        drop(state);
        let mut waste = Waste::from(replaced);
        waste.add(moved);
        Ok((metadata, waste))
    }

    pub(crate) async fn rename_dir(&self, from: &Path, to: &Path) -> Result<Waste> {
        // What a job would measure is dropped under the lock, where the tree holds it too.
        if let Renamed::Done(removed) = self.write().await?.rename_dir(self, from, to, None)? {
            return Ok(removed.into());
        }
        // A job measures it, so that nothing changes between that and the rename.
        self.run(|_| RenameDir::new(from, to)).await.map(|done| done.waste)
    }

    pub(crate) async fn copy(
        &self,
        from: &Path,
        to: &Path,
        precondition: &Precondition,
    ) -> Result<(Metadata, Waste)> {
        let mut state = self.write().await?;
        let file = state.tree.file(from)?;
        let plan = state.tree.plan(to)?;
        let replaced = plan.replaced().map(File::version);
        precondition.check(replaced.as_ref()).map_err(|error| error.at(to))?;
        if from == to {
            return Ok((file.metadata(to), Waste::default()));
        }
        let place = plan.for_file(self.budget())?;
        let file = file.copied(self.budget(), plan.text(), Some(self.stamp()))?;
        let metadata = file.metadata(to);
        let replaced = state.tree.fill(to, place, Node::File(file));
        drop(state);
        Ok((metadata, replaced.into()))
    }

    pub(crate) async fn touch(&self, path: &Path, precondition: &Precondition) -> Result<Metadata> {
        precondition.require_existing()?;
        let mut state = self.write().await?;
        let old = state.tree.file(path)?;
        precondition.check(Some(&old.version()))?;
        let plan = state.tree.plan(path)?;
        let place = plan.for_file(self.budget())?;
        let file = old.moved(self.budget(), plan.text(), Some(self.stamp()))?;
        let metadata = file.metadata(path);
        let replaced = state.tree.fill(path, place, Node::File(file));
        drop(state);
        drop(replaced);
        Ok(metadata)
    }

    pub(crate) fn shut_down(&self) -> Waste {
        let mut state = write(&self.state);
        self.closed.store(true, Release);
        let State { tree, uploads, job } = mem::take(&mut *state);
        self.count_removal();
        drop(state);
        let mut waste = job.map(|(_, job)| job.abandon()).unwrap_or_default();
        waste.add_cancelled(Taken::Many(uploads));
        waste.add(tree.into());
        waste
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let waste = self.shut_down();
        self.garbage().add(waste);
    }
}

/// A job that was begun. It goes without an effect if this is dropped before its end.
struct Begun<'a> {
    store: &'a Store,
    outcome: Outcome,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        let mut state = write(&self.store.state);
        let job = state.job.take_if(|(outcome, _)| outcome.is_of_same_job(&self.outcome));
        if job.is_some() {
            self.store.busy.store(false, SeqCst);
        }
        drop(state);
        let waste = match (job, self.outcome.take()) {
            (Some((_, job)), _) => job.abandon(),
            (None, Some(Ok(done))) => done.waste,
            (None, _) => return,
        };
        self.store.garbage().add(waste);
    }
}

/// Paths that are copied with turns for other tasks in between.
struct Copied<'a> {
    parts: Vec<Vec<Path>>,
    garbage: &'a Garbage,
}

impl Drop for Copied<'_> {
    fn drop(&mut self) {
        if !self.parts.is_empty() {
            let mut waste = Waste::default();
            waste.add_paths(mem::take(&mut self.parts).into_iter());
            self.garbage.add(waste);
        }
    }
}

/// A draft that is filled with turns for other tasks in between.
struct Filling<'a> {
    draft: Draft,
    garbage: &'a Garbage,
}

impl Drop for Filling<'_> {
    fn drop(&mut self) {
        let mut waste = Waste::default();
        waste.add_draft(&mut self.draft);
        self.garbage.add(waste);
    }
}

impl State {
    /// Makes the content of a draft the file at `path`; gives back what was there.
    fn publish(
        &mut self,
        store: &Store,
        path: &Path,
        precondition: &Precondition,
        appends_to: Option<&Version>,
        draft: &mut Draft,
    ) -> Result<(Metadata, Removed)> {
        let plan = self.tree.plan(path)?;
        let current = plan.replaced().map(File::version);
        precondition.check(current.as_ref())?;
        if let Some(version) = appends_to {
            Precondition::IfVersion(version.clone()).check(current.as_ref())?;
        }
        // The names are made before the blob: they may find the store full, and the draft must
        // still have its content then.
        let place = plan.for_file(store.budget())?;
        let charge = File::charge(store.budget(), plan.text())?;
        let file = File::large(plan.text(), draft.publish()?, store.stamp(), charge);
        let metadata = file.metadata(path);
        Ok((metadata, self.tree.fill(path, place, Node::File(file))))
    }

    /// Removes the file at a path, which is not a directory, and the upload at it.
    fn remove_file(&mut self, store: &Store, path: &Path) -> (Removed, Option<Taken>) {
        let upload = self.uploads.take_at(path);
        if upload.is_some() {
            store.count_removal();
        }
        (self.tree.remove(path), upload.map(Taken::One))
    }

    fn remove(&mut self, store: &Store, path: &Path) -> (Removed, Option<Taken>) {
        let uploads = self.uploads.take(path);
        if uploads.is_some() {
            store.count_removal();
        }
        (self.tree.remove(path), uploads)
    }

    /// Renames a directory, if it is known that no path becomes too long: `longest` is the length of
    /// the longest path below, if that was measured.
    pub(crate) fn rename_dir(
        &mut self,
        store: &Store,
        from: &Path,
        to: &Path,
        longest: Option<usize>,
    ) -> Result<Renamed> {
        let dir = self.tree.dir(from)?;
        if from == to {
            return Ok(Renamed::Done(Removed::default()));
        }
        let conflict = || Error::new(ErrorKind::PathConflict).at(to);
        if to.starts_with(from) || self.tree.get(to).is_some() {
            return Err(conflict());
        }
        let plan = self.tree.plan(to)?;
        match dir.fits(to, longest) {
            Ok(true) => {}
            Ok(false) => return Err(Error::new(ErrorKind::InvalidPath).at(to)),
            Err(measure) => return Ok(Renamed::TooLongPerhaps(measure)),
        }
        // Nothing is at `to`, so that nothing is replaced.
        let _ = match &dir {
            Directory::Real(dir) => {
                let place = plan.for_dir(store.budget())?;
                let name = to.name().unwrap_or_default();
                let node = Node::from(dir.renamed(name, store.budget())?);
                self.tree.fill(to, place, node)
            }
            Directory::Implied(file, at) => {
                let to = to.join(&file.text()[*at..]).map_err(|_| ErrorKind::InvalidPath)?;
                let plan = self.tree.plan(&to)?;
                let place = plan.for_file(store.budget())?;
                let file = file.moved(store.budget(), plan.text(), None)?;
                self.tree.fill(&to, place, Node::File(file))
            }
        };
        Ok(Renamed::Done(self.tree.remove(from)))
    }
}

/// Room for what points to content: names, directories and segments.
const INDEX_ROOM: u64 = 64 << 10;
