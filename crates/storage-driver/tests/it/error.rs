//! `Error`: clause 8 of the contract.

use std::{error::Error as _, fmt, io};

use storage_driver::{Error, ErrorKind, Operation, ParsePathError, Path, Result};

/// Every kind, its text, and the kind of `std::io` that it travels under.
const KINDS: &[(ErrorKind, &str, io::ErrorKind)] = &[
    (ErrorKind::PathNotFound, "path not found", io::ErrorKind::NotFound),
    (ErrorKind::InvalidPath, "invalid path", io::ErrorKind::InvalidInput),
    (
        ErrorKind::InvalidOffset { offset: 7, size: 5 },
        "offset 7 is not in the range, or in the content of 5 bytes",
        io::ErrorKind::InvalidInput,
    ),
    (
        ErrorKind::OffsetMismatch { given: 7, size: 5 },
        "the upload has 5 bytes, not 7",
        io::ErrorKind::InvalidInput,
    ),
    (
        ErrorKind::PathConflict,
        "path conflicts with a file above it or a directory",
        io::ErrorKind::Other,
    ),
    (ErrorKind::NotADirectory, "not a directory", io::ErrorKind::NotADirectory),
    (ErrorKind::IsADirectory, "is a directory", io::ErrorKind::IsADirectory),
    (ErrorKind::UploadInProgress, "an upload is in progress", io::ErrorKind::ResourceBusy),
    (
        ErrorKind::ContentTooLarge { size: 7, limit: 5 },
        "content of 7 bytes exceeds the limit of 5",
        io::ErrorKind::FileTooLarge,
    ),
    (ErrorKind::ContentChanged, "content changed while it was read", io::ErrorKind::Other),
    (ErrorKind::PreconditionFailed, "precondition failed", io::ErrorKind::Other),
    (ErrorKind::WriterFenced, "writer is fenced", io::ErrorKind::Other),
    (
        ErrorKind::StorageFull { needed: Some(7), available: Some(5) },
        "storage full: 7 bytes needed, 5 available",
        io::ErrorKind::StorageFull,
    ),
    (
        ErrorKind::StorageFull { needed: Some(7), available: None },
        "storage full: 7 bytes needed",
        io::ErrorKind::StorageFull,
    ),
    (
        ErrorKind::StorageFull { needed: None, available: Some(5) },
        "storage full: 5 bytes available",
        io::ErrorKind::StorageFull,
    ),
    (
        ErrorKind::StorageFull { needed: None, available: None },
        "storage full",
        io::ErrorKind::StorageFull,
    ),
    (ErrorKind::PermissionDenied, "permission denied", io::ErrorKind::PermissionDenied),
    (ErrorKind::Unsupported, "unsupported", io::ErrorKind::Unsupported),
    (ErrorKind::Unavailable, "unavailable", io::ErrorKind::Other),
    (ErrorKind::Timeout, "timed out", io::ErrorKind::TimedOut),
    (ErrorKind::Corrupted, "corrupted", io::ErrorKind::InvalidData),
    (ErrorKind::Other, "other error", io::ErrorKind::Other),
];

/// Somebody else's error, to be found again.
#[derive(Debug)]
struct Cause;

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("line one\nline two")
    }
}

impl std::error::Error for Cause {}

fn path() -> Path {
    Path::parse("/a/b").unwrap()
}

fn full(kind: ErrorKind) -> Error {
    Error::new(kind).with_source(Cause).context("test", Operation::Stat, &path())
}

/// All that an error says, for comparison.
fn parts(error: &Error) -> (ErrorKind, Option<&'static str>, Option<Operation>, Option<&Path>) {
    (error.kind(), error.driver(), error.operation(), error.path())
}

#[test]
fn every_kind_has_its_text() {
    for (kind, text, _) in KINDS {
        assert_eq!(kind.to_string(), *text);
        assert_eq!(Error::new(*kind).to_string(), *text);
    }
}

#[test]
fn the_text_is_one_line_and_leaves_the_cause_to_source() {
    for (kind, text, _) in KINDS {
        assert_eq!(full(*kind).to_string(), format!("test: stat /a/b: {text}"));
    }
}

#[test]
fn the_text_contains_the_context_that_is_known() {
    let kind = ErrorKind::Timeout;
    assert_eq!(Error::new(kind).to_string(), "timed out");
    assert_eq!(Error::new(kind).at(&path()).to_string(), "/a/b: timed out");
}

#[test]
fn the_source_is_the_cause_itself() {
    let error = full(ErrorKind::Other);
    assert!(error.source().unwrap().downcast_ref::<Cause>().is_some());
    assert!(Error::new(ErrorKind::Other).source().is_none());
}

#[test]
fn a_clone_has_the_same_cause() {
    let error = full(ErrorKind::Other).clone();
    assert!(error.source().unwrap().is::<Cause>());
}

#[test]
fn a_text_can_be_the_cause() {
    let error = Error::other("the disk is on fire");
    assert_eq!(error.kind(), ErrorKind::Other);
    assert_eq!(error.source().unwrap().to_string(), "the disk is on fire");
}

#[test]
fn a_result_of_it_is_no_larger_than_a_pointer() {
    assert_eq!(size_of::<Result<()>>(), size_of::<usize>());
}

#[test]
fn the_innermost_context_wins() {
    let outer = Path::parse("/outer").unwrap();
    let error = full(ErrorKind::Timeout).context("outer", Operation::Walk, &outer);
    let expected = (ErrorKind::Timeout, Some("test"), Some(Operation::Stat), Some(&path()));
    assert_eq!(parts(&error), (expected.0, expected.1, expected.2, expected.3));
}

#[test]
fn a_context_adds_missing_parts_only() {
    let at = Path::parse("/at").unwrap();
    let error = Error::new(ErrorKind::Timeout).at(&at).context("test", Operation::Stat, &path());
    assert_eq!(parts(&error), (ErrorKind::Timeout, Some("test"), Some(Operation::Stat), Some(&at)));
}

#[test]
fn without_context_it_has_none() {
    assert_eq!(parts(&ErrorKind::Timeout.into()), (ErrorKind::Timeout, None, None, None));
}

#[test]
fn the_debug_text_contains_every_field() {
    let text = format!("{:?}", full(ErrorKind::Timeout));
    for part in ["Timeout", "\"test\"", "Stat", "\"/a/b\"", "Cause"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn not_found_is_of_its_kind_alone() {
    for (kind, _, _) in KINDS {
        let expected = *kind == ErrorKind::PathNotFound;
        assert_eq!(Error::new(*kind).is_not_found(), expected, "{kind}");
    }
}

#[test]
fn precondition_failed_is_of_its_kind_alone() {
    for (kind, _, _) in KINDS {
        let expected = *kind == ErrorKind::PreconditionFailed;
        assert_eq!(Error::new(*kind).is_precondition_failed(), expected, "{kind}");
    }
}

#[test]
fn transient_errors_are_retryable() {
    for (kind, _, _) in KINDS {
        use ErrorKind::{ContentChanged, Timeout, Unavailable};
        let expected = [ContentChanged, Timeout, Unavailable].contains(kind);
        assert_eq!(Error::new(*kind).is_retryable(), expected, "{kind}");
    }
}

#[test]
fn an_error_survives_the_conversion_to_an_io_error() {
    for (kind, _, _) in KINDS {
        let error = full(*kind);
        let text = format!("{error:?}");
        let back = Error::from(io::Error::from(error));
        assert_eq!(format!("{back:?}"), text);
        assert!(back.source().unwrap().is::<Cause>());
    }
}

#[test]
fn each_kind_converts_to_the_matching_io_kind() {
    for (kind, _, io_kind) in KINDS {
        assert_eq!(io::Error::from(Error::new(*kind)).kind(), *io_kind, "{kind}");
    }
}

#[test]
fn the_text_of_the_io_error_is_the_same() {
    let error = full(ErrorKind::PathNotFound);
    assert_eq!(io::Error::from(error.clone()).to_string(), error.to_string());
}

#[test]
fn a_converted_io_error_keeps_its_kind_and_stays_reachable() {
    use io::ErrorKind as Io;
    for kind in [Io::NotFound, Io::BrokenPipe, Io::AddrInUse, Io::UnexpectedEof, Io::Interrupted] {
        let error = Error::from(io::Error::new(kind, Cause));
        let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
        assert_eq!(source.kind(), kind);
        assert!(source.get_ref().unwrap().is::<Cause>());
        assert_eq!(io::Error::from(error).kind(), kind);
    }
}

#[test]
fn an_io_error_converts_to_the_matching_kind() {
    use io::ErrorKind as Io;
    let full = ErrorKind::StorageFull { needed: None, available: None };
    for (io_kind, kind) in [
        (Io::NotFound, ErrorKind::PathNotFound),
        (Io::NotADirectory, ErrorKind::NotADirectory),
        (Io::IsADirectory, ErrorKind::IsADirectory),
        (Io::PermissionDenied, ErrorKind::PermissionDenied),
        (Io::ReadOnlyFilesystem, ErrorKind::PermissionDenied),
        (Io::StorageFull, full),
        (Io::QuotaExceeded, full),
        (Io::TimedOut, ErrorKind::Timeout),
        (Io::Unsupported, ErrorKind::Unsupported),
        (Io::ConnectionRefused, ErrorKind::Unavailable),
        (Io::ConnectionReset, ErrorKind::Unavailable),
        (Io::ConnectionAborted, ErrorKind::Unavailable),
        (Io::NotConnected, ErrorKind::Unavailable),
        (Io::BrokenPipe, ErrorKind::Unavailable),
        (Io::HostUnreachable, ErrorKind::Unavailable),
        (Io::NetworkUnreachable, ErrorKind::Unavailable),
        (Io::NetworkDown, ErrorKind::Unavailable),
        (Io::Interrupted, ErrorKind::Unavailable),
        (Io::WouldBlock, ErrorKind::Unavailable),
        (Io::ResourceBusy, ErrorKind::Unavailable),
        (Io::InvalidData, ErrorKind::Other),
        (Io::Other, ErrorKind::Other),
    ] {
        assert_eq!(Error::from(io::Error::from(io_kind)).kind(), kind, "{io_kind:?}");
    }
}

#[test]
fn a_parse_error_is_an_invalid_path() {
    let error = Error::from(Path::parse("/a/..").unwrap_err());
    assert_eq!(error.kind(), ErrorKind::InvalidPath);
    let source = error.source().unwrap().downcast_ref::<ParsePathError>();
    assert_eq!(source, Some(&ParsePathError::Dots));
}

#[test]
fn every_operation_is_named_after_its_method() {
    let names: Vec<&str> = Operation::ALL.iter().map(|operation| operation.as_str()).collect();
    let expected = "open get_content get_range put_content reader read writer write set_note \
                    sync suspend commit commit_to cancel create_upload file stat list walk \
                    uploads upload cancel_upload cancel_uploads rename rename_dir copy \
                    delete delete_dir delete_many touch redirect_url sweep health shutdown";
    assert_eq!(names.join(" "), expected);
    assert_eq!(format!("{:>6}|", Operation::Stat), "  stat|");
}
