//! [`Error`]: the one error type of drivers, readers, writers and walks.

use std::{error::Error as StdError, fmt, io, sync::Arc};

use crate::{Operation, ParsePathError, Path};

/// The result of an operation on a store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Cause = Arc<dyn StdError + Send + Sync + 'static>;

/// What went wrong, where, and why.
///
/// It carries the [kind](Self::kind) that callers branch on, the driver's name, the operation, the
/// path, and the cause as [`source()`](StdError::source). Its text is one line and leaves the cause
/// to `source()`:
///
/// ```
/// use storage_driver::{Error, ErrorKind, Operation, Path};
///
/// let path = Path::parse("/a/b")?;
/// let error = Error::new(ErrorKind::PathNotFound)
///     .context("inmemory", Operation::GetContent, &path);
/// assert_eq!(error.to_string(), "inmemory: get_content /a/b: path not found");
/// assert!(error.is_not_found());
/// # Ok::<(), storage_driver::ParsePathError>(())
/// ```
///
/// It converts to a [`std::io::Error`] and back without loss. Any other `io::Error` keeps its kind and stays
/// reachable as the source.
#[derive(Clone)]
pub struct Error(Box<Repr>);

#[derive(Clone)]
struct Repr {
    kind: ErrorKind,
    driver: Option<&'static str>,
    operation: Option<Operation>,
    path: Option<Path>,
    cause: Option<Cause>,
}

/// The kind of an [`Error`]: what callers branch on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Neither a file nor a directory is at the path; for an operation on an upload, no upload.
    #[error("path not found")]
    PathNotFound,
    /// The text is not a path, the path is longer than the driver supports, or the root was passed to an
    /// operation that does not accept it.
    #[error("invalid path")]
    InvalidPath,
    /// A range begins past the end of the content or past its own end.
    #[error("offset {offset} is not in the range, or in the content of {size} bytes")]
    InvalidOffset {
        /// Where the range begins, in bytes.
        offset: u64,
        /// The size of the content, in bytes.
        size: u64,
    },
    /// The upload does not end at the offset that the caller stated.
    #[error("the upload has {size} bytes, not {given}")]
    OffsetMismatch {
        /// The offset that the caller stated.
        given: u64,
        /// The size of the upload, in bytes.
        size: u64,
    },
    /// The path would be a file and a directory at once.
    #[error("path conflicts with a file above it or a directory")]
    PathConflict,
    /// The operation is for directories, and the path is a file.
    #[error("not a directory")]
    NotADirectory,
    /// The operation is for files, and the path is a directory.
    #[error("is a directory")]
    IsADirectory,
    /// An append was asked for where an upload is in progress.
    #[error("an upload is in progress")]
    UploadInProgress,
    /// The content is longer than the caller's limit.
    #[error("content of {size} bytes exceeds the limit of {limit}")]
    ContentTooLarge {
        /// The size of what was asked for, in bytes.
        size: u64,
        /// The caller's limit, in bytes.
        limit: u64,
    },
    /// The content changed while a reader was open whose driver cannot hold a snapshot.
    #[error("content changed while it was read")]
    ContentChanged,
    /// The precondition does not hold.
    #[error("precondition failed")]
    PreconditionFailed,
    /// Another writer has been opened for the upload since, or the upload was cancelled.
    #[error("writer is fenced")]
    WriterFenced,
    /// The store has no room.
    #[error("storage full{}", room(*.needed, *.available))]
    StorageFull {
        /// How many bytes the operation needs, if known.
        needed: Option<u64>,
        /// How many bytes are free, if known.
        available: Option<u64>,
    },
    /// The backend denies access.
    #[error("permission denied")]
    PermissionDenied,
    /// The driver does not implement this; see [`Capabilities`](crate::Capabilities).
    #[error("unsupported")]
    Unsupported,
    /// The backend cannot be reached, or the driver has been shut down.
    #[error("unavailable")]
    Unavailable,
    /// The backend did not respond in time.
    #[error("timed out")]
    Timeout,
    /// The backend holds or returned something other than what was stored.
    #[error("corrupted")]
    Corrupted,
    /// Any other error; the source describes it.
    #[error("other error")]
    Other,
}

impl ErrorKind {
    /// The name of the kind, for labels and logs: `path_not_found`.
    ///
    /// ```
    /// use storage_driver::ErrorKind;
    ///
    /// let kind = ErrorKind::StorageFull { needed: Some(4096), available: Some(0) };
    /// assert_eq!(kind.as_str(), "storage_full");
    /// ```
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::PathNotFound => "path_not_found",
            Self::InvalidPath => "invalid_path",
            Self::InvalidOffset { .. } => "invalid_offset",
            Self::OffsetMismatch { .. } => "offset_mismatch",
            Self::PathConflict => "path_conflict",
            Self::NotADirectory => "not_a_directory",
            Self::IsADirectory => "is_a_directory",
            Self::UploadInProgress => "upload_in_progress",
            Self::ContentTooLarge { .. } => "content_too_large",
            Self::ContentChanged => "content_changed",
            Self::PreconditionFailed => "precondition_failed",
            Self::WriterFenced => "writer_fenced",
            Self::StorageFull { .. } => "storage_full",
            Self::PermissionDenied => "permission_denied",
            Self::Unsupported => "unsupported",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Corrupted => "corrupted",
            Self::Other => "other",
        }
    }
}

fn room(needed: Option<u64>, available: Option<u64>) -> String {
    match (needed, available) {
        (Some(needed), Some(available)) => {
            format!(": {needed} bytes needed, {available} available")
        }
        (Some(needed), None) => format!(": {needed} bytes needed"),
        (None, Some(available)) => format!(": {available} bytes available"),
        (None, None) => String::new(),
    }
}

impl Error {
    /// An error of `kind` without context.
    #[must_use]
    pub fn new(kind: ErrorKind) -> Self {
        Self(Box::new(Repr { kind, driver: None, operation: None, path: None, cause: None }))
    }

    /// An error of kind [`Other`](ErrorKind::Other) with a cause: an error or a text.
    #[must_use]
    pub fn other(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(ErrorKind::Other).with_source(cause)
    }

    /// Names the path that the error is about. A later [`context`](Self::context) leaves it.
    #[must_use]
    pub fn at(mut self, path: &Path) -> Self {
        self.0.path = Some(path.clone());
        self
    }

    /// Sets the cause that [`source()`](StdError::source) returns: an error or a text.
    #[must_use]
    pub fn with_source(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.cause = Some(Arc::from(cause.into()));
        self
    }

    /// Adds the driver, the operation and the path where the error has none. The innermost context, which is
    /// the most precise one, wins.
    #[must_use]
    pub fn context(mut self, driver: &'static str, operation: Operation, path: &Path) -> Self {
        let repr = &mut *self.0;
        repr.driver.get_or_insert(driver);
        repr.operation.get_or_insert(operation);
        repr.path.get_or_insert_with(|| path.clone());
        self
    }

    /// Replaces the operation: for an operation that is composed of others.
    #[must_use]
    pub fn during(mut self, operation: Operation) -> Self {
        self.0.operation = Some(operation);
        self
    }

    /// What kind of error it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The name of the driver that failed.
    pub fn driver(&self) -> Option<&'static str> {
        self.0.driver
    }

    /// The operation that failed.
    pub fn operation(&self) -> Option<Operation> {
        self.0.operation
    }

    /// The path that the error is about: of an operation on two, the one that is at fault.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_ref()
    }

    /// Whether nothing is at the path.
    pub fn is_not_found(&self) -> bool {
        self.kind() == ErrorKind::PathNotFound
    }

    /// Whether a precondition did not hold.
    pub fn is_precondition_failed(&self) -> bool {
        self.kind() == ErrorKind::PreconditionFailed
    }

    /// Whether the store has no room.
    ///
    /// ```
    /// use storage_driver::{Error, ErrorKind};
    ///
    /// let error = Error::new(ErrorKind::StorageFull { needed: Some(4096), available: Some(0) });
    /// assert!(error.is_storage_full());
    /// ```
    pub fn is_storage_full(&self) -> bool {
        matches!(self.kind(), ErrorKind::StorageFull { .. })
    }

    /// Where the upload really stands, in bytes, if the error is an
    /// [`OffsetMismatch`](ErrorKind::OffsetMismatch).
    ///
    /// ```
    /// use storage_driver::{Error, ErrorKind};
    ///
    /// let error = Error::new(ErrorKind::OffsetMismatch { given: 10, size: 7 });
    /// assert_eq!(error.offset_mismatch(), Some(7));
    /// assert_eq!(Error::new(ErrorKind::PathNotFound).offset_mismatch(), None);
    /// ```
    pub fn offset_mismatch(&self) -> Option<u64> {
        match self.kind() {
            ErrorKind::OffsetMismatch { size, .. } => Some(size),
            _ => None,
        }
    }

    /// Whether the same call, made again a little later, may well succeed:
    /// [`Unavailable`](ErrorKind::Unavailable), [`Timeout`](ErrorKind::Timeout) and
    /// [`ContentChanged`](ErrorKind::ContentChanged).
    ///
    /// A driver that was shut down always returns `Unavailable`, so bound your retries.
    pub fn is_retryable(&self) -> bool {
        use ErrorKind::{ContentChanged, Timeout, Unavailable};
        matches!(self.kind(), Unavailable | Timeout | ContentChanged)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let repr = &*self.0;
        if let Some(driver) = repr.driver {
            write!(f, "{driver}: ")?;
        }
        // An operation comes with a path; a path may come alone.
        if let Some(operation) = repr.operation {
            write!(f, "{operation} ")?;
        }
        if let Some(path) = &repr.path {
            write!(f, "{path}: ")?;
        }
        fmt::Display::fmt(&repr.kind, f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("driver", &self.0.driver)
            .field("operation", &self.0.operation)
            .field("path", &self.0.path)
            .field("source", &self.0.cause)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.cause.as_deref().map(|cause| cause as &(dyn StdError + 'static))
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self::new(kind)
    }
}

impl From<ParsePathError> for Error {
    fn from(error: ParsePathError) -> Self {
        Self::new(ErrorKind::InvalidPath).with_source(error)
    }
}

impl From<io::Error> for Error {
    /// Takes an [`Error`] that travelled inside an `io::Error` out again; any other `io::Error`
    /// becomes the source, under the kind that says the same.
    fn from(error: io::Error) -> Self {
        match error.downcast::<Error>() {
            Ok(error) => error,
            Err(error) => Self::new(kind_of(error.kind())).with_source(error),
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        io::Error::new(io_kind_of(&error), error)
    }
}

fn kind_of(kind: io::ErrorKind) -> ErrorKind {
    use io::ErrorKind as Io;
    match kind {
        Io::NotFound => ErrorKind::PathNotFound,
        Io::NotADirectory => ErrorKind::NotADirectory,
        Io::IsADirectory => ErrorKind::IsADirectory,
        Io::PermissionDenied | Io::ReadOnlyFilesystem => ErrorKind::PermissionDenied,
        Io::StorageFull | Io::QuotaExceeded => {
            ErrorKind::StorageFull { needed: None, available: None }
        }
        Io::TimedOut => ErrorKind::Timeout,
        Io::Unsupported => ErrorKind::Unsupported,
        Io::ConnectionRefused
        | Io::ConnectionReset
        | Io::ConnectionAborted
        | Io::NotConnected
        | Io::BrokenPipe
        | Io::HostUnreachable
        | Io::NetworkUnreachable
        | Io::NetworkDown
        | Io::Interrupted
        | Io::WouldBlock
        | Io::ResourceBusy => ErrorKind::Unavailable,
        _ => ErrorKind::Other,
    }
}

fn io_kind_of(error: &Error) -> io::ErrorKind {
    use io::ErrorKind as Io;
    if let Some(cause) = error.source().and_then(|cause| cause.downcast_ref::<io::Error>()) {
        return cause.kind();
    }
    match error.kind() {
        ErrorKind::PathNotFound => Io::NotFound,
        ErrorKind::InvalidPath
        | ErrorKind::InvalidOffset { .. }
        | ErrorKind::OffsetMismatch { .. } => Io::InvalidInput,
        ErrorKind::NotADirectory => Io::NotADirectory,
        ErrorKind::IsADirectory => Io::IsADirectory,
        ErrorKind::UploadInProgress => Io::ResourceBusy,
        ErrorKind::ContentTooLarge { .. } => Io::FileTooLarge,
        ErrorKind::StorageFull { .. } => Io::StorageFull,
        ErrorKind::PermissionDenied => Io::PermissionDenied,
        ErrorKind::Unsupported => Io::Unsupported,
        ErrorKind::Timeout => Io::TimedOut,
        ErrorKind::Corrupted => Io::InvalidData,
        ErrorKind::PathConflict
        | ErrorKind::ContentChanged
        | ErrorKind::PreconditionFailed
        | ErrorKind::WriterFenced
        | ErrorKind::Unavailable
        | ErrorKind::Other => Io::Other,
    }
}
