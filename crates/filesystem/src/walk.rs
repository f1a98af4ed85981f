//! Walking: everything below a directory, in order.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures::{FutureExt, future::BoxFuture};
use storage_driver::{Entry, Error, ErrorKind, Path, Result, WalkSource};

use crate::{
    error::{explain, is_nothing},
    list::{self, After},
    names::{self, NameKind, Names},
    store::Store,
    sys::Resolve,
};

/// How many entries are read ahead.
const BATCH: usize = 1000;

/// A walk: where it is, and what was read ahead.
pub(crate) struct Descent {
    state: State,
    /// In reverse, so that the next is popped.
    ready: Vec<Entry>,
    last: Option<Path>,
    /// A directory to leave, as soon as the levels are back.
    skipped: Option<Path>,
    store: Arc<Store>,
}

enum State {
    Idle(Levels),
    Reading(BoxFuture<'static, Result<(Levels, Vec<Entry>)>>),
    Ended,
}

/// The directories from the start down to where the walk is.
struct Levels {
    start: Path,
    start_after: Option<Path>,
    open: Vec<Level>,
    begun: bool,
    /// Whether anything was found.
    found: bool,
}

/// A directory that is being walked. Only the lowest is open, and only while it is read.
struct Level {
    path: Path,
    names: Names,
    /// Whether it was given: that waits until there is a file below.
    given: bool,
}

impl Level {
    fn new(path: Path, after: Option<&str>, given: bool) -> Self {
        Self { path, names: Names::new(after), given }
    }
}

impl Descent {
    pub(crate) fn new(store: Arc<Store>, start: Path, start_after: Option<Path>) -> Self {
        let levels = Levels { start, start_after, open: Vec::new(), begun: false, found: false };
        Self { state: State::Idle(levels), ready: Vec::new(), last: None, skipped: None, store }
    }
}

impl WalkSource for Descent {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Entry>>> {
        loop {
            if let Some(entry) = self.ready.pop() {
                self.last = Some(entry.path().clone());
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
                        store.work.settled(&levels.start).await;
                        let of = Arc::clone(&store);
                        let read = move || levels.read(&of);
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
        while self.ready.last().is_some_and(|next| next.path().starts_with(&dir)) {
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
        drop(list::open(store, &self.start)?);
        let mut path = self.start.clone();
        loop {
            match list::after(&path, self.start_after.as_ref()) {
                After::Beginning => {
                    self.open.push(Level::new(path, None, true));
                    return Ok(());
                }
                After::End => return Ok(()),
                After::Name(name) => {
                    let below = path.join(name)?;
                    self.open.push(Level::new(path, Some(name), true));
                    match names::look(store, &below, Resolve::Fully).map_err(explain)? {
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

    /// Reads on until there is a batch, or the end.
    fn read(mut self, store: &Store) -> Result<(Self, Vec<Entry>)> {
        let mut entries = Vec::new();
        if !self.begun {
            self.begin(store)?;
        }
        while entries.len() < BATCH && !self.open.is_empty() {
            self.read_level(store, &mut entries)?;
        }
        self.found |= !entries.is_empty();
        if !self.found && !store.is_visible(&self.start)? {
            return Err(Error::new(ErrorKind::PathNotFound));
        }
        self.found = true;
        Ok((self, entries))
    }

    /// Reads the lowest directory until there is a batch, it ends, or there is one below.
    fn read_level(&mut self, store: &Store, entries: &mut Vec<Entry>) -> Result<()> {
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
        while entries.len() < BATCH {
            let Some(level) = self.open.last_mut() else { return Ok(()) };
            let Some(name) = level.names.next(store, &dir).map_err(explain)? else {
                self.open.pop();
                return Ok(());
            };
            if names::kind_of(&store.sys, &dir, &name).map_err(explain)? == Some(NameKind::Dir) {
                if let Ok(path) = level.path.join(&*name.text) {
                    self.open.push(Level::new(path, None, false));
                    return Ok(());
                }
                continue;
            }
            let path = level.path.clone();
            if let Some(file) = list::entry(store, &path, &dir, &name, |_| Ok(false))? {
                for level in self.open.iter_mut().filter(|level| !level.given) {
                    level.given = true;
                    entries.push(Entry::directory(level.path.clone()));
                }
                entries.push(file);
            }
        }
        Ok(())
    }
}
