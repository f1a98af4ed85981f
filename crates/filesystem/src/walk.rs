//! Walking: everything below a directory, in order.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures::{FutureExt, future::BoxFuture};
use storage_driver::{Entry, Error, ErrorKind, Path, Result, WalkOptions, WalkSource};

use crate::{
    error::{explain, is_nothing},
    list::{self, After},
    names::{self, NameKind, Names},
    store::Store,
    sys::Resolve,
};

/// How many entries are read ahead: few at first, for a caller who wants no more, then more.
const BATCH: std::ops::RangeInclusive<usize> = 64..=1000;

/// How many names of directories are remembered that the caller skipped.
const SKIPPED: usize = 16;

/// A walk: where it is, and what was read ahead.
pub(crate) struct Descent {
    state: State,
    /// In reverse, so that the next is popped.
    ready: Vec<Ahead>,
    /// What was given last, if it is a directory.
    last: Option<Path>,
    /// Whether the last is a directory that was not read on, for the caller was expected to skip it.
    closed: bool,
    /// A directory to leave, as soon as the levels are back.
    skipped: Option<Path>,
    store: Arc<Store>,
}

/// An entry that was read ahead.
struct Ahead {
    entry: Entry,
    /// It is a directory that was not read on. What follows is what comes after it.
    closed: bool,
}

enum State {
    Idle(Levels),
    Reading(BoxFuture<'static, Result<(Levels, Vec<Ahead>)>>),
    Ended,
}

/// The directories from the start down to where the walk is.
struct Levels {
    start: Path,
    options: WalkOptions,
    open: Vec<Level>,
    begun: bool,
    /// Whether anything was found.
    found: bool,
    batch: usize,
    /// What directories are called that the caller skipped: others of these names are expected to be
    /// skipped too, and not read on. One that is not is read when the caller asks for what is in it.
    skipped: Vec<Box<str>>,
}

/// A directory that is being walked. Only the lowest is open, and only while it is read.
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
            // It was not skipped after all.
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
                            of.check_root(&start, levels.read(&of))
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
        // What comes next may be below it still.
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
            // It has vanished while it was walked.
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
                    match names::lookup(store, &below, Resolve::Fully).map_err(explain)? {
                        Some(facts) if facts.kind == crate::sys::Kind::Dir => path = below,
                        _ => return Ok(()),
                    }
                }
            }
        }
    }

    /// Leaves a directory that the caller does not want to see.
    fn leave(&mut self, dir: &Path) {
        if let Some(depth) = self.open.iter().position(|level| level.path == *dir) {
            self.open.truncate(depth);
        }
    }

    /// Remembers that the caller skipped a directory that is called so.
    fn learn(&mut self, dir: &Path) {
        let name = dir.name().unwrap_or_default();
        if self.skipped.len() < SKIPPED && !self.skipped.iter().any(|it| **it == *name) {
            self.skipped.push(name.into());
        }
    }

    /// Goes on with what is in a directory that was expected to be skipped, and expects that no more.
    fn reopen(&mut self, dir: &Path) {
        self.skipped.retain(|it| Some(&**it) != dir.name());
        self.options.start_after = Some(dir.clone());
        self.open.clear();
        self.begun = false;
    }

    /// Reads on until there is a batch, or the end.
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

    /// Reads the lowest directory until there is a batch, it ends, or there is one below.
    fn read_level(&mut self, store: &Store, entries: &mut Vec<Ahead>) -> Result<()> {
        let Some(level) = self.open.last_mut() else { return Ok(()) };
        let dir = match store.open_dir(&level.path) {
            Ok(dir) => dir,
            // It is gone.
            Err(errno) if is_nothing(errno) => {
                self.open.pop();
                return Ok(());
            }
            Err(errno) => return Err(explain(errno)),
        };
        while entries.len() < self.batch {
            let Some(level) = self.open.last_mut() else { return Ok(()) };
            let Some(name) = level.names.next(store, &dir).map_err(explain)? else {
                self.open.pop();
                return Ok(());
            };
            let Some(kind) = names::kind_of(&store.sys, &dir, &name).map_err(explain)? else {
                continue;
            };
            // Too long for a path: a foreign file or directory.
            let Ok(child) = level.path.join(&*name.text) else { continue };
            if kind == NameKind::Dir {
                self.open.push(Level::new(child, None, false));
                if self.options.names_only {
                    self.return_open(entries);
                }
                return Ok(());
            }
            let file = match self.options.names_only {
                true => Some(Entry::bare_file(child)),
                false => list::entry(store, &level.path, &dir, &name, |_| Ok(false))?,
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
