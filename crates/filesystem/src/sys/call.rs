//! [`Call`]: the names of the system calls.

/// The name of a system call, for tests that make it fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Call {
    OpenDir,
    OpenFile,
    Create,
    Read,
    Write,
    Truncate,
    SetTimes,
    Clone,
    CopyRange,
    Sync,
    SyncDir,
    SyncFs,
    Mkdir,
    Rename,
    Link,
    Unlink,
    Rmdir,
    Stat,
    ReadDir,
    StatFs,
    Mounts,
}
