//! [`Durability`]: what is on the disk when an operation returns.

use std::{fmt, str::FromStr};

/// What an operation has made durable when it returns, that is, what survives a crash of the machine or a power cut.
///
/// With every value, a crash of the process (`kill -9`) loses nothing that was acknowledged, and no file is ever
/// visible in part.
///
/// ```
/// use storage_driver_filesystem::Durability;
///
/// assert_eq!(Durability::default(), Durability::Full);
/// assert_eq!("data".parse(), Ok(Durability::Data));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Durability {
    /// Content and names. `put_content`, `commit`, `commit_to`, `copy`, `touch`, `rename`,
    /// `rename_dir`, `delete`, `sync` and `suspend` return when their effects are on the disk: content
    /// is synced before it is published, and then the directories that changed, including new ones up to the
    /// root.
    #[default]
    Full,
    /// Content before names. Content is synced before it is published: after a power cut a
    /// file is whole, the old or the new, but the last operations may be undone.
    Data,
    /// Nothing is synced. After a power cut, files that were written last may be damaged. For
    /// caches and tests.
    None,
}

impl Durability {
    /// The name, as it is parsed: `full`, `data` or `none`.
    ///
    /// ```
    /// assert_eq!(storage_driver_filesystem::Durability::None.as_str(), "none");
    /// ```
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
///
/// ```
/// let error = "fsync".parse::<storage_driver_filesystem::Durability>().unwrap_err();
/// assert_eq!(error.to_string(), "a durability is `full`, `data` or `none`");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseDurabilityError(());

impl fmt::Display for ParseDurabilityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a durability is `full`, `data` or `none`")
    }
}

impl std::error::Error for ParseDurabilityError {}

impl FromStr for Durability {
    type Err = ParseDurabilityError;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        let all = [Self::Full, Self::Data, Self::None];
        all.into_iter().find(|d| d.as_str() == text).ok_or(ParseDurabilityError(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_durability_is_parsed_as_it_is_shown() {
        for durability in [Durability::Full, Durability::Data, Durability::None] {
            assert_eq!(durability.to_string().parse(), Ok(durability));
        }
        assert!("fsync".parse::<Durability>().is_err());
    }
}
