//! [`Metadata`], [`Stat`] and [`Entry`]: descriptions of files and directories.

use std::time::SystemTime;

use crate::{Error, ErrorKind, Path, Version};

/// The metadata of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Metadata {
    /// The path of the file.
    pub path: Path,
    /// Its size in bytes.
    pub size: u64,
    /// The time of its last commit, copy or touch.
    pub modified: SystemTime,
    /// The version of its content.
    pub version: Version,
}

impl Metadata {
    /// The metadata of a file.
    pub fn new(path: Path, size: u64, modified: SystemTime, version: Version) -> Self {
        Self { path, size, modified, version }
    }
}

/// The result of [`stat`](crate::StorageDriver::stat). Exhaustive on purpose: nothing else can be at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Stat {
    /// The path is a file.
    File(Metadata),
    /// The path is a directory: a committed file is below it, or it is the root.
    Directory(Path),
}

impl Stat {
    /// The path.
    pub fn path(&self) -> &Path {
        match self {
            Self::File(metadata) => &metadata.path,
            Self::Directory(path) => path,
        }
    }

    /// Whether it is a file.
    pub fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        matches!(self, Self::Directory(_))
    }

    /// The file's metadata.
    ///
    /// # Errors
    ///
    /// [`IsADirectory`](ErrorKind::IsADirectory).
    pub fn into_file(self) -> Result<Metadata, Error> {
        match self {
            Self::File(metadata) => Ok(metadata),
            Self::Directory(path) => Err(Error::new(ErrorKind::IsADirectory).at(&path)),
        }
    }
}

/// A file or directory that [`list`](crate::StorageDriver::list) or [`walk`](crate::StorageDriver::walk)
/// returns.
///
/// A file has its metadata where the backend knows it without further requests.
///
/// ```
/// use storage_driver::{Entry, Path};
///
/// let entry = Entry::directory(Path::parse("/tags/latest")?);
/// assert!(entry.is_dir() && entry.metadata().is_none());
/// assert_eq!(entry.name(), "latest");
/// # Ok::<(), storage_driver::ParsePathError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Entry(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
enum Kind {
    File(Metadata),
    BareFile(Path),
    Directory(Path),
}

impl Entry {
    /// A file with its metadata.
    pub fn file(metadata: Metadata) -> Self {
        Self(Kind::File(metadata))
    }

    /// A file without metadata.
    pub fn bare_file(path: Path) -> Self {
        Self(Kind::BareFile(path))
    }

    /// A directory.
    pub fn directory(path: Path) -> Self {
        Self(Kind::Directory(path))
    }

    /// The path.
    pub fn path(&self) -> &Path {
        match &self.0 {
            Kind::File(metadata) => &metadata.path,
            Kind::BareFile(path) | Kind::Directory(path) => path,
        }
    }

    /// The last component of the path.
    pub fn name(&self) -> &str {
        self.path().name().unwrap_or_default()
    }

    /// Whether it is a file.
    pub fn is_file(&self) -> bool {
        !self.is_dir()
    }

    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        matches!(self.0, Kind::Directory(_))
    }

    /// The metadata, `None` for a directory and for a file without metadata.
    pub fn metadata(&self) -> Option<&Metadata> {
        match &self.0 {
            Kind::File(metadata) => Some(metadata),
            _ => None,
        }
    }
}

impl AsRef<Path> for Entry {
    fn as_ref(&self) -> &Path {
        self.path()
    }
}

impl From<Stat> for Entry {
    fn from(stat: Stat) -> Self {
        match stat {
            Stat::File(metadata) => Self::file(metadata),
            Stat::Directory(path) => Self::directory(path),
        }
    }
}
