//! [`Name`] of a repository, [`Tag`] and [`Reference`] of a manifest.

use std::fmt;

use crate::digest::{Digest, ParseDigestError};

/// The text is no [`Name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the name of a repository has at most 255 bytes: lower-case letters and digits, single separators \
     (. _ __ or dashes) between them, and components separated by /"
)]
pub(crate) struct ParseNameError;

/// The text is no [`Tag`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tag is 1 to 128 letters, digits, _ . and -, and does not begin with . or -")]
pub(crate) struct ParseTagError;

/// The text is no [`Reference`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParseReferenceError {
    #[error(transparent)]
    Tag(#[from] ParseTagError),
    #[error(transparent)]
    Digest(#[from] ParseDigestError),
}

/// The name of a repository, such as `library/debian`, by the grammar of the specification:
/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*`, in at most
/// [`Name::MAX_BYTES`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Name(String);

impl Name {
    /// As in distribution; the limit of most clients, for the name together with the registry's host.
    pub(crate) const MAX_BYTES: usize = 255;

    pub(crate) fn parse(text: &str) -> Result<Self, ParseNameError> {
        if text.len() <= Self::MAX_BYTES && text.split('/').all(is_component) {
            return Ok(Self(text.to_owned()));
        }
        Err(ParseNameError)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(text: &str) -> bool {
    let is_alphanumeric = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9');
    let mut rest = text.as_bytes();
    loop {
        let letters = rest.iter().take_while(|byte| is_alphanumeric(byte)).count();
        let separator = rest.iter().skip(letters).take_while(|byte| !is_alphanumeric(byte)).count();
        let (word, more) = rest.split_at(letters);
        let (separator, more) = more.split_at(separator);
        match separator {
            _ if word.is_empty() => return false,
            [] => return true,
            [b'.'] | [b'_'] | [b'_', b'_'] => {}
            dashes if dashes.iter().all(|byte| *byte == b'-') => {}
            _ => return false,
        }
        rest = more;
    }
}

/// A tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Tag(String);

impl Tag {
    pub(crate) fn parse(text: &str) -> Result<Self, ParseTagError> {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let valid = text.len() <= 128
            && text.bytes().next().is_some_and(word)
            && text.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'));
        if valid {
            return Ok(Self(text.to_owned()));
        }
        Err(ParseTagError)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a request names a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reference {
    Tag(Tag),
    Digest(Digest),
}

impl Reference {
    /// Text with a colon is a digest: no tag has one.
    pub(crate) fn parse(text: &str) -> Result<Self, ParseReferenceError> {
        if text.contains(':') {
            Ok(Self::Digest(Digest::parse(text)?))
        } else {
            Ok(Self::Tag(Tag::parse(text)?))
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_grammar() {
        for valid in
            ["a", "0", "a/b", "a.b", "a_b", "a__b", "a-b", "a---b", "a-b/c_d/e.f", "library/debian"]
        {
            assert!(Name::parse(valid).is_ok(), "{valid}");
        }
        let invalid = [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            "A",
            "a..b",
            "a___b",
            "a._b",
            "a-",
            "-a",
            "a_",
            "_a",
            ".a",
            "a.",
            "a-_b",
            "ä",
            "a b",
            "a\0",
            "a%2fb",
            "..",
            "a/../b",
            "_layers",
            "a/_layers",
        ];
        for invalid in invalid {
            assert!(Name::parse(invalid).is_err(), "{invalid}");
        }
    }

    #[test]
    fn a_name_has_at_most_255_bytes() {
        assert!(Name::parse(&"a".repeat(255)).is_ok());
        assert!(Name::parse(&"a".repeat(256)).is_err());
    }

    #[test]
    fn tags_are_those_of_the_grammar() {
        for valid in ["latest", "v1.0", "_", "A-b.c", "0", &"t".repeat(128)] {
            assert!(Tag::parse(valid).is_ok(), "{valid}");
        }
        for invalid in ["", ".a", "-a", "a b", "a/b", "ä", "..", "a\n", &"t".repeat(129)] {
            assert!(Tag::parse(invalid).is_err(), "{invalid}");
        }
    }
}
