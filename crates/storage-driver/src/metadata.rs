//! [`Metadata`], [`Stat`] and [`Entry`]: what is known of a file or directory.

use std::time::SystemTime;

use crate::{Error, ErrorKind, Path, Version};

/// What a store knows of a file: committed content.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Metadata {
    /// Where the file is.
    pub path: Path,
    /// Its size in bytes.
    pub size: u64,
    /// When it was committed, copied or touched last.
    pub modified: SystemTime,
    /// The token of its content.
    pub version: Version,
}

impl Metadata {
    /// The metadata of a file.
    pub fn new(path: Path, size: u64, modified: SystemTime, version: Version) -> Self {
        Self { path, size, modified, version }
    }
}

/// What [`stat`](crate::StorageDriver::stat) says of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Stat {
    /// The path is a file.
    File(Metadata),
    /// The path is a directory: a committed file lies under it, or it is the root.
    Directory(Path),
}

impl Stat {
    /// The path that was asked for.
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

/// A file or directory as [`list`](crate::StorageDriver::list) and
/// [`walk`](crate::StorageDriver::walk) give it.
///
/// A file comes with what [`stat`](crate::StorageDriver::stat) would say of it where the backend
/// knows that for free.
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
    /// A file of which everything is known.
    pub fn file(metadata: Metadata) -> Self {
        Self(Kind::File(metadata))
    }

    /// A file of which only the path is known for free.
    pub fn bare_file(path: Path) -> Self {
        Self(Kind::BareFile(path))
    }

    /// A directory.
    pub fn directory(path: Path) -> Self {
        Self(Kind::Directory(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        match &self.0 {
            Kind::File(metadata) => &metadata.path,
            Kind::BareFile(path) | Kind::Directory(path) => path,
        }
    }

    /// The last component of its path.
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

    /// The file's metadata, where the backend knew it for free; `None` for a directory.
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
