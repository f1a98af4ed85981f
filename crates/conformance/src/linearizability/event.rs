//! [`Event`]: one operation of one thread, and its outcome.

use storage_driver::{ErrorKind, Precondition, Version};

/// A path below the directory of a round.
type At = &'static str;

/// One operation.
#[derive(Debug, Clone)]
pub(super) enum Call {
    Put { at: At, when: When },
    CommitTo { at: At, when: When },
    Touch { at: At, when: When },
    Rename { from: At, to: At, when: When },
    Copy { from: At, to: At, when: When },
    RenameDir { from: At, to: At },
    Delete { at: At, when: When },
    DeleteDir { at: At },
    Get { at: At },
    Stat { at: At },
    List { at: At },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Always,
    IfAbsent,
    /// Of the last version that the thread received.
    IfSeen,
}

/// The result of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    File {
        version: Version,
        content: Option<u32>,
    },
    Directory,
    Done,
    /// Name, whether it is a directory, and the version if it is known.
    Entries(Vec<(String, bool, Option<Version>)>),
    Failed(ErrorKind),
}

/// One operation of one thread, with the times of its call and its return.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) thread: usize,
    pub(super) call: Call,
    pub(super) content: u32,
    pub(super) condition: Precondition,
    pub(super) called: u64,
    pub(super) returned: u64,
    pub(super) outcome: Outcome,
}

impl Call {
    pub(super) fn when(&self) -> When {
        match *self {
            Self::Put { when, .. }
            | Self::CommitTo { when, .. }
            | Self::Rename { when, .. }
            | Self::Copy { when, .. }
            | Self::Touch { when, .. }
            | Self::Delete { when, .. } => when,
            _ => When::Always,
        }
    }
}
