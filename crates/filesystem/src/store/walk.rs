//! Walking: everything below a directory, in order.

use std::{
    os::fd::OwnedFd,
    sync::Arc,
    task::{Context, Poll},
};

use futures::{FutureExt, future::BoxFuture};
use storage_driver::{Entry, Error, ErrorKind, Path, Result, WalkOptions, WalkSource};

use crate::{
    error::{explain, is_nothing},
    root::{
        names::{self, Name, NameKind, Names, Window},
        search,
    },
    store::{
        Store,
        list::{self, After},
    },
    sys::Resolve,
};

/// How many entries are read ahead: few at first, for a caller that stops early, then more.
const BATCH: std::ops::RangeInclusive<usize> = 64..=1000;

/// How many names of skipped directories are remembered.
const SKIPPED: usize = 16;

/// A walk: its position, and the entries that were read ahead.
pub(crate) struct Descent {
    state: State,
    /// In reverse order, so that the next one is popped.
    ready: Vec<Ahead>,
    /// The entry that was returned last, if it is a directory.
    last: Option<Path>,
    /// Whether the last one is a directory that was not read, because the caller was expected to skip it.
    closed: bool,
    /// A directory to leave as soon as the levels are back.
    skipped: Option<Path>,
    store: Arc<Store>,
}

/// An entry that was read ahead.
struct Ahead {
    entry: Entry,
    /// It is a directory that was not read. The next entry is the one after everything below it.
    closed: bool,
}

enum State {
    Idle(Levels),
    Reading(BoxFuture<'static, Result<(Levels, Vec<Ahead>)>>),
    Ended,
}

/// The directories from the start down to the position of the walk.
struct Levels {
    start: Path,
    options: WalkOptions,
    open: Vec<Level>,
    begun: bool,
    /// Whether any entry was found.
    found: bool,
    batch: usize,
    /// The names of directories that the caller skipped. Other directories of these names are expected to be skipped
    /// too, and are not read until the caller asks for their content.
    skipped: Vec<Box<str>>,
}

/// A directory of the walk. Only the lowest is open, and only while a batch is read.
struct Level {
    path: Path,
    names: Names,
    /// Whether it was returned. A walk with metadata returns it once there is a file below.
    given: bool,
}

impl Level {
    fn new(path: Path, after: Option<&str>, given: bool) -> Self {
        Self { path, names: Names::new(after), given }
    }
}

impl Descent {
    pub(crate) fn new(store: Arc<Store>, start: Path, options: WalkOptions) -> Self {
        let state = State::Idle(Levels {
            start,
            options,
            open: Vec::new(),
            begun: false,
            found: false,
            batch: *BATCH.start(),
            skipped: Vec::new(),
        });
        Self { state, ready: Vec::new(), last: None, closed: false, skipped: None, store }
    }
}

impl WalkSource for Descent {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Entry>>> {
        if std::mem::take(&mut self.closed)
            && let (State::Idle(levels), Some(dir)) = (&mut self.state, &self.last)
        {
            // The caller has not skipped it.
            self.ready.clear();
            levels.reopen(dir);
        }
        loop {
            if let Some(Ahead { entry, closed }) = self.ready.pop() {
                self.last = entry.is_dir().then(|| entry.path().clone());
                self.closed = closed;
                return Poll::Ready(Some(Ok(entry)));
            }
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Ended => return Poll::Ready(None),
                State::Idle(mut levels) => {
                    if let Some(skipped) = self.skipped.take() {
                        levels.leave(&skipped);
                    }
                    let store = Arc::clone(&self.store);
                    let read = async move {
                        store.require_open()?;
                        store.work.wait_abandoned(&levels.start).await;
                        let of = Arc::clone(&store);
                        let read = move || {
                            let start = levels.start.clone();
                            of.root.check_root(&start, levels.read(&of))
                        };
                        store.work.run(&[], read).await
                    };
                    self.state = State::Reading(read.boxed());
                }
                State::Reading(mut read) => match read.poll_unpin(cx) {
                    Poll::Pending => {
                        self.state = State::Reading(read);
                        return Poll::Pending;
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(error))),
                    Poll::Ready(Ok((levels, mut entries))) => {
                        if entries.is_empty() {
                            return Poll::Ready(None);
                        }
                        entries.reverse();
                        self.ready = entries;
                        self.state = State::Idle(levels);
                    }
                },
            }
        }
    }

    fn skip_dir(&mut self) {
        let Some(dir) = self.last.clone() else { return };
        if let State::Idle(levels) = &mut self.state {
            levels.learn(&dir);
        }
        if std::mem::take(&mut self.closed) {
            return;
        }
        while self.ready.last().is_some_and(|next| next.entry.path().starts_with(&dir)) {
            self.ready.pop();
        }
        // The next batch may still begin below it.
        if self.ready.is_empty() {
            self.skipped = Some(dir);
        }
    }
}

impl Levels {
    /// Opens the directories from the start down to the path that the walk starts after.
    fn begin(&mut self, store: &Store) -> Result<()> {
        self.begun = true;
        match list::open(store, &self.start) {
            Ok(dir) => drop(dir),
            // It has vanished during the walk.
            Err(error) if self.found && error.is_not_found() => return Ok(()),
            Err(error) => return Err(error),
        }
        let mut path = self.start.clone();
        loop {
            match list::after(&path, self.options.start_after.as_ref()) {
                After::Beginning => {
                    self.open.push(Level::new(path, None, true));
                    return Ok(());
                }
                After::End => return Ok(()),
                After::Name(name) => {
                    let below = path.join(name)?;
                    self.open.push(Level::new(path, Some(name), true));
                    match search::lookup(&store.root, &below, Resolve::Fully).map_err(explain)? {
                        Some(facts) if facts.kind == crate::sys::Kind::Dir => path = below,
                        _ => return Ok(()),
                    }
                }
            }
        }
    }

    /// Leaves a directory that the caller skips.
    fn leave(&mut self, dir: &Path) {
        if let Some(depth) = self.open.iter().position(|level| level.path == *dir) {
            self.open.truncate(depth);
        }
    }

    /// Remembers the name of a directory that the caller skipped.
    fn learn(&mut self, dir: &Path) {
        let name = dir.name().unwrap_or_default();
        if self.skipped.len() < SKIPPED && !self.skipped.iter().any(|it| **it == *name) {
            self.skipped.push(name.into());
        }
    }

    /// Continues with the content of a directory that was expected to be skipped, and forgets that expectation.
    fn reopen(&mut self, dir: &Path) {
        self.skipped.retain(|it| Some(&**it) != dir.name());
        self.options.start_after = Some(dir.clone());
        self.open.clear();
        self.begun = false;
    }

    /// Reads until there is a batch, or to the end.
    fn read(mut self, store: &Store) -> Result<(Self, Vec<Ahead>)> {
        let mut entries = Vec::new();
        if !self.begun {
            self.begin(store)?;
        }
        while entries.len() < self.batch && !self.open.is_empty() {
            self.read_level(store, &mut entries)?;
        }
        self.batch = (2 * self.batch).min(*BATCH.end());
        self.found |= !entries.is_empty();
        if !self.found && !store.is_visible(&self.start)? {
            return Err(Error::new(ErrorKind::PathNotFound));
        }
        self.found = true;
        Ok((self, entries))
    }

    /// Reads the lowest directory until there is a batch, or to its end, or to the first directory in it.
    fn read_level(&mut self, store: &Store, entries: &mut Vec<Ahead>) -> Result<()> {
        let Some(level) = self.open.last() else { return Ok(()) };
        let path = level.path.clone();
        let mut dir = LevelDir { store, path: &path, open: None };
        while entries.len() < self.batch {
            let Some(level) = self.open.last_mut() else { return Ok(()) };
            let Some(name) = level.names.next(|after| dir.window(after))? else {
                self.open.pop();
                return Ok(());
            };
            let Some(kind) = dir.kind(&name)? else { continue };
            // Too long for a path: a foreign file or directory.
            let Ok(child) = path.join(&*name.text) else { continue };
            if kind == NameKind::Dir {
                if !self.options.names_only {
                    self.open.push(Level::new(child, None, false));
                    return Ok(());
                }
                let closed = self.is_skipped(&name.text);
                entries.push(Ahead { entry: Entry::directory(child.clone()), closed });
                if !closed {
                    self.open.push(Level::new(child, None, true));
                    return Ok(());
                }
                continue;
            }
            let file = match self.options.names_only {
                true => Some(Entry::bare_file(child)),
                false => dir.file(&name)?,
            };
            if let Some(entry) = file {
                if !self.return_open(entries) {
                    return Ok(());
                }
                entries.push(Ahead { entry, closed: false });
            }
        }
        Ok(())
    }

    /// Whether the caller is expected to skip a directory of this name.
    fn is_skipped(&self, name: &str) -> bool {
        self.skipped.iter().any(|it| **it == *name)
    }

    /// Adds the open directories that were not returned yet. `false` if the caller is expected to skip one of
    /// them, which the walk then leaves.
    fn return_open(&mut self, entries: &mut Vec<Ahead>) -> bool {
        for depth in 0..self.open.len() {
            let level = &mut self.open[depth];
            if std::mem::replace(&mut level.given, true) {
                continue;
            }
            let entry = Entry::directory(level.path.clone());
            let closed = self.skipped.iter().any(|it| **it == *entry.name());
            entries.push(Ahead { entry, closed });
            if closed {
                self.open.truncate(depth);
                return false;
            }
        }
        true
    }
}

/// The directory of a level, which is opened when it is needed first. A directory that is gone is empty.
struct LevelDir<'a> {
    store: &'a Store,
    path: &'a Path,
    open: Option<OwnedFd>,
}

impl LevelDir<'_> {
    /// `None` if it is gone.
    fn open(&mut self) -> Result<Option<&OwnedFd>> {
        if self.open.is_none() {
            match self.store.root.open_dir(self.path) {
                Err(errno) if is_nothing(errno) => {}
                dir => self.open = Some(dir.map_err(explain)?),
            }
        }
        Ok(self.open.as_ref())
    }

    fn window(&mut self, after: Option<&str>) -> Result<Arc<Window>> {
        let (store, path) = (self.store, self.path);
        let Some(dir) = self.open()? else { return Ok(Arc::default()) };
        store.windows.get(&store.root, path, dir, after).map_err(explain)
    }

    fn kind(&mut self, name: &Name) -> Result<Option<NameKind>> {
        if name.kind != NameKind::Unknown {
            return Ok(Some(name.kind));
        }
        let sys = &self.store.root.sys;
        let Some(dir) = self.open()? else { return Ok(None) };
        names::kind_of(sys, dir, name).map_err(explain)
    }

    /// The entry of a file, with its metadata.
    fn file(&mut self, name: &Name) -> Result<Option<Entry>> {
        let (store, path) = (self.store, self.path);
        let Some(dir) = self.open()? else { return Ok(None) };
        list::entry(store, path, dir, name, |_| Ok(false))
    }
}
