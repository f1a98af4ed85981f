//! Errors of the system as errors of the contract.

use std::{fmt, io, path::PathBuf};

use rustix::io::Errno;
use storage_driver::{Error, ErrorKind};

/// The cause of an error about one of the driver's own files or directories: its path.
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
        // The kind is in the error that has this as its cause.
        self.error.source()
    }
}

/// Adds the place on the disk to an error, as its cause. The former cause becomes the cause of that.
pub(crate) fn at_place(error: Error, place: impl Into<PathBuf>) -> Error {
    let kind = error.kind();
    Error::new(kind).with_source(AtPlace { place: place.into(), error })
}

/// The error for `errno` of a call on one of the driver's own files, or on a file that is open. It is never
/// [`ErrorKind::PathNotFound`]: a missing own file is not a missing path. For a caller's path there is
/// [`not_found`].
pub(crate) fn explain(errno: Errno) -> Error {
    let kind = match errno {
        Errno::NAMETOOLONG => ErrorKind::InvalidPath,
        Errno::NOSPC | Errno::DQUOT | Errno::FBIG => {
            ErrorKind::StorageFull { needed: None, available: None }
        }
        Errno::ACCESS | Errno::PERM | Errno::ROFS => ErrorKind::PermissionDenied,
        Errno::TIMEDOUT => ErrorKind::Timeout,
        // An own file was removed, too many files are open, a device or a network share fails: the same call may
        // succeed when the cause is gone.
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

/// The error about a file or directory of the driver's own, in whose place something else may be.
pub(crate) fn explain_own(errno: Errno) -> Error {
    let (kind, cause) = match errno {
        Errno::NOTDIR => (
            ErrorKind::NotADirectory,
            "this is not a directory, and the driver needs one of this name: move it away",
        ),
        Errno::ISDIR => (
            ErrorKind::IsADirectory,
            "this is a directory, and the driver needs a file of this name: move it away",
        ),
        Errno::LOOP => (
            ErrorKind::Unsupported,
            "this is a symbolic link, which the driver does not follow: move it away",
        ),
        errno => return explain(errno),
    };
    Error::new(kind).with_source(cause)
}

/// Whether this error of a lookup means that nothing of the store is at the path.
pub(crate) fn is_nothing(errno: Errno) -> bool {
    // A file in the place of a directory; a symbolic link; a path out of the root.
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
    fn an_error_of_the_system_has_its_kind_and_its_source() {
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
