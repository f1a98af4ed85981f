//! [`Version`] and [`Precondition`].

use std::{fmt, sync::Arc};

use crate::{Error, ErrorKind};

/// An opaque token that differs whenever the content of a file does.
///
/// Compare it, keep it, hand it back in a [`Precondition`]; nothing else can be read from it. A
/// rename keeps a file's version; a commit, a copy and a touch make a new one. Under
/// [`unique_versions`](crate::Capabilities::unique_versions) no two commits in a store share one;
/// without it, a version may return when the same content does (as an ETag made of a hash does).
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
    /// A version whose token is `token`.
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

    /// The token, as it was given to [`Version::new`].
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
    /// The number in 16 hexadecimal digits: what a driver that counts its commits uses.
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

/// What must hold of a file for an operation on it to take effect.
///
/// One that does not hold answers [`PreconditionFailed`](ErrorKind::PreconditionFailed) and changes
/// nothing. The check and the effect are one step: of any number of concurrent puts under
/// [`IfAbsent`](Self::IfAbsent) exactly one succeeds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Precondition {
    /// Nothing: replace what is there.
    #[default]
    None,
    /// No file is at the path.
    IfAbsent,
    /// A file of this version is at the path. Fails where there is nothing.
    IfVersion(Version),
}

impl Precondition {
    /// Whether there is no condition.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Checks the condition against the version of the file that is there, if one is.
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

    /// Checks that the condition can hold of a file that is there already: `delete` and `touch` need one.
    /// For implementers: before any look at what is at the path.
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
