//! [`Durability`]: what a driver on files has made durable when it returns.

use std::{fmt, str::FromStr};

/// What an operation on files has made durable when it returns, as a [`Location`](crate::Location)
/// says it: `filesystem::Durability`, on systems too on which that driver does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Durability {
    /// Content and names: what was acknowledged survives a power cut.
    #[default]
    Full,
    /// Content before names: a power cut may undo the last operations, and damages none.
    Data,
    /// Nothing: a power cut may damage what was written last. For caches and tests.
    None,
}

impl Durability {
    /// The name, as it is parsed: `full`, `data` or `none`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Data => "data",
            Self::None => "none",
        }
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no [`Durability`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a durability is `full`, `data` or `none`")]
pub struct ParseDurabilityError(());

impl FromStr for Durability {
    type Err = ParseDurabilityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::Full, Self::Data, Self::None];
        all.into_iter().find(|d| d.as_str() == text).ok_or(ParseDurabilityError(()))
    }
}

#[cfg(target_os = "linux")]
impl From<Durability> for filesystem::Durability {
    fn from(durability: Durability) -> Self {
        match durability {
            Durability::Full => Self::Full,
            Durability::Data => Self::Data,
            Durability::None => Self::None,
        }
    }
}
