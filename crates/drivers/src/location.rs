//! [`Location`]: which store, and how it is opened.

use std::{fmt, sync::Arc};

use inmemory::InMemory;
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use storage_driver::{Result, StorageDriver};

use crate::{ByteSize, Durability, Root};

/// Where a store is, parsed from a URL and written as one: see the [crate] for what is understood.
///
/// The scheme may be in capital letters, and a `file:` URL may name `localhost` as its host. In a
/// path, `%` and two hexadecimal digits stand for a byte, as in every URL; values of a query are
/// taken as they are. It is written in one way, from which the same location is parsed.
///
/// ```
/// use drivers::{Durability, Location};
///
/// let location: Location = "file:///srv/my%20registry?durability=data".parse()?;
/// let Location::File { root, durability, .. } = &location else { unreachable!() };
/// assert_eq!(root.as_path().to_str(), Some("/srv/my registry"));
/// assert_eq!(*durability, Durability::Data);
/// assert_eq!(location.to_string(), "file:///srv/my%20registry?durability=data");
///
/// for rejected in ["", "/srv", "s3://bucket", "file:srv", "file://srv", "inmemory:?capacity=much"] {
///     assert!(rejected.parse::<Location>().is_err(), "{rejected}");
/// }
/// # Ok::<(), drivers::ParseLocationError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Location {
    /// A store in memory, which is new each time that it is opened and ends with its driver.
    InMemory {
        /// How many bytes of memory it may hold; `None` is no bound.
        capacity: Option<u64>,
    },
    /// A store on the files of a directory. It can be named on every system, and opened on Linux.
    File {
        /// The directory. It is made if it is not there, unless the store is only read.
        root: Root,
        /// What is durable when an operation returns.
        durability: Durability,
        /// Whether the store is only read: then nothing is made, locked or recovered, the
        /// directory must exist, and what would change the store is
        /// [`Unsupported`](storage_driver::ErrorKind::Unsupported). For a read-only mount, or
        /// for a store that another process serves.
        read_only: bool,
    },
}

impl Location {
    /// Opens the store.
    ///
    /// A store on files has to be opened inside of a tokio runtime, on whose blocking threads it
    /// works from then on.
    ///
    /// # Errors
    ///
    /// Of a store in memory, none. Of one on files what `filesystem::Builder::open` answers, the
    /// root being named as the cause: [`Unavailable`](storage_driver::ErrorKind::Unavailable) if it is
    /// open already, in this process or another, or outside of a runtime;
    /// [`Unsupported`](storage_driver::ErrorKind::Unsupported) on another system than Linux.
    ///
    /// # Cancel safety
    ///
    /// Call it again; a directory may be open for a moment yet.
    pub async fn open(&self) -> Result<Arc<dyn StorageDriver>> {
        match self {
            Self::InMemory { capacity } => {
                let builder = InMemory::builder();
                let builder = match capacity {
                    Some(capacity) => builder.capacity(*capacity),
                    None => builder,
                };
                Ok(Arc::new(builder.build()))
            }
            Self::File { root, durability, read_only } => {
                open_files(root, *durability, *read_only).await
            }
        }
    }
}

#[cfg(target_os = "linux")]
async fn open_files(
    root: &Root,
    durability: Durability,
    read_only: bool,
) -> Result<Arc<dyn StorageDriver>> {
    let builder = filesystem::Filesystem::builder();
    let builder = builder.durability(durability.into()).read_only(read_only);
    Ok(Arc::new(builder.open(root.as_path()).await?))
}

#[cfg(not(target_os = "linux"))]
async fn open_files(root: &Root, _: Durability, _: bool) -> Result<Arc<dyn StorageDriver>> {
    use storage_driver::{Error, ErrorKind, Operation, Path};
    let cause = format!("{}: stores on files are for Linux", root.as_path().display());
    let error = Error::new(ErrorKind::Unsupported).with_source(cause);
    Err(error.context("filesystem", Operation::Health, &Path::root()))
}

/// What a path cannot have in a URL as it is; what is not ASCII is encoded anyway.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InMemory { capacity: None } => f.write_str("inmemory:"),
            Self::InMemory { capacity: Some(capacity) } => {
                write!(f, "inmemory:?capacity={}", ByteSize(*capacity))
            }
            Self::File { root, durability, read_only } => {
                let path = root.as_path().as_os_str().as_encoded_bytes();
                write!(f, "file://{}", percent_encode(path, ENCODED))?;
                let durability = Some(durability).filter(|&it| *it != Durability::default());
                match (durability, read_only) {
                    (None, false) => Ok(()),
                    (None, true) => write!(f, "?read_only=true"),
                    (Some(durability), false) => write!(f, "?durability={durability}"),
                    (Some(durability), true) => {
                        write!(f, "?durability={durability}&read_only=true")
                    }
                }
            }
        }
    }
}
