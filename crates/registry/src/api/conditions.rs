//! `If-Match` and `If-None-Match` (RFC 9110, section 13), read as [`Conditions`].
//!
//! The entity tag of every resource is the digest of its content, in quotes. A digest without quotes is accepted
//! too, as distribution does. Any other malformed list is refused, so that a condition that cannot be understood
//! never counts as fulfilled. No resource has a modification date, so `If-Modified-Since` and
//! `If-Unmodified-Since` are ignored, as the RFC requires.

use http::{HeaderMap, HeaderName, StatusCode, header};

use super::error::{Code, Error, Result};
use crate::{
    digest::Digest,
    store::conditions::{Conditions, Selector},
};

/// Reads the conditions of a request.
///
/// # Errors
///
/// 400 if a list of entity tags is malformed.
pub(super) fn of(headers: &HeaderMap) -> Result<Conditions> {
    let matching = entity_tags(headers, &header::IF_MATCH)?;
    let not_matching = entity_tags(headers, &header::IF_NONE_MATCH)?;
    Ok(Conditions {
        // By the strong comparison: a weak tag matches nothing.
        matching: matching.map(|tags| tags.selector(|tag| !tag.weak)),
        // By the weak comparison, which disregards whether a tag is weak.
        not_matching: not_matching.map(|tags| tags.selector(|_| true)),
    })
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum EntityTags {
    Any,
    Listed(Vec<EntityTag>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct EntityTag {
    weak: bool,
    opaque: String,
}

impl EntityTags {
    /// The digests among the tags that `compares` admits. A tag that is no digest matches nothing.
    fn selector(self, compares: impl Fn(&EntityTag) -> bool) -> Selector {
        match self {
            Self::Any => Selector::Any,
            Self::Listed(tags) => {
                let tags = tags.iter().filter(|tag| compares(tag));
                Selector::OneOf(tags.filter_map(|tag| Digest::parse(&tag.opaque).ok()).collect())
            }
        }
    }

    /// Parses `*`, or tags with commas between them. Empty elements of a list are allowed.
    fn parse(text: &str) -> Option<Self> {
        if text.trim_matches(is_space) == "*" {
            return Some(Self::Any);
        }
        let mut tags = Vec::new();
        let mut rest = text;
        loop {
            rest = rest.trim_start_matches(|it| is_space(it) || it == ',');
            if rest.is_empty() {
                return Some(Self::Listed(tags));
            }
            let weak = rest.strip_prefix("W/");
            let (opaque, after) = match weak.unwrap_or(rest).strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => {
                    let end = rest.find(',').unwrap_or(rest.len());
                    let (unquoted, after) = rest.split_at(end);
                    let digest = Digest::parse(unquoted.trim_end_matches(is_space)).ok()?;
                    tags.push(EntityTag { weak: false, opaque: digest.to_string() });
                    rest = after;
                    continue;
                }
            };
            if opaque.contains(|it: char| it.is_ascii_control() || it == ' ') {
                return None;
            }
            tags.push(EntityTag { weak: weak.is_some(), opaque: opaque.to_owned() });
            rest = after.trim_start_matches(is_space);
            if !rest.is_empty() && !rest.starts_with(',') {
                return None;
            }
        }
    }
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t')
}

/// The entity tags of all header lines called `name`, which together are one list.
fn entity_tags(headers: &HeaderMap, name: &HeaderName) -> Result<Option<EntityTags>> {
    let lines: Vec<&[u8]> = headers.get_all(name).iter().map(|value| value.as_bytes()).collect();
    if lines.is_empty() {
        return Ok(None);
    }
    // Bytes that are not UTF-8 are allowed in a tag. They match no digest.
    let list = lines.join(&b","[..]);
    match EntityTags::parse(&String::from_utf8_lossy(&list)) {
        Some(tags) => Ok(Some(tags)),
        None => {
            let text = format!("{name} is neither * nor a list of entity tags in double quotes");
            Err(Error::new(Code::Unsupported, text).status(StatusCode::BAD_REQUEST))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(tags: &[(bool, &str)]) -> Option<EntityTags> {
        let tag =
            |(weak, opaque): &(bool, &str)| EntityTag { weak: *weak, opaque: (*opaque).to_owned() };
        Some(EntityTags::Listed(tags.iter().map(tag).collect()))
    }

    #[test]
    fn a_list_has_weak_and_strong_tags() {
        let parsed = EntityTags::parse("\"a\", W/\"b\",\"c\"");
        assert_eq!(parsed, listed(&[(false, "a"), (true, "b"), (false, "c")]));
    }

    #[test]
    fn a_tag_can_contain_commas_and_a_star() {
        assert_eq!(EntityTags::parse("\"a,b\" ,\"*\""), listed(&[(false, "a,b"), (false, "*")]));
    }

    #[test]
    fn empty_elements_of_a_list_are_skipped() {
        assert_eq!(EntityTags::parse(", \"a\",,\t"), listed(&[(false, "a")]));
        assert_eq!(EntityTags::parse(""), listed(&[]));
    }

    #[test]
    fn a_digest_needs_no_quotes() {
        let digest = Digest::of(crate::digest::Algorithm::Sha256, b"").to_string();
        let parsed = EntityTags::parse(&format!("{digest} , \"a\""));
        assert_eq!(parsed, listed(&[(false, &digest), (false, "a")]));
    }

    #[test]
    fn a_malformed_list_is_refused() {
        for text in [
            "a",
            "\"a",
            "a\"",
            "\"a\" \"b\"",
            "*, \"a\"",
            "**",
            "W/a",
            "w/\"a\"",
            "\"a b\"",
            "\"a\"b",
        ] {
            assert_eq!(EntityTags::parse(text), None, "{text}");
        }
    }
}
