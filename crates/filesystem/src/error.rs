//! What the system answered, as an error of the contract.

use std::{fmt, io, path::PathBuf};

use rustix::io::Errno;
use storage_driver::{Error, ErrorKind};

/// The cause of an error about a file or directory of the driver's own: which one it is.
#[derive(Debug)]
struct AtPlace {
    place: PathBuf,
    error: Error,
}

impl fmt::Display for AtPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.place.display())
    }
}

impl std::error::Error for AtPlace {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The kind of the error stands in the error that this is the cause of.
        self.error.source()
    }
}

/// Names the place on the disk that an error is about, as its cause. What was the cause follows it.
pub(crate) fn at_place(error: Error, place: impl Into<PathBuf>) -> Error {
    let kind = error.kind();
    Error::new(kind).with_source(AtPlace { place: place.into(), error })
}

/// The error that says what `errno` means to a caller, where it is not about a path that the caller
/// has given: what is missing then is the driver's own, and never [`ErrorKind::PathNotFound`]. For a
/// caller's path there is [`not_found`].
pub(crate) fn explain(errno: Errno) -> Error {
    let kind = match errno {
        Errno::NAMETOOLONG => ErrorKind::InvalidPath,
        Errno::NOSPC | Errno::DQUOT | Errno::FBIG => {
            ErrorKind::StorageFull { needed: None, available: None }
        }
        Errno::ACCESS | Errno::PERM | Errno::ROFS => ErrorKind::PermissionDenied,
        Errno::TIMEDOUT => ErrorKind::Timeout,
        // Something was removed under us, too many open files, a device that does not answer, a share
        // that went away: the same call may succeed when the cause is gone.
        Errno::NOENT
        | Errno::MFILE
        | Errno::NFILE
        | Errno::NOMEM
        | Errno::IO
        | Errno::STALE
        | Errno::NODEV
        | Errno::NXIO
        | Errno::AGAIN
        | Errno::BUSY => ErrorKind::Unavailable,
        _ => ErrorKind::Other,
    };
    Error::new(kind).with_source(io::Error::from(errno))
}

/// Whether this is how the system says that nothing is at a path that was looked up.
pub(crate) fn is_nothing(errno: Errno) -> bool {
    // A file where a directory should be; a symbolic link; a way out of the root.
    matches!(errno, Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV)
}

/// The error for a path that was looked up.
pub(crate) fn not_found(errno: Errno) -> Error {
    if is_nothing(errno) { ErrorKind::PathNotFound.into() } else { explain(errno) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_answers_keeps_its_meaning_and_its_source() {
        let full = ErrorKind::StorageFull { needed: None, available: None };
        for (errno, kind) in [
            (Errno::NOSPC, full),
            (Errno::DQUOT, full),
            (Errno::ROFS, ErrorKind::PermissionDenied),
            (Errno::ACCESS, ErrorKind::PermissionDenied),
            (Errno::MFILE, ErrorKind::Unavailable),
            (Errno::IO, ErrorKind::Unavailable),
            (Errno::NOENT, ErrorKind::Unavailable),
            (Errno::NAMETOOLONG, ErrorKind::InvalidPath),
            (Errno::ILSEQ, ErrorKind::Other),
        ] {
            let error = explain(errno);
            assert_eq!(error.kind(), kind);
            let source = std::error::Error::source(&error).unwrap();
            let source = source.downcast_ref::<io::Error>().unwrap();
            assert_eq!(source.raw_os_error(), Some(errno.raw_os_error()));
        }
    }
}
