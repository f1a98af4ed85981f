//! [`Store`]: the namespace and the uploads, and every step that changes them.

use std::{
    collections::BTreeMap,
    ops::Bound,
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
    sync::{
        AtomicBool, AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed,
        Ordering::Release, RwLock, RwLockReadGuard, RwLockWriteGuard, read, write,
    },
    time::Timestamp,
    tree::{Directory, Found, Node, Removed, Tree},
    upload::{Session, Upload},
    waste::Waste,
};

/// What handles of one store share.
///
/// Each operation is one critical section of `state`, which makes all of them linearizable. In it
/// references move; content is copied before, and what was removed is dropped after.
pub(crate) struct Store {
    state: RwLock<State>,
    /// Set under the lock on `state`; read without it by writers.
    closed: AtomicBool,
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
}

struct State {
    tree: Tree,
    uploads: BTreeMap<Path, Arc<Upload>>,
}

impl Store {
    pub(crate) fn new(shared: Shared, tree: Tree) -> Self {
        Self {
            state: RwLock::new(State { tree, uploads: BTreeMap::new() }),
            closed: AtomicBool::new(false),
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

    fn write(&self) -> Result<RwLockWriteGuard<'_, State>> {
        self.open(write(&self.state))
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

    pub(crate) fn put(
        &self,
        path: &Path,
        content: Payload,
        precondition: &Precondition,
    ) -> Result<(Metadata, Waste)> {
        if content.len() <= SMALL {
            return self.put_small(path, &content, precondition);
        }
        self.open(())?;
        let mut draft = self.draft(Some(content.len() as u64));
        for part in content {
            draft.write(part, false)?;
        }
        draft.seal_tail();
        let mut state = self.write()?;
        let published = state.publish(self, path, precondition, None, &mut draft);
        drop(state);
        published.map(|(metadata, removed)| (metadata, removed.into()))
    }

    fn put_small(
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
        let mut state = self.write()?;
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

    /// Publishes the draft of an upload, whose slot the caller has locked.
    pub(crate) fn publish(
        &self,
        dest: &Path,
        precondition: &Precondition,
        appends_to: Option<&Version>,
        upload: &Arc<Upload>,
        draft: &mut Draft,
    ) -> Result<(Metadata, Waste)> {
        let mut state = self.write()?;
        if !upload.is_alive() {
            return Err(Error::new(ErrorKind::WriterFenced));
        }
        let (metadata, removed) = state.publish(self, dest, precondition, appends_to, draft)?;
        upload.kill();
        state.uploads.remove(&upload.path);
        drop(state);
        Ok((metadata, removed.into()))
    }

    /// Starts an upload in the place of the one that is in progress, if one is.
    pub(crate) fn create(
        self: &Arc<Self>,
        path: &Path,
        options: &WriterOptions,
    ) -> Result<(Session, Waste)> {
        let draft = self.draft(options.size_hint);
        let session = Session::create(self, path, draft, None, options.owned_buffers)?;
        let mut state = self.write()?;
        let replaced = state.uploads.insert(path.clone(), Arc::clone(session.upload()));
        replaced.iter().for_each(|upload| upload.kill());
        drop(state);
        Ok((session, waste_of(replaced)))
    }

    /// Starts an upload as the content of the file.
    pub(crate) fn append(
        self: &Arc<Self>,
        path: &Path,
        at: Option<u64>,
        options: &WriterOptions,
    ) -> Result<Session> {
        let mut state = self.write()?;
        if state.uploads.contains_key(path) {
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
        let session = Session::create(self, path, draft, version, options.owned_buffers)?;
        state.uploads.insert(path.clone(), Arc::clone(session.upload()));
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
            if let Some(session) = upload.open(self, at, options.owned_buffers)? {
                return Ok(session);
            }
        }
    }

    pub(crate) fn uploads(
        &self,
        path: &Path,
        options: &ListOptions,
    ) -> Result<Page<storage_driver::Upload>> {
        let state = self.read()?;
        let start = match &options.start_after {
            Some(start) if start >= path => Bound::Excluded(start),
            _ => Bound::Included(path),
        };
        let uploads = state.uploads.range((start, Bound::Unbounded));
        let under = uploads.map(|(_, upload)| upload).take_while(|u| u.path.starts_with(path));
        Ok(Page::from_sorted(path, options, under.map(|upload| upload.describe())))
    }

    pub(crate) fn cancel_upload(&self, path: &Path) -> Result<Waste> {
        let mut state = self.write()?;
        let upload = state.uploads.remove(path).ok_or(ErrorKind::PathNotFound)?;
        upload.kill();
        drop(state);
        Ok(waste_of([upload]))
    }

    pub(crate) fn cancel_uploads(&self, path: &Path, older_than: Duration) -> Result<(u64, Waste)> {
        let now = self.now();
        let mut state = self.write()?;
        let cancelled = state.take_uploads(path, |upload| now.since(upload.written()) >= older_than);
        drop(state);
        Ok((cancelled.len() as u64, waste_of(cancelled)))
    }

    /// Removes an upload whose slot the caller has locked.
    pub(crate) fn forget(&self, upload: &Upload) -> Result<()> {
        let mut state = self.write()?;
        if !upload.is_alive() {
            return Err(Error::new(ErrorKind::WriterFenced));
        }
        upload.kill();
        state.uploads.remove(&upload.path);
        Ok(())
    }

    pub(crate) fn delete(&self, path: &Path, precondition: &Precondition) -> Result<Waste> {
        let mut state = self.write()?;
        if !precondition.is_none() {
            let current = match state.tree.get(path) {
                Some(Found::File(file)) => Some(file.version()),
                Some(Found::Dir(_)) if matches!(precondition, Precondition::IfVersion(_)) => {
                    return Err(Error::new(ErrorKind::IsADirectory));
                }
                Some(Found::Dir(_)) => None,
                None if state.has_uploads(path) => None,
                None => return Err(Error::new(ErrorKind::PathNotFound)),
            };
            precondition.check(current.as_ref())?;
        }
        let (removed, uploads) = state.remove(path);
        drop(state);
        if removed.is_empty() && uploads.is_empty() {
            return Err(Error::new(ErrorKind::PathNotFound));
        }
        let mut waste = waste_of(uploads);
        waste.add(removed);
        Ok(waste)
    }

    pub(crate) fn delete_many(&self, paths: &[Path]) -> Result<Waste> {
        paths.iter().try_for_each(Path::require_not_root)?;
        let mut state = self.write()?;
        let removed: Vec<_> = paths.iter().map(|path| state.remove(path)).collect();
        drop(state);
        let mut waste = Waste::default();
        for (removed, uploads) in removed {
            waste.add(removed);
            uploads.iter().for_each(|upload| upload.empty(&mut waste));
        }
        Ok(waste)
    }

    pub(crate) fn rename(
        &self,
        from: &Path,
        to: &Path,
        precondition: &Precondition,
    ) -> Result<(Metadata, Waste)> {
        let mut state = self.write()?;
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

    pub(crate) fn rename_dir(&self, from: &Path, to: &Path) -> Result<()> {
        let mut state = self.write()?;
        let dir = state.tree.dir(from)?;
        if from == to {
            return Ok(());
        }
        let conflict = || Error::new(ErrorKind::PathConflict).at(to);
        if to.starts_with(from) || state.tree.get(to).is_some() {
            return Err(conflict());
        }
        let plan = state.tree.plan(to)?;
        if !dir.fits(to) {
            return Err(Error::new(ErrorKind::InvalidPath).at(to));
        }
        let nothing = match &dir {
            Directory::Real(dir) => {
                let place = plan.for_dir(self.budget())?;
                let name = to.name().unwrap_or_default();
                let node = Node::from(dir.renamed(name, self.budget())?);
                state.tree.fill(to, place, node)
            }
            Directory::Implied(file, at) => {
                let to = to.join(&file.text()[*at..]).map_err(|_| ErrorKind::InvalidPath)?;
                let plan = state.tree.plan(&to)?;
                let place = plan.for_file(self.budget())?;
                let file = file.moved(self.budget(), plan.text(), None)?;
                state.tree.fill(&to, place, Node::File(file))
            }
        };
        let moved = state.tree.remove(from);
        drop(state);
        drop((nothing, moved));
        Ok(())
    }

    pub(crate) fn copy(
        &self,
        from: &Path,
        to: &Path,
        precondition: &Precondition,
    ) -> Result<(Metadata, Waste)> {
        let mut state = self.write()?;
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

    pub(crate) fn touch(&self, path: &Path) -> Result<Metadata> {
        let mut state = self.write()?;
        let old = state.tree.file(path)?;
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
        let removed = state.tree.clear();
        let uploads = std::mem::take(&mut state.uploads);
        uploads.values().for_each(|upload| upload.kill());
        drop(state);
        let mut waste = waste_of(uploads.into_values());
        waste.add(removed);
        waste
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

    fn has_uploads(&self, path: &Path) -> bool {
        self.uploads.range(path..).next().is_some_and(|(upload, _)| upload.starts_with(path))
    }

    fn take_uploads(&mut self, path: &Path, which: impl Fn(&Upload) -> bool) -> Vec<Arc<Upload>> {
        let under = self.uploads.range(path..).take_while(|(other, _)| other.starts_with(path));
        let taken: Vec<_> =
            under.filter(|(_, upload)| which(upload)).map(|(_, u)| Arc::clone(u)).collect();
        for upload in &taken {
            upload.kill();
            self.uploads.remove(&upload.path);
        }
        taken
    }

    fn remove(&mut self, path: &Path) -> (Removed, Vec<Arc<Upload>>) {
        (self.tree.remove(path), self.take_uploads(path, |_| true))
    }
}

/// What dead uploads hold.
fn waste_of(uploads: impl IntoIterator<Item = Arc<Upload>>) -> Waste {
    let mut waste = Waste::default();
    uploads.into_iter().for_each(|upload| upload.empty(&mut waste));
    waste
}
