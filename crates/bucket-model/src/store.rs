//! [`Store`]: the objects of a bucket, and what one request does to them.

use std::{collections::BTreeMap, fmt};

/// An operation of an actor: the actor's number and the place of the operation in its script.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct OpId {
    pub(crate) actor: u8,
    pub(crate) place: u8,
}

impl fmt::Debug for OpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.actor, self.place)
    }
}

/// A name that is used once. In the code it is random; here it says which operation made it, so that two
/// interleavings that lead to the same objects are one state.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Nonce {
    pub(crate) op: OpId,
    pub(crate) number: u8,
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}.{}", self.op, self.number)
    }
}

/// The path of a file or an upload: one letter.
pub type Path = char;

/// The key of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Key {
    /// `a/b/c`: a record or a tombstone.
    File(Path),
    /// `!uploads/a/b/c`: a journal or a tombstone.
    Journal(Path),
    /// `!owners/<id>`.
    Owner(Nonce),
    /// `!data/<id>/<name>`.
    Data(Extent),
    /// `!trash/<id>/<nonce>`.
    Hint(Nonce, Nonce),
    /// `!trash/-/<life>`: the life of a file that has ended.
    Trace(Nonce),
}

/// An extent: the id of the upload that it was written in, and its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Extent {
    pub(crate) id: Nonce,
    pub(crate) name: Nonce,
}

impl fmt::Debug for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}/{:?}", self.id, self.name)
    }
}

/// The record of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Record {
    pub(crate) version: Nonce,
    pub(crate) extents: Vec<Extent>,
    pub(crate) origin: Option<Origin>,
    pub(crate) lineage: Lineage,
}

/// Which states a path had before the one that is there.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Lineage {
    /// The first state of this life; `None` for a state that begins one.
    pub(crate) life: Option<Nonce>,
    /// The latest states, the last of them last.
    pub(crate) history: Vec<Nonce>,
    /// The end of this life leaves a tombstone.
    pub(crate) fenced: bool,
}

/// The upload that a record was committed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Origin {
    pub(crate) upload: Path,
    pub(crate) commit: Nonce,
}

/// The state of an upload. The tail and the note are left out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Journal {
    pub(crate) id: Nonce,
    pub(crate) owner: Option<Nonce>,
    pub(crate) extents: Vec<Extent>,
    pub(crate) commit: Option<Commit>,
    /// The owner has other holders than the journal.
    pub(crate) shared: bool,
    /// A request that creates it may still be under way: its end leaves a tombstone.
    pub(crate) fenced: bool,
}

/// A commit that was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Commit {
    pub(crate) dest: Path,
    pub(crate) nonce: Nonce,
    /// Its writer is fenced.
    pub(crate) fenced: bool,
}

/// Which paths may name the extents of one upload.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Owner {
    pub(crate) holders: Vec<Holder>,
    pub(crate) dying: bool,
}

/// Who may name an extent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Holder {
    /// The record of a file.
    File(Path),
    /// The journal of an upload.
    Upload(Path),
}

/// An object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Object {
    /// A file.
    Record(Record),
    /// An upload.
    Journal(Journal),
    /// Which paths may name extents.
    Owner(Owner),
    /// A path that is to be taken for absent, and the latest states before it, the last of them last.
    Tombstone(Vec<Nonce>),
    /// An extent.
    Data,
    /// A hint for the sweeper.
    Hint,
}

/// An object as it was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Found {
    /// Its ETag: the nonce in its envelope.
    pub(crate) tag: Nonce,
    /// The [`Store::now`] at which it was written.
    pub(crate) modified: u8,
    pub(crate) object: Object,
}

/// What has to be at a key for a request to take effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Expect {
    /// Anything.
    Any,
    /// `If-None-Match: *`.
    Absent,
    /// `If-Match`.
    Tag(Nonce),
}

/// A request that changes an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Request {
    pub(crate) sender: OpId,
    pub(crate) key: Key,
    pub(crate) expect: Expect,
    /// The new object with its ETag, or `None` to delete.
    pub(crate) put: Option<(Nonce, Object)>,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Response {
    /// It took effect.
    Done,
    /// A DELETE found nothing.
    NotFound,
    /// Its condition does not hold.
    Refused,
}

/// The objects of a bucket, and the server's clock.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Store {
    pub(crate) objects: BTreeMap<Key, Found>,
    /// Counts graces: what was written at an earlier value is older than the grace.
    pub(crate) now: u8,
}

impl Store {
    pub(crate) fn get(&self, key: Key) -> Option<&Found> {
        self.objects.get(&key)
    }

    /// How `request` would end now.
    pub(crate) fn outcome(&self, request: &Request) -> Response {
        let found = self.get(request.key);
        match (request.expect, found) {
            (Expect::Absent, Some(_)) => Response::Refused,
            (Expect::Tag(tag), Some(found)) if found.tag != tag => Response::Refused,
            (Expect::Tag(_), None) if request.put.is_some() => Response::Refused,
            (_, None) if request.put.is_none() => Response::NotFound,
            _ => Response::Done,
        }
    }

    /// Applies `request` as one atomic step.
    pub(crate) fn apply(&mut self, request: &Request) -> Response {
        let response = self.outcome(request);
        if response == Response::Done {
            match &request.put {
                Some((tag, object)) => {
                    let found = Found { tag: *tag, modified: self.now, object: object.clone() };
                    self.objects.insert(request.key, found);
                }
                None => {
                    self.objects.remove(&request.key);
                }
            }
        }
        response
    }

    pub(crate) fn record(&self, path: Path) -> Option<&Record> {
        match &self.get(Key::File(path))?.object {
            Object::Record(record) => Some(record),
            _ => None,
        }
    }

    pub(crate) fn journal(&self, path: Path) -> Option<&Journal> {
        match &self.get(Key::Journal(path))?.object {
            Object::Journal(journal) => Some(journal),
            _ => None,
        }
    }
}
