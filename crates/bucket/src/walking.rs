//! [`Walking`]: a walk by a flat listing of files. Directories are those that their paths imply.

use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures::{FutureExt, future::BoxFuture};
use storage_driver::{Entry, Path, Result, WalkOptions, WalkSource};

use crate::{
    backend::Backend,
    ordered::{Ordered, Space},
};

/// The source of a walk, which is polled.
pub(crate) struct Walking {
    state: State,
    /// The directory whose contents are skipped.
    skipped: Option<Path>,
    /// The entry that was returned last, if it is a directory.
    last_dir: Option<Path>,
}

enum State {
    Idle(Box<Steps>),
    Busy(BoxFuture<'static, (Box<Steps>, Result<Option<Entry>>)>),
    Ended,
}

impl Walking {
    pub(crate) fn new(backend: &Arc<Backend>, path: &Path, options: WalkOptions) -> Self {
        let state = State::Idle(Box::new(Steps::new(backend, path, options.start_after)));
        Self { state, skipped: None, last_dir: None }
    }
}

impl WalkSource for Walking {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Entry>>> {
        loop {
            let (steps, result) = match &mut self.state {
                State::Ended => return Poll::Ready(None),
                State::Busy(step) => ready!(step.poll_unpin(cx)),
                State::Idle(_) => {
                    if let State::Idle(mut steps) = std::mem::replace(&mut self.state, State::Ended)
                    {
                        let step = async move {
                            let result = steps.next().await;
                            (steps, result)
                        };
                        self.state = State::Busy(step.boxed());
                    }
                    continue;
                }
            };
            self.state = State::Idle(steps);
            match result {
                Ok(Some(entry)) => {
                    if self.skipped.as_ref().is_some_and(|dir| entry.path().starts_with(dir)) {
                        continue;
                    }
                    self.last_dir = entry.is_dir().then(|| entry.path().clone());
                    return Poll::Ready(Some(Ok(entry)));
                }
                Ok(None) => self.state = State::Ended,
                Err(error) => {
                    self.state = State::Ended;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }

    fn skip_dir(&mut self) {
        self.skipped = self.last_dir.clone();
    }
}

/// The steps of a walk.
struct Steps {
    backend: Arc<Backend>,
    path: Path,
    start_after: Option<Path>,
    files: Ordered,
    /// Entries of the file that was found last: the directories above it that are new, and itself.
    entries: VecDeque<Entry>,
    last: Option<Path>,
    found: bool,
}

impl Steps {
    fn new(backend: &Arc<Backend>, path: &Path, start_after: Option<Path>) -> Self {
        let files = Ordered::new(backend, Space::Files, path, start_after.as_ref(), None);
        Self {
            backend: Arc::clone(backend),
            path: path.clone(),
            start_after,
            files,
            entries: VecDeque::new(),
            last: None,
            found: false,
        }
    }

    async fn next(&mut self) -> Result<Option<Entry>> {
        if !self.found {
            self.backend.tasks.enter(&[&self.path]).await?;
        }
        loop {
            if let Some(entry) = self.entries.pop_front() {
                return Ok(Some(entry));
            }
            let Some(file) = self.files.next().await? else {
                if !self.found {
                    self.backend.require_directory(&self.path).await?;
                }
                return Ok(None);
            };
            // No path is both. What is below a file is not shown.
            if self.found && self.last.as_ref().is_some_and(|last| file.starts_with(last)) {
                continue;
            }
            self.found = true;
            let above = file.ancestors().skip(1).filter(|dir| dir.starts_with(&self.path));
            let new = |dir: &Path| {
                *dir != self.path
                    && self.last.as_ref().is_none_or(|last| !last.starts_with(dir))
                    && self.start_after.as_ref().is_none_or(|start| dir > start)
            };
            let mut dirs: Vec<Path> = above.filter(new).collect();
            dirs.sort_unstable();
            self.entries.extend(dirs.into_iter().map(Entry::directory));
            self.entries.push_back(Entry::bare_file(file.clone()));
            self.last = Some(file);
        }
    }
}
