//! [`Run`]: a program of the protocol, from one request to the next.
//!
//! The state of an operation is the list of the replies that it has received. To find its next request the program
//! is run from its beginning: each step takes the next reply, and the first step without one ends the run with
//! [`Stop::Pending`]. So programs are written as in the code, with calls and loops, and their states can be
//! compared and hashed.

use crate::{
    rules::{Rule, Rules},
    store::{Expect, Found, Key, Nonce, Object, OpId, Request, Response, Store},
};

/// Whether the server honours the condition of a DELETE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletes {
    /// It does.
    Conditional,
    /// It does not: tombstones stand for deleted files, and stay.
    Tombstones,
}

/// What all programs of a model share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) deletes: Deletes,
    pub(crate) rules: Rules,
    /// Whether sweeps follow. Without any, hints are not written: nothing reads them.
    pub(crate) sweeps: bool,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// A conditional put: `Objects::put_if`. The engine does not repeat it.
    Put { key: Key, sealed: Sealed, expect: Expect },
    /// A conditional DELETE. The engine does not repeat it.
    Delete { key: Key, tag: Nonce },
    /// `Objects::look`, `fetch` and `size`.
    Get(Key),
    /// `Objects::put_fresh` and `put_hint`: a put that the engine may repeat.
    PutFresh { key: Key, sealed: Sealed },
    /// `Objects::delete_final`: a DELETE that the engine may repeat.
    DeleteFinal(Key),
    /// A listing of one page.
    List(Listing),
    /// `Backend::server_time`.
    Now,
}

impl Step {
    /// The request, if it changes something.
    pub(crate) fn request(&self, sender: OpId) -> Option<Request> {
        let (key, expect, put) = match self {
            Self::Put { key, sealed, expect } => (key, *expect, Some(sealed)),
            Self::Delete { key, tag } => (key, Expect::Tag(*tag), None),
            Self::PutFresh { key, sealed } => (key, Expect::Any, Some(sealed)),
            Self::DeleteFinal(key) => (key, Expect::Any, None),
            Self::Get(_) | Self::List(_) | Self::Now => return None,
        };
        let put = put.map(|sealed| (sealed.nonce, sealed.object.clone()));
        Some(Request { sender, key: *key, expect, put })
    }

    /// The reply. `response` is how the request ended, if it changes something.
    pub(crate) fn reply(&self, store: &Store, response: Option<Response>) -> Reply {
        match (self, response) {
            (_, Some(Response::Done)) => Reply::Done,
            (_, Some(Response::Refused)) => Reply::Refused,
            (_, Some(Response::NotFound)) => Reply::NotFound,
            (Self::Get(key), None) => Reply::Found(store.get(*key).cloned()),
            (Self::List(listing), None) => Reply::Listed(
                store
                    .objects
                    .iter()
                    .filter(|(key, found)| listing.takes(**key, &found.object))
                    .map(|(key, found)| Item { key: *key, modified: found.modified })
                    .collect(),
            ),
            _ => Reply::Time(store.now),
        }
    }
}

/// An object under a fresh nonce, which is also its ETag.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Sealed {
    pub(crate) nonce: Nonce,
    pub(crate) object: Object,
}

/// What is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Listing {
    /// `!trash/`
    Hints,
    /// `!owners/`
    Owners,
    /// `!data/`
    AllData,
    /// `!data/<id>/`
    Data(Nonce),
    /// Everything of a tombstone's length.
    Tombstones,
}

impl Listing {
    pub(crate) fn takes(self, key: Key, object: &Object) -> bool {
        match self {
            Self::Hints => matches!(key, Key::Hint(..) | Key::Trace(_)),
            Self::Owners => matches!(key, Key::Owner(_)),
            Self::AllData => matches!(key, Key::Data(_)),
            Self::Data(id) => matches!(key, Key::Data(extent) if extent.id == id),
            Self::Tombstones => matches!(object, Object::Tombstone(_)),
        }
    }
}

/// A listed object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Item {
    pub(crate) key: Key,
    pub(crate) modified: u8,
}

/// The response to a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Reply {
    /// It took effect.
    Done,
    /// The server has refused it: its condition does not hold.
    Refused,
    /// There is nothing to delete.
    NotFound,
    /// There is none: whether it took effect is not known.
    Lost,
    /// Of [`Step::Get`].
    Found(Option<Found>),
    /// Of [`Step::List`].
    Listed(Vec<Item>),
    /// Of [`Step::Now`].
    Time(u8),
}

/// Why an operation failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Failure {
    /// There is no such file or upload.
    NotFound,
    /// An upload at the path is in progress.
    InProgress,
    /// The condition of the caller does not hold.
    PreconditionFailed,
    /// Another writer was opened.
    Fenced,
    /// The store did not say whether a request took effect.
    Unavailable,
    /// The data is being removed.
    ContentChanged,
    /// The store holds what the protocol does not allow.
    Corrupted,
}

/// Why a run of a program stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It waits for the reply to a step.
    Pending(Step),
    /// The operation failed.
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

pub(crate) type Result<T> = std::result::Result<T, Stop>;

/// A run of a program.
pub(crate) struct Run<'a> {
    pub(crate) settings: &'a Settings,
    op: OpId,
    replies: std::slice::Iter<'a, Reply>,
    made: u8,
}

impl<'a> Run<'a> {
    pub(crate) fn new(settings: &'a Settings, op: OpId, replies: &'a [Reply]) -> Self {
        Self { settings, op, replies: replies.iter(), made: 0 }
    }

    pub(crate) fn keeps(&self, rule: Rule) -> bool {
        self.settings.rules.keep(rule)
    }

    pub(crate) fn fresh(&mut self) -> Nonce {
        self.made += 1;
        Nonce { op: self.op, number: self.made }
    }

    pub(crate) fn seal(&mut self, object: Object) -> Sealed {
        Sealed { nonce: self.fresh(), object }
    }

    fn step(&mut self, step: impl FnOnce() -> Step) -> Result<&'a Reply> {
        self.replies.next().ok_or_else(|| Stop::Pending(step()))
    }

    pub(crate) fn put_if(&mut self, key: Key, sealed: &Sealed, expect: Expect) -> Result<Reply> {
        self.step(|| Step::Put { key, sealed: sealed.clone(), expect }).cloned()
    }

    pub(crate) fn delete_if(&mut self, key: Key, tag: Nonce) -> Result<Reply> {
        self.step(|| Step::Delete { key, tag }).cloned()
    }

    pub(crate) fn get(&mut self, key: Key) -> Result<Option<Found>> {
        match self.step(|| Step::Get(key))? {
            Reply::Found(found) => Ok(found.clone()),
            _ => Err(Failure::Unavailable.into()),
        }
    }

    pub(crate) fn put_fresh(&mut self, key: Key, object: Object) -> Result<()> {
        let sealed = self.seal(object);
        self.served(|| Step::PutFresh { key, sealed })
    }

    pub(crate) fn delete_final(&mut self, key: Key) -> Result<()> {
        self.served(|| Step::DeleteFinal(key))
    }

    fn served(&mut self, step: impl FnOnce() -> Step) -> Result<()> {
        match self.step(step)? {
            Reply::Lost => Err(Failure::Unavailable.into()),
            _ => Ok(()),
        }
    }

    pub(crate) fn list(&mut self, listing: Listing) -> Result<Vec<Item>> {
        match self.step(|| Step::List(listing))? {
            Reply::Listed(items) => Ok(items.clone()),
            _ => Err(Failure::Unavailable.into()),
        }
    }

    pub(crate) fn server_time(&mut self) -> Result<u8> {
        match self.step(|| Step::Now)? {
            Reply::Time(now) => Ok(*now),
            _ => Err(Failure::Unavailable.into()),
        }
    }
}
