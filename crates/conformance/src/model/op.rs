//! [`Op`]: one operation of a random sequence, and how sequences are made.

use proptest::{collection::vec, option, prelude::*, sample::select};
use storage_driver::{ErrorKind, Path, ReadRange};

use crate::check;

/// The paths that are used most. All of them can be files at the same time.
const USUAL: &[&str] = &["/a/b", "/a/c", "/a/d/e", "/f"];
/// Paths that conflict with them, up to four levels deep, and names that share a prefix or order before `/`.
const OTHER: &[&str] = &[
    "/a", "/a/d", "/a/b/c", "/a/d/e/f", "/a/b-c", "/ab", "/a-b/c", "/a.b", "/b", "/b/d", "/b/d/e",
];
pub(super) const WRITERS: usize = 4;
pub(super) const READERS: usize = 3;

type At = &'static str;

/// Operations, some with a fault.
pub(super) type Sequence = Vec<(Op, Option<Interference>)>;

/// One operation. Writers and readers stay open in numbered slots.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Put { at: At, length: u64, when: When },
    Get { at: At, limit: u64 },
    GetRange { at: At, range: Range },
    Open { reader: usize, at: At, range: Range },
    Read { reader: usize, length: u64 },
    DropReader { reader: usize },
    Writer { writer: usize, at: At, mode: Mode },
    Write { writer: usize, length: u64 },
    Sync { writer: usize },
    Close { writer: usize },
    DropWriter { writer: usize },
    Commit { writer: usize },
    CommitTo { writer: usize, dest: At, when: When },
    Cancel { writer: usize },
    Stat { at: At },
    List { at: At, start_after: Option<At>, limit: usize },
    Walk { at: At, start_after: Option<At>, skip: Option<At> },
    Uploads { at: At, start_after: Option<At>, limit: usize },
    CancelUpload { at: At },
    CancelUploads { at: At, old: bool },
    Delete { at: At, when: When },
    DeleteDir { at: At },
    SetNote { writer: usize, length: u64 },
    Upload { at: At },
    DeleteMany { paths: Vec<At> },
    Rename { from: At, to: At, when: When },
    RenameDir { from: At, to: At },
    Copy { from: At, to: At, when: When },
    Touch { at: At, when: When },
}

impl Op {
    /// Whether it may change the store.
    pub(super) fn changes(&self) -> bool {
        !matches!(
            self,
            Self::Get { .. }
                | Self::GetRange { .. }
                | Self::Open { .. }
                | Self::Read { .. }
                | Self::DropReader { .. }
                | Self::Stat { .. }
                | Self::List { .. }
                | Self::Walk { .. }
                | Self::Uploads { .. }
                | Self::Upload { .. }
        )
    }

    /// The paths that it changes, except those of writers.
    pub(super) fn paths(&self) -> Vec<Path> {
        match *self {
            Self::Put { at, .. }
            | Self::Writer { at, .. }
            | Self::CommitTo { dest: at, .. }
            | Self::CancelUpload { at }
            | Self::Delete { at, .. }
            | Self::DeleteDir { at }
            | Self::Touch { at, .. } => vec![check::path(at)],
            Self::Rename { from, to, .. }
            | Self::RenameDir { from, to }
            | Self::Copy { from, to, .. } => vec![check::path(from), check::path(to)],
            _ => Vec::new(),
        }
    }
}

/// A precondition, before the versions are known.
#[derive(Debug, Clone, Copy)]
pub(crate) enum When {
    Always,
    IfAbsent,
    /// Of the current version.
    IfCurrent,
    /// Of the n-th version that appeared.
    IfVersion(usize),
}

/// A range, in 16ths of the content, so that most ranges are within it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Range {
    Full,
    From(u64),
    Bounded(u64, u64),
    Last(u64),
}

impl Range {
    /// The range of a file of `size` bytes.
    pub(super) fn resolve(self, size: u64) -> ReadRange {
        let at = |sixteenths: u64| match sixteenths {
            17.. => size + sixteenths - 16,
            _ => size * sixteenths / 16,
        };
        match self {
            Self::Full => ReadRange::Full,
            Self::From(start) => ReadRange::Offset(at(start)),
            Self::Bounded(start, end) => ReadRange::Bounded(at(start)..at(end)),
            Self::Last(length) => ReadRange::Suffix(at(length)),
        }
    }
}

/// How a writer is opened.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mode {
    Create,
    Resume(Offset),
    Append(Offset),
}

/// The offset that the caller expects.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Offset {
    None,
    Right,
    Wrong,
}

/// A fault that is injected into an operation.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Interference {
    /// Its n-th call fails before it reaches the driver.
    FailBefore { call: u64, kind: ErrorKind },
    /// The response of its n-th call is lost.
    LoseResponse { call: u64, kind: ErrorKind },
    /// It is dropped after so many polls.
    DropAfter { polls: usize },
}

fn path() -> impl Strategy<Value = At> {
    prop_oneof![3 => select(USUAL), 2 => select(OTHER)]
}

fn root_too() -> impl Strategy<Value = At> {
    prop_oneof![1 => Just("/"), 4 => path()]
}

fn rarely_root() -> impl Strategy<Value = At> {
    prop_oneof![40 => path(), 1 => Just("/")]
}

fn length() -> impl Strategy<Value = u64> {
    prop_oneof![1 => Just(0), 6 => 1..40u64, 2 => 1000..3000u64, 1 => 60_000..140_000u64]
}

fn when() -> impl Strategy<Value = When> {
    prop_oneof![
        5 => Just(When::Always),
        2 => Just(When::IfAbsent),
        2 => Just(When::IfCurrent),
        1 => (0..20usize).prop_map(When::IfVersion),
    ]
}

fn range() -> impl Strategy<Value = Range> {
    prop_oneof![
        3 => Just(Range::Full),
        2 => (0..18u64).prop_map(Range::From),
        3 => (0..18u64, 0..20u64).prop_map(|(start, end)| Range::Bounded(start, end)),
        2 => (0..18u64).prop_map(Range::Last),
    ]
}

fn mode() -> impl Strategy<Value = Mode> {
    let offset =
        || prop_oneof![3 => Just(Offset::None), 2 => Just(Offset::Right), 1 => Just(Offset::Wrong)];
    prop_oneof![
        3 => Just(Mode::Create),
        4 => offset().prop_map(Mode::Resume),
        2 => offset().prop_map(Mode::Append),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let writer = || 0..WRITERS;
    let reader = || 0..READERS;
    let limit = || prop_oneof![1 => Just(1000usize), 2 => 0..4usize];
    let limits = || prop_oneof![2 => Just(u64::MAX), 2 => 0..40u64, 1 => 0..2000u64];
    let two = || (rarely_root(), rarely_root());
    prop_oneof![
        12 => (rarely_root(), length(), when())
            .prop_map(|(at, length, when)| Op::Put { at, length, when }),
        5 => (rarely_root(), limits()).prop_map(|(at, limit)| Op::Get { at, limit }),
        3 => (path(), range()).prop_map(|(at, range)| Op::GetRange { at, range }),
        4 => (reader(), path(), range())
            .prop_map(|(reader, at, range)| Op::Open { reader, at, range }),
        4 => (reader(), length()).prop_map(|(reader, length)| Op::Read { reader, length }),
        1 => reader().prop_map(|reader| Op::DropReader { reader }),
        12 => (writer(), rarely_root(), mode())
            .prop_map(|(writer, at, mode)| Op::Writer { writer, at, mode }),
        16 => (writer(), length()).prop_map(|(writer, length)| Op::Write { writer, length }),
        3 => writer().prop_map(|writer| Op::Sync { writer }),
        3 => writer().prop_map(|writer| Op::Close { writer }),
        3 => writer().prop_map(|writer| Op::DropWriter { writer }),
        6 => writer().prop_map(|writer| Op::Commit { writer }),
        5 => (writer(), rarely_root(), when())
            .prop_map(|(writer, dest, when)| Op::CommitTo { writer, dest, when }),
        2 => writer().prop_map(|writer| Op::Cancel { writer }),
        3 => root_too().prop_map(|at| Op::Stat { at }),
        4 => (root_too(), option::of(path()), limit())
            .prop_map(|(at, start_after, limit)| Op::List { at, start_after, limit }),
        4 => (root_too(), option::of(path()), option::of(path()))
            .prop_map(|(at, start_after, skip)| Op::Walk { at, start_after, skip }),
        2 => (root_too(), option::of(path()), limit())
            .prop_map(|(at, start_after, limit)| Op::Uploads { at, start_after, limit }),
        1 => rarely_root().prop_map(|at| Op::CancelUpload { at }),
        1 => (root_too(), any::<bool>()).prop_map(|(at, old)| Op::CancelUploads { at, old }),
        4 => (rarely_root(), when()).prop_map(|(at, when)| Op::Delete { at, when }),
        3 => rarely_root().prop_map(|at| Op::DeleteDir { at }),
        4 => (writer(), 0..40u64).prop_map(|(writer, length)| Op::SetNote { writer, length }),
        2 => rarely_root().prop_map(|at| Op::Upload { at }),
        1 => vec(path(), 0..4).prop_map(|paths| Op::DeleteMany { paths }),
        6 => (two(), when()).prop_map(|((from, to), when)| Op::Rename { from, to, when }),
        5 => two().prop_map(|(from, to)| Op::RenameDir { from, to }),
        5 => (two(), when()).prop_map(|((from, to), when)| Op::Copy { from, to, when }),
        2 => (rarely_root(), when()).prop_map(|(at, when)| Op::Touch { at, when }),
    ]
}

/// Sequences of up to `length` operations.
pub(super) fn sequences(length: usize) -> BoxedStrategy<Sequence> {
    vec(op().prop_map(|op| (op, None)), 1..=length).boxed()
}

/// The same, with faults in some of the operations.
pub(super) fn with_faults(length: usize) -> BoxedStrategy<Sequence> {
    let kind = || select(vec![ErrorKind::Unavailable, ErrorKind::Timeout, ErrorKind::Other]);
    let interference = prop_oneof![
        (0..2u64, kind()).prop_map(|(call, kind)| Interference::FailBefore { call, kind }),
        (0..2u64, kind()).prop_map(|(call, kind)| Interference::LoseResponse { call, kind }),
        (0..4usize).prop_map(|polls| Interference::DropAfter { polls }),
    ];
    vec((op(), option::weighted(0.3, interference)), 1..=length).boxed()
}
