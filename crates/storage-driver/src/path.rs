//! [`Path`]: the path of a file, a directory or an upload.

use std::{cmp::Ordering, fmt, str::FromStr, sync::Arc, sync::LazyLock};

use crate::{Error, ErrorKind};

/// An absolute path in a store, parsed once.
///
/// A path is `/` (the root, which names the whole store) or one or more components, each preceded by `/`. The
/// type holds only valid paths, so a driver never checks the syntax again:
///
/// - a component is 1 to [`Path::MAX_COMPONENT_BYTES`] bytes of `A-Z a-z 0-9 . _ -`;
/// - `.` and `..` are not components;
/// - there is no empty component and no trailing `/`;
/// - the whole is at most [`Path::MAX_BYTES`] bytes. A driver with a smaller limit states it in
///   [`Capabilities::max_path_bytes`](crate::Capabilities::max_path_bytes).
///
/// Paths are ordered component by component, which is the order of a walk: `/a`, `/a/z`, `/a-b`, `/a.b`. (Byte
/// order would put `/a/z` last and separate a directory from its contents.) A clone shares the text.
///
/// ```
/// use storage_driver::Path;
///
/// let path = Path::parse("/docker/registry/v2")?;
/// assert_eq!(path.name(), Some("v2"));
/// assert_eq!(path.parent(), Some(Path::parse("/docker/registry")?));
/// assert_eq!(path.join("blobs/sha256")?.as_str(), "/docker/registry/v2/blobs/sha256");
///
/// for rejected in ["", "abc", "//bcd", "/abc/", "/a//b", "/.", "/a/../b", "/a b", "/ä", "/a\\b"] {
///     assert!(Path::parse(rejected).is_err(), "{rejected}");
/// }
/// # Ok::<(), storage_driver::ParsePathError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Path(Arc<str>);

static ROOT: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from("/"));

/// The reason why a text is not a [`Path`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParsePathError {
    /// The text is empty or does not begin with `/`.
    #[error("a path begins with '/'")]
    NotAbsolute,
    /// Two slashes in a row, or one at the end.
    #[error("a component is empty")]
    EmptyComponent,
    /// A component is `.` or `..`.
    #[error("'.' and '..' are not components")]
    Dots,
    /// A component is longer than [`Path::MAX_COMPONENT_BYTES`].
    #[error("a component has {length} bytes, more than {}", Path::MAX_COMPONENT_BYTES)]
    ComponentTooLong {
        /// The component's length in bytes.
        length: usize,
    },
    /// A byte other than `A-Z a-z 0-9 . _ -`.
    #[error("byte 0x{byte:02x} at {position} is not one of A-Z a-z 0-9 . _ -")]
    Byte {
        /// The first byte that is not allowed.
        byte: u8,
        /// Its offset in the text, in bytes.
        position: usize,
    },
    /// The text is longer than [`Path::MAX_BYTES`].
    #[error("the path has {length} bytes, more than {}", Path::MAX_BYTES)]
    TooLong {
        /// The text's length in bytes.
        length: usize,
    },
}

impl Path {
    /// The maximum length of a path in bytes.
    pub const MAX_BYTES: usize = 4096;
    /// The maximum length of a component in bytes.
    pub const MAX_COMPONENT_BYTES: usize = 255;

    /// Parses `text`.
    ///
    /// # Errors
    ///
    /// [`ParsePathError`] with the first mistake in the text.
    pub fn parse(text: impl AsRef<str>) -> Result<Self, ParsePathError> {
        let text = text.as_ref();
        if text == "/" {
            return Ok(Self::root());
        }
        let relative = text.strip_prefix('/').ok_or(ParsePathError::NotAbsolute)?;
        if text.len() > Self::MAX_BYTES {
            return Err(ParsePathError::TooLong { length: text.len() });
        }
        check(relative).map_err(|error| match error {
            ParsePathError::Byte { byte, position } => {
                ParsePathError::Byte { byte, position: position + 1 }
            }
            error => error,
        })?;
        Ok(Self(Arc::from(text)))
    }

    /// The root, `/`, which names the whole store.
    pub fn root() -> Self {
        Self(Arc::clone(&ROOT))
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.len() == 1
    }

    /// The path as text, with its leading `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last component; `None` for the root.
    pub fn name(&self) -> Option<&str> {
        self.components().next_back()
    }

    /// The path without its last component; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        let (parent, name) = self.0.rsplit_once('/')?;
        match (parent, name) {
            ("", "") => None,
            ("", _) => Some(Self::root()),
            _ => Some(Self(Arc::from(parent))),
        }
    }

    /// The path itself, then its parent, and so on up to the root.
    ///
    /// ```
    /// use storage_driver::Path;
    ///
    /// let path = Path::parse("/a/b")?;
    /// let ancestors: Vec<_> = path.ancestors().collect();
    /// assert_eq!(ancestors, ["/a/b", "/a", "/"]);
    /// # Ok::<(), storage_driver::ParsePathError>(())
    /// ```
    pub fn ancestors(&self) -> impl Iterator<Item = Self> + use<> {
        std::iter::successors(Some(self.clone()), Self::parent)
    }

    /// This path with one or more components appended: `/a` joined with `b/c` is `/a/b/c`.
    ///
    /// # Errors
    ///
    /// [`ParsePathError`] if `relative` is empty, begins or ends with `/`, or the result is not a path.
    pub fn join(&self, relative: impl AsRef<str>) -> Result<Self, ParsePathError> {
        let relative = relative.as_ref();
        if relative.is_empty() {
            return Err(ParsePathError::EmptyComponent);
        }
        let base = if self.is_root() { "" } else { self.as_str() };
        let length = base.len() + 1 + relative.len();
        if length > Self::MAX_BYTES {
            return Err(ParsePathError::TooLong { length });
        }
        check(relative)?;
        Ok(Self(concat(base, relative)))
    }

    /// The components from first to last; the root has none.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> + Clone + use<'_> {
        // The text begins with '/', so the first piece is always empty; the root's second is too.
        self.0.split('/').filter(|component| !component.is_empty())
    }

    /// Whether this path is `other` or is below it, by whole components: `/ab` does not start
    /// with `/a`. Every path starts with the root.
    pub fn starts_with(&self, other: &Self) -> bool {
        other.is_root()
            || self
                .0
                .strip_prefix(other.as_str())
                .is_some_and(|r| r.is_empty() || r.starts_with('/'))
    }

    /// The part of this path after `base`, without a leading `/`: `b/c` for `/a/b/c` and `/a`, empty if they
    /// are equal, `None` if the path does not [start with](Self::starts_with) `base`.
    pub fn strip_prefix(&self, base: &Self) -> Option<&str> {
        if base.is_root() {
            return Some(&self.0[1..]);
        }
        let rest = self.0.strip_prefix(base.as_str())?;
        if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
    }

    /// Checks that this is not the root: for operations that do not accept it.
    ///
    /// # Errors
    ///
    /// [`InvalidPath`](ErrorKind::InvalidPath) if this is the root.
    pub fn require_not_root(&self) -> Result<(), Error> {
        if self.is_root() { Err(Error::new(ErrorKind::InvalidPath).at(self)) } else { Ok(()) }
    }
}

/// Checks components that are separated by slashes.
fn check(relative: &str) -> Result<(), ParsePathError> {
    if let Some(position) = relative.bytes().position(|byte| !ALLOWED[usize::from(byte)]) {
        return Err(ParsePathError::Byte { byte: relative.as_bytes()[position], position });
    }
    for component in relative.split('/') {
        match component {
            "" => return Err(ParsePathError::EmptyComponent),
            "." | ".." => return Err(ParsePathError::Dots),
            _ if component.len() > Path::MAX_COMPONENT_BYTES => {
                return Err(ParsePathError::ComponentTooLong { length: component.len() });
            }
            _ => {}
        }
    }
    Ok(())
}

/// The bytes that a path may contain.
const ALLOWED: [bool; 256] = {
    let mut allowed = [false; 256];
    let mut byte = 0;
    while byte < 128_u8 {
        allowed[byte as usize] =
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/');
        byte += 1;
    }
    allowed
};

/// The two with a slash between. Listings make a path for each entry: most are assembled on the stack, so
/// that each takes one allocation.
fn concat(base: &str, relative: &str) -> Arc<str> {
    let mut buffer = [b'/'; 192];
    let Some(bytes) = buffer.get_mut(..base.len() + 1 + relative.len()) else {
        return Arc::from(format!("{base}/{relative}"));
    };
    bytes[..base.len()].copy_from_slice(base.as_bytes());
    bytes[base.len() + 1..].copy_from_slice(relative.as_bytes());
    // Both are text, and so is the slash.
    Arc::from(str::from_utf8(bytes).unwrap_or_default())
}

impl Ord for Path {
    fn cmp(&self, other: &Self) -> Ordering {
        // '/' ends a component, so it orders before every byte that continues one.
        let rank = |byte: u8| if byte == b'/' { 0 } else { byte };
        let (a, b) = (self.0.as_bytes(), other.0.as_bytes());
        match a.iter().zip(b).find(|(a, b)| a != b) {
            Some((&a, &b)) => rank(a).cmp(&rank(b)),
            None => a.len().cmp(&b.len()),
        }
    }
}

impl PartialOrd for Path {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl AsRef<str> for Path {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl AsRef<Path> for Path {
    fn as_ref(&self) -> &Path {
        self
    }
}

impl PartialEq<str> for Path {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Path {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl FromStr for Path {
    type Err = ParsePathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<&str> for Path {
    type Error = ParsePathError;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Path {
    type Error = ParsePathError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(text)
    }
}

impl From<Path> for String {
    fn from(path: Path) -> Self {
        path.0.as_ref().to_owned()
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Path {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Path {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as serde::Deserialize>::deserialize(deserializer)?;
        Self::parse(text).map_err(serde::de::Error::custom)
    }
}
