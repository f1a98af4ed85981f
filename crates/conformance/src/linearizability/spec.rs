//! The sequential store that defines what each operation may return, and its effect.

use std::{borrow::Cow, collections::BTreeMap};

use storage_driver::{ErrorKind, Precondition, Version};

use super::event::{Call, Event, Outcome};

/// Content and version of each file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Store {
    files: BTreeMap<String, (u32, Version)>,
}

impl Store {
    /// Adds a file that exists before the history begins.
    pub(super) fn insert(&mut self, at: &str, content: u32, version: Version) {
        self.files.insert(at.to_owned(), (content, version));
    }

    /// The store after the operation, if its result is possible in this state.
    pub(super) fn after(&self, event: &Event, rejects_conflicts: bool) -> Option<Cow<'_, Self>> {
        let wrong = self.refusals(event);
        match &event.outcome {
            Outcome::Failed(kind) => wrong.contains(kind).then_some(Cow::Borrowed(self)),
            // A driver that does not notice conflicts allows them.
            _ if wrong.iter().any(|kind| rejects_conflicts || *kind != ErrorKind::PathConflict) => {
                None
            }
            _ if self.reads(event) => Some(Cow::Borrowed(self)),
            _ => self.changed_by(event).map(Cow::Owned),
        }
    }

    /// Whether the operation only reads, with a result that is possible in this state.
    fn reads(&self, event: &Event) -> bool {
        match (&event.call, &event.outcome) {
            (Call::Get { at } | Call::Stat { at }, Outcome::File { version, content }) => {
                self.files.get(*at).is_some_and(|file| {
                    file.1 == *version && content.is_none_or(|content| content == file.0)
                })
            }
            (Call::Stat { at }, Outcome::Directory) => {
                self.is_dir(at) && !self.files.contains_key(*at)
            }
            (Call::List { at }, Outcome::Entries(entries)) => self.lists(at, entries),
            _ => false,
        }
    }

    /// The store after a change, if its result is possible in this state.
    fn changed_by(&self, event: &Event) -> Option<Self> {
        let mut next = self.clone();
        match (&event.call, &event.outcome) {
            (Call::Put { at, .. } | Call::CommitTo { at, .. }, Outcome::File { version, .. }) => {
                next.files.insert((*at).to_owned(), (event.content, version.clone()));
            }
            (Call::Touch { at, .. }, Outcome::File { version, .. }) => {
                let file = next.files.get_mut(*at)?;
                if file.1 == *version {
                    return None;
                }
                file.1 = version.clone();
            }
            (Call::Rename { from, to, .. }, Outcome::File { version, .. }) => {
                let file = next.files.remove(*from)?;
                if file.1 != *version {
                    return None;
                }
                next.files.insert((*to).to_owned(), file);
            }
            (Call::Copy { from, to, .. }, Outcome::File { version, .. }) => {
                let (content, source) = self.files.get(*from)?;
                if (from == to) != (source == version) {
                    return None;
                }
                next.files.insert((*to).to_owned(), (*content, version.clone()));
            }
            (Call::RenameDir { from, to }, Outcome::Done) => {
                let moves = |(at, file): (String, _)| match at.strip_prefix(from) {
                    Some(rest) if rest.starts_with('/') => (format!("{to}{rest}"), file),
                    _ => (at, file),
                };
                next.files = next.files.into_iter().map(moves).collect();
            }
            (Call::Delete { at, .. }, Outcome::Done) => {
                next.files.remove(*at);
            }
            (Call::DeleteDir { at }, Outcome::Done) => {
                next.files.retain(|file, _| !is_below(file, at));
            }
            _ => return None,
        }
        Some(next)
    }

    /// All the errors that are correct in this state. The operation may return any of them.
    fn refusals(&self, event: &Event) -> Vec<ErrorKind> {
        use ErrorKind::{
            IsADirectory, NotADirectory, PathConflict, PathNotFound, PreconditionFailed,
            Unsupported,
        };
        let mut wrong = Vec::new();
        let mut refuse = |holds: bool, kind| {
            if holds {
                wrong.push(kind);
            }
        };
        let unmet = |at: &str| !self.meets(at, &event.condition);
        let is_file = |at: &str| self.files.contains_key(at);
        let is_nothing = |at: &str| !is_file(at) && !self.is_dir(at);
        match event.call {
            Call::Put { at, .. } | Call::CommitTo { at, .. } => {
                refuse(self.conflicts(at), PathConflict);
                refuse(unmet(at), PreconditionFailed);
            }
            Call::Touch { .. } | Call::Delete { .. }
                if event.condition == Precondition::IfAbsent =>
            {
                refuse(true, Unsupported);
            }
            Call::Touch { at, .. } | Call::Delete { at, .. } => {
                refuse(is_nothing(at), PathNotFound);
                refuse(!is_file(at) && self.is_dir(at), IsADirectory);
                refuse(is_file(at) && unmet(at), PreconditionFailed);
            }
            Call::DeleteDir { at } => {
                refuse(is_nothing(at), PathNotFound);
                refuse(is_file(at), NotADirectory);
            }
            Call::Get { at } => {
                refuse(is_nothing(at), PathNotFound);
                refuse(!is_file(at) && self.is_dir(at), IsADirectory);
            }
            Call::Stat { at } => refuse(is_nothing(at), PathNotFound),
            Call::List { at } => {
                refuse(is_nothing(at), PathNotFound);
                refuse(is_file(at), NotADirectory);
            }
            Call::Rename { from, to, .. } | Call::Copy { from, to, .. } => {
                refuse(is_nothing(from), PathNotFound);
                refuse(!is_file(from) && self.is_dir(from), IsADirectory);
                if is_file(from) {
                    refuse(from != to && self.conflicts(to), PathConflict);
                    refuse(unmet(to), PreconditionFailed);
                }
            }
            Call::RenameDir { from, to } => {
                refuse(is_nothing(from), PathNotFound);
                refuse(is_file(from), NotADirectory);
                if self.is_dir(from) {
                    refuse(!is_nothing(to) || self.conflicts(to), PathConflict);
                }
            }
        }
        wrong
    }

    fn meets(&self, at: &str, condition: &Precondition) -> bool {
        condition.check(self.files.get(at).map(|(_, version)| version)).is_ok()
    }

    fn is_dir(&self, at: &str) -> bool {
        self.files.keys().any(|file| is_below(file, at))
    }

    fn conflicts(&self, at: &str) -> bool {
        self.is_dir(at) || self.files.keys().any(|file| is_below(at, file))
    }

    fn lists(&self, at: &str, entries: &[(String, bool, Option<Version>)]) -> bool {
        let mut children = BTreeMap::new();
        for (file, (_, version)) in &self.files {
            if let Some(rest) = file.strip_prefix(at).and_then(|rest| rest.strip_prefix('/')) {
                match rest.split_once('/') {
                    Some((dir, _)) => children.insert(dir, None),
                    None => children.insert(rest, Some(version)),
                };
            }
        }
        children.len() == entries.len()
            && children.iter().zip(entries).all(|((name, file), (entry, is_dir, version))| {
                name == entry
                    && file.is_none() == *is_dir
                    && version.as_ref().is_none_or(|version| *file == Some(version))
            })
    }
}

fn is_below(file: &str, dir: &str) -> bool {
    file.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'))
}
