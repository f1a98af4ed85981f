//! [`Location`]: which store, and how it is opened.

use std::{fmt, sync::Arc};

use inmemory::InMemory;
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use storage_driver::{Result, StorageDriver};

use crate::{BucketLocation, ByteSize, Durability, Root, bucket};

/// Where a store is, parsed from a URL and written as one: see the [crate] for what is understood.
///
/// The scheme may be in capital letters, and a `file:` URL may name `localhost` as its host. In a
/// path, `%` and two hexadecimal digits stand for a byte, as in every URL; values of a query are
/// taken as they are. It is written in one way, from which the same location is parsed.
///
/// ```
/// use storage_driver_url::{Durability, Location};
///
/// let location: Location = "file:///srv/my%20registry?durability=data".parse()?;
/// let Location::File { root, durability, .. } = &location else { unreachable!() };
/// assert_eq!(root.as_path().to_str(), Some("/srv/my registry"));
/// assert_eq!(*durability, Durability::Data);
/// assert_eq!(location.to_string(), "file:///srv/my%20registry?durability=data");
///
/// for rejected in ["", "/srv", "s3:bucket", "file:srv", "file://srv", "inmemory:?capacity=much"] {
///     assert!(rejected.parse::<Location>().is_err(), "{rejected}");
/// }
/// # Ok::<(), storage_driver_url::ParseLocationError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Location {
    /// A store in memory, which is new each time that it is opened and ends with its driver.
    InMemory {
        /// The most bytes of memory that it may hold; `None` for no limit.
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
    /// A store in a bucket. It can be named by every program, and opened by one that is built with the feature
    /// `bucket`.
    Bucket(BucketLocation),
    /// A store in a bucket of a server in process, which is new each time that it is opened; for trying things, with
    /// the feature `bucket`.
    BucketInMemory,
}

impl Location {
    /// Opens the store.
    ///
    /// Open a store on files inside of a tokio runtime: its driver works on the blocking threads of that
    /// runtime from then on.
    ///
    /// ```
    /// # tokio_test::block_on(async {
    /// use storage_driver_url::Location;
    ///
    /// let driver = "inmemory:".parse::<Location>()?.open().await?;
    /// assert_eq!(driver.name(), "inmemory");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// A store in memory always opens. A store on files fails as `storage_driver_filesystem::FilesystemBuilder::open` does;
    /// the cause names the directory: [`Unavailable`](storage_driver::ErrorKind::Unavailable) if it is
    /// open already, in this process or another, or outside of a runtime;
    /// [`Unsupported`](storage_driver::ErrorKind::Unsupported) on another system than Linux. A store in a bucket fails as
    /// `storage_driver_bucket::Builder::open` does, and with [`Unsupported`](storage_driver::ErrorKind::Unsupported)
    /// without the feature `bucket`.
    ///
    /// # Cancel safety
    ///
    /// Call it again; a directory may be open for a moment yet.
    pub async fn open(&self) -> Result<Arc<dyn StorageDriver>> {
        match self {
            Self::InMemory { capacity } => Ok(Arc::new(in_memory(*capacity))),
            Self::File { root, durability, read_only } => {
                open_files(root, *durability, *read_only).await
            }
            Self::Bucket(location) => location.open().await,
            Self::BucketInMemory => bucket::open_in_memory().await,
        }
    }

    /// Opens the store if it is in memory, as its own type, for a program that reports its memory.
    /// `None` for any other store.
    ///
    /// ```
    /// use storage_driver_url::Location;
    ///
    /// let location: Location = "inmemory:?capacity=64MiB".parse()?;
    /// let driver = location.open_in_memory().expect("it is in memory");
    /// assert!(driver.usage().held() < 64 << 20);
    /// assert!("file:///srv".parse::<Location>()?.open_in_memory().is_none());
    /// # Ok::<(), storage_driver_url::ParseLocationError>(())
    /// ```
    pub fn open_in_memory(&self) -> Option<InMemory> {
        match self {
            Self::InMemory { capacity } => Some(in_memory(*capacity)),
            _ => None,
        }
    }
}

fn in_memory(capacity: Option<u64>) -> InMemory {
    let builder = InMemory::builder();
    match capacity {
        Some(capacity) => builder.capacity(capacity).build(),
        None => builder.build(),
    }
}

#[cfg(target_os = "linux")]
async fn open_files(
    root: &Root,
    durability: Durability,
    read_only: bool,
) -> Result<Arc<dyn StorageDriver>> {
    let builder = storage_driver_filesystem::Filesystem::builder();
    let builder = builder.durability(durability).read_only(read_only);
    Ok(Arc::new(builder.open(root.as_path()).await?))
}

#[cfg(not(target_os = "linux"))]
async fn open_files(root: &Root, _: Durability, _: bool) -> Result<Arc<dyn StorageDriver>> {
    use storage_driver::{Error, ErrorKind, Operation, Path};
    let cause = format!("{}: stores on files are for Linux", root.as_path().display());
    let error = Error::new(ErrorKind::Unsupported).with_source(cause);
    Err(error.context("filesystem", Operation::Open, &Path::root()))
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
            Self::Bucket(location) => location.fmt(f),
            Self::BucketInMemory => f.write_str("bucket:memory"),
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
