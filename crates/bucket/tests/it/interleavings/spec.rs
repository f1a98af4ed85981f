//! The contract as a sequential store, and the search for an order that explains a history.

use std::collections::{BTreeMap, HashSet};

use storage_driver::ErrorKind;

/// The pieces that a content consists of, each of which was written once.
pub(super) type Pieces = Vec<u16>;

/// A condition; versions are told by their contents, because no content is written twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum When {
    Always,
    IfAbsent,
    Is(Pieces),
}

impl When {
    fn holds(&self, found: Option<&Pieces>) -> bool {
        match self {
            Self::Always => true,
            Self::IfAbsent => found.is_none(),
            Self::Is(pieces) => found == Some(pieces),
        }
    }
}

/// What a process called. An opening of a writer is named by the index of its call.
#[derive(Debug, Clone)]
pub(super) enum Call {
    Put { at: &'static str, pieces: Pieces, when: When },
    Get { at: &'static str },
    Delete { at: &'static str, when: When },
    Create { at: &'static str },
    Resume { at: &'static str },
    Sync { at: &'static str, opening: usize, accepted: Pieces },
    Commit { at: &'static str, opening: usize, accepted: Pieces, to: &'static str, when: When },
    CancelWriter { at: &'static str, opening: usize },
    Cancel { at: &'static str },
    Look { at: &'static str },
}

/// What it returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It did not return, or with an error that does not say whether it has taken effect.
    Unknown,
    Done,
    Content(Pieces),
    /// The size of an upload.
    Size(u64),
    Nothing,
    Failed(ErrorKind),
}

/// A call in a history.
#[derive(Debug, Clone)]
pub(super) struct Op {
    pub(super) process: usize,
    pub(super) call: Call,
    pub(super) outcome: Outcome,
    pub(super) begun: u64,
    /// [`u64::MAX`] if it may still take effect.
    pub(super) ended: u64,
}

/// The length of a piece in the store: some lie in extents, some in records and journals.
pub(super) fn length(piece: u16) -> usize {
    if piece % 3 == 2 { 40 } else { 70_000 }
}

pub(super) fn size(pieces: &[u16]) -> u64 {
    pieces.iter().map(|piece| length(*piece) as u64).sum()
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Upload {
    opening: usize,
    /// What it held when it was opened.
    base: Pieces,
    kept: Pieces,
}

/// The store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct State {
    files: BTreeMap<&'static str, Pieces>,
    uploads: BTreeMap<&'static str, Upload>,
}

impl State {
    fn with_file(&self, at: &'static str, pieces: &Pieces) -> Self {
        let mut next = self.clone();
        next.files.insert(at, pieces.clone());
        next
    }

    fn without_file(&self, at: &'static str) -> Self {
        let mut next = self.clone();
        next.files.remove(at);
        next
    }

    fn with_upload(&self, at: &'static str, upload: Upload) -> Self {
        let mut next = self.clone();
        next.uploads.insert(at, upload);
        next
    }

    fn without_upload(&self, at: &'static str) -> Self {
        let mut next = self.clone();
        next.uploads.remove(at);
        next
    }

    /// The states that may follow if `op`, the call with that index, takes effect now and returns what it did.
    ///
    /// A `contended` commit is one during which another process opens or cancels the upload. That undoes the commit
    /// and fences its writer as a step of its own, after which the upload has what the commit has kept.
    fn after(&self, index: usize, op: &Op, contended: bool) -> Vec<Self> {
        let (effect, failure) = self.results(index, &op.call);
        if let Call::Commit { at, opening, .. } = &op.call
            && contended
            && op.outcome == Outcome::Failed(ErrorKind::WriterFenced)
            && self.current(at, *opening).is_some()
        {
            let undone = self.partial(&op.call).into_iter().chain([self.clone()]);
            return undone.map(|state| state.fenced(at)).collect();
        }
        match &op.outcome {
            Outcome::Unknown => {
                let mut all = self.partial(&op.call);
                all.push(self.clone());
                if failure.is_none() {
                    all.push(effect.0);
                }
                all
            }
            Outcome::Failed(kind) => match failure {
                Some((expected, next)) if same_failure(*kind, expected) => vec![next],
                _ => Vec::new(),
            },
            outcome if failure.is_none() && *outcome == effect.1 => vec![effect.0],
            _ => Vec::new(),
        }
    }

    /// The state and the outcome of a call that succeeds; and its failure, if it has to fail.
    fn results(&self, index: usize, call: &Call) -> ((Self, Outcome), Option<(ErrorKind, Self)>) {
        let same = || self.clone();
        let fails = |kind| Some((kind, self.clone()));
        match call {
            Call::Put { at, pieces, when } => {
                let held = when.holds(self.files.get(at));
                let failure = (!held).then(|| (ErrorKind::PreconditionFailed, same()));
                ((self.with_file(at, pieces), Outcome::Done), failure)
            }
            Call::Get { at } => match self.files.get(at) {
                Some(pieces) => ((same(), Outcome::Content(pieces.clone())), None),
                None => ((same(), Outcome::Nothing), None),
            },
            Call::Delete { at, when } => {
                let failure = match self.files.get(at) {
                    None => fails(ErrorKind::PathNotFound),
                    found if !when.holds(found) => fails(ErrorKind::PreconditionFailed),
                    Some(_) => None,
                };
                ((self.without_file(at), Outcome::Done), failure)
            }
            Call::Create { at } => {
                let upload = Upload { opening: index, base: Pieces::new(), kept: Pieces::new() };
                ((self.with_upload(at, upload), Outcome::Size(0)), None)
            }
            Call::Resume { at } => match self.uploads.get(at) {
                None => ((same(), Outcome::Nothing), None),
                Some(upload) => {
                    let kept = upload.kept.clone();
                    let outcome = Outcome::Size(size(&kept));
                    let upload = Upload { opening: index, base: kept.clone(), kept };
                    ((self.with_upload(at, upload), outcome), None)
                }
            },
            Call::Sync { at, opening, accepted } => match self.current(at, *opening) {
                None => ((same(), Outcome::Done), fails(ErrorKind::WriterFenced)),
                Some(upload) => ((self.kept(at, upload, accepted), Outcome::Done), None),
            },
            Call::Commit { at, opening, accepted, to, when } => {
                let Some(upload) = self.current(at, *opening) else {
                    return ((same(), Outcome::Done), fails(ErrorKind::WriterFenced));
                };
                if !when.holds(self.files.get(to)) {
                    let kept = self.kept(at, upload, accepted);
                    return ((same(), Outcome::Done), Some((ErrorKind::PreconditionFailed, kept)));
                }
                let pieces = [&upload.base[..], accepted].concat();
                let next = self.with_file(to, &pieces).without_upload(at);
                ((next, Outcome::Done), None)
            }
            Call::CancelWriter { at, opening } => {
                let failure = match self.current(at, *opening) {
                    None => fails(ErrorKind::WriterFenced),
                    Some(_) => None,
                };
                ((self.without_upload(at), Outcome::Done), failure)
            }
            Call::Cancel { at } => {
                let failure = match self.uploads.get(at) {
                    None => fails(ErrorKind::PathNotFound),
                    Some(_) => None,
                };
                ((self.without_upload(at), Outcome::Done), failure)
            }
            Call::Look { at } => {
                let outcome = match self.uploads.get(at) {
                    None => Outcome::Nothing,
                    Some(upload) => Outcome::Size(size(&upload.kept)),
                };
                ((same(), outcome), None)
            }
        }
    }

    fn current(&self, at: &str, opening: usize) -> Option<&Upload> {
        self.uploads.get(at).filter(|upload| upload.opening == opening)
    }

    fn kept(&self, at: &'static str, upload: &Upload, accepted: &Pieces) -> Self {
        let kept = [&upload.base[..], accepted].concat();
        self.with_upload(at, Upload { kept, ..upload.clone() })
    }

    fn fenced(&self, at: &'static str) -> Self {
        let mut next = self.clone();
        if let Some(upload) = next.uploads.get_mut(at) {
            upload.opening = usize::MAX;
        }
        next
    }

    /// What a call of unknown outcome may have done of its work: a commit may have kept the data.
    fn partial(&self, call: &Call) -> Vec<Self> {
        match call {
            Call::Commit { at, opening, accepted, .. } => self
                .current(at, *opening)
                .map(|upload| self.kept(at, upload, accepted))
                .into_iter()
                .collect(),
            _ => Vec::new(),
        }
    }
}

/// A condition on a file that is not there may be reported as either.
fn same_failure(kind: ErrorKind, expected: ErrorKind) -> bool {
    kind == expected || kind == ErrorKind::PreconditionFailed && expected == ErrorKind::PathNotFound
}

/// Whether another process opens or cancels the upload of a commit while the commit is under way.
fn is_contended(op: &Op, ops: &[Op]) -> bool {
    let Call::Commit { at: upload, .. } = op.call else { return false };
    ops.iter().any(|other| {
        let opens = match other.call {
            Call::Create { at } | Call::Resume { at } | Call::Cancel { at } => at == upload,
            _ => false,
        };
        opens && other.process != op.process && other.begun < op.ended && op.begun < other.ended
    })
}

/// Whether there is an order of the calls in which each returns what it did, and in which no call comes before
/// one that had ended when it began. The search is Wing and Gong's.
pub(super) fn is_explained(ops: &[Op]) -> bool {
    assert!(ops.len() <= 64, "a history has at most 64 calls");
    let ended = |op: &Op| op.ended != u64::MAX;
    let all: u64 =
        ops.iter().enumerate().filter(|(_, op)| ended(op)).map(|(index, _)| 1 << index).sum();
    let contended: Vec<bool> = ops.iter().map(|op| is_contended(op, ops)).collect();
    let mut seen = HashSet::new();
    let mut open = vec![(0_u64, State::default())];
    while let Some((done, state)) = open.pop() {
        if done & all == all {
            return true;
        }
        let left = || ops.iter().enumerate().filter(|(index, _)| done & 1 << index == 0);
        let horizon = left().map(|(_, op)| op.ended).min().unwrap_or(u64::MAX);
        for (index, op) in left().filter(|(_, op)| op.begun < horizon) {
            for next in state.after(index, op, contended[index]) {
                let item = (done | 1 << index, next);
                if seen.insert(item.clone()) {
                    open.push(item);
                }
            }
        }
    }
    false
}
