//! [`Version`] and [`Precondition`].

use std::{fmt, sync::Arc};

use crate::{Error, ErrorKind};

/// An opaque token that differs whenever the content of a file differs.
///
/// Compare it, store it, or pass it back in a [`Precondition`]; it carries no other meaning. A rename keeps the
/// version of a file; a commit, a copy and a touch give it a new one. Under
/// [`unique_versions`](crate::Capabilities::unique_versions), no two commits in a store share a version;
/// otherwise equal content may have an equal version, as with an ETag that is a hash.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version(Repr);

/// Tokens of up to 22 bytes (a number, most hashes in base 64) need no allocation.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Repr {
    Inline { text: [u8; INLINE], len: u8 },
    Shared(Arc<str>),
}

const INLINE: usize = 22;

impl Version {
    /// A version with this token.
    pub fn new(token: impl AsRef<str>) -> Self {
        let token = token.as_ref();
        let mut text = [0; INLINE];
        match text.get_mut(..token.len()) {
            Some(place) => {
                place.copy_from_slice(token.as_bytes());
                Self(Repr::Inline { text, len: token.len() as u8 })
            }
            None => Self(Repr::Shared(Arc::from(token))),
        }
    }

    /// The token that was passed to [`Version::new`].
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Inline { text, len } => {
                std::str::from_utf8(&text[..usize::from(*len)]).unwrap_or_default()
            }
            Repr::Shared(text) => text,
        }
    }
}

impl From<u64> for Version {
    /// The number as 16 hexadecimal digits, for drivers that count their commits.
    fn from(number: u64) -> Self {
        let mut text = [0; INLINE];
        for (place, digit) in text.iter_mut().zip((0..16).rev()) {
            *place = b"0123456789abcdef"[(number >> (digit * 4)) as usize & 15];
        }
        Self(Repr::Inline { text, len: 16 })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Version({:?})", self.as_str())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Version {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Version {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <String as serde::Deserialize>::deserialize(deserializer).map(Self::new)
    }
}

/// A condition on a file for an operation to take effect.
///
/// If it does not hold, the operation returns [`PreconditionFailed`](ErrorKind::PreconditionFailed) and changes
/// nothing. The check and the effect are one step: of any number of concurrent puts under
/// [`IfAbsent`](Self::IfAbsent), exactly one succeeds.
///
/// It is exhaustive on purpose: a driver that ignored a condition added later would lose data.
///
/// ```
/// use storage_driver::{Precondition, Version};
///
/// let unchanged = Precondition::IfVersion(Version::new("7"));
/// assert!(unchanged.check(Some(&Version::new("7"))).is_ok());
/// assert!(unchanged.check(Some(&Version::new("8"))).is_err());
/// assert!(unchanged.check(None).is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Precondition {
    /// No condition.
    #[default]
    None,
    /// No file is at the path.
    IfAbsent,
    /// A file with this version is at the path. It does not hold if there is no file.
    IfVersion(Version),
}

impl Precondition {
    /// Whether there is no condition.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Checks the condition against the version of the file at the path, `None` if there is no file.
    ///
    /// # Errors
    ///
    /// [`PreconditionFailed`](ErrorKind::PreconditionFailed).
    pub fn check(&self, current: Option<&Version>) -> Result<(), Error> {
        let holds = match self {
            Self::None => true,
            Self::IfAbsent => current.is_none(),
            Self::IfVersion(version) => current == Some(version),
        };
        if holds { Ok(()) } else { Err(Error::new(ErrorKind::PreconditionFailed)) }
    }

    /// Checks that the condition is one for operations that need an existing file: `delete` and `touch`.
    /// For implementers; call it before looking at the path.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) for [`IfAbsent`](Self::IfAbsent): where there is no file,
    /// there is nothing to delete or to touch.
    pub fn require_existing(&self) -> Result<(), Error> {
        match self {
            Self::IfAbsent => Err(Error::new(ErrorKind::Unsupported)),
            Self::None | Self::IfVersion(_) => Ok(()),
        }
    }
}
