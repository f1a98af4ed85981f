//! [`Root`]: the directory of a store on files.

use std::path::{Path, PathBuf};

use crate::ParseLocationError;

/// The absolute path of the directory in which a store keeps its files.
///
/// It begins with `/` and has no NUL byte. The system resolves everything else, including `..` and links.
///
/// ```
/// let root = storage_driver_url::Root::new("/srv/registry")?;
/// assert_eq!(root.as_path(), std::path::Path::new("/srv/registry"));
/// assert!(storage_driver_url::Root::new("srv/registry").is_err());
/// # Ok::<(), storage_driver_url::ParseLocationError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Root(PathBuf);

impl Root {
    /// The root at `path`.
    ///
    /// ```
    /// assert!(storage_driver_url::Root::new("/srv/registry").is_ok());
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotAbsolute`](ParseLocationError::NotAbsolute) and [`Nul`](ParseLocationError::Nul).
    pub fn new(path: impl Into<PathBuf>) -> Result<Self, ParseLocationError> {
        let path = path.into();
        let bytes = path.as_os_str().as_encoded_bytes();
        if !bytes.starts_with(b"/") {
            return Err(ParseLocationError::NotAbsolute { path: path.display().to_string() });
        }
        if bytes.contains(&0) {
            return Err(ParseLocationError::Nul);
        }
        Ok(Self(path))
    }

    /// The path of the directory.
    ///
    /// ```
    /// let root = storage_driver_url::Root::new("/srv/registry")?;
    /// assert!(root.as_path().is_absolute());
    /// # Ok::<(), storage_driver_url::ParseLocationError>(())
    /// ```
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

impl AsRef<Path> for Root {
    fn as_ref(&self) -> &Path {
        self.as_path()
    }
}
