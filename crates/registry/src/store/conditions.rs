//! [`Conditions`]: the preconditions of a request, and changes of manifests that depend on them.

use http::{HeaderMap, HeaderName, StatusCode, header};
use storage_driver::{Metadata, Path, Payload, Precondition};

use super::{Store, manifests::unknown};
use crate::{
    digest::Digest,
    error::{Code, Error, Result},
    layout,
    name::{Name, Reference, Tag},
};

/// `If-Match` and `If-None-Match` of a request (RFC 9110, section 13), for resources whose entity tag
/// is the digest of their content, in quotes.
///
/// A digest without quotes is accepted too, as distribution does. Any other malformed list is refused,
/// so that a condition that cannot be understood never counts as fulfilled. No resource has a
/// modification date, so `If-Modified-Since` and `If-Unmodified-Since` are ignored, as the RFC requires.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conditions {
    if_match: Option<EntityTags>,
    if_none_match: Option<EntityTags>,
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

impl Conditions {
    /// # Errors
    ///
    /// 400 if a list of entity tags is malformed.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self> {
        Ok(Self {
            if_match: entity_tags(headers, &header::IF_MATCH)?,
            if_none_match: entity_tags(headers, &header::IF_NONE_MATCH)?,
        })
    }

    pub(crate) fn is_none(&self) -> bool {
        self.if_match.is_none() && self.if_none_match.is_none()
    }

    /// Evaluates them for a request that changes a resource whose content is `current`.
    ///
    /// # Errors
    ///
    /// 412 if one does not hold.
    pub(crate) fn check(&self, current: Option<&Digest>) -> Result<()> {
        self.check_if_match(current)?;
        match self.none_matches(current) {
            true => Ok(()),
            false => Err(failed()),
        }
    }

    /// Evaluates them for a request that reads a resource. Returns whether the client has its content
    /// already, which is 304.
    ///
    /// # Errors
    ///
    /// 412 if `If-Match` does not hold.
    pub(crate) fn is_not_modified(&self, current: &Digest) -> Result<bool> {
        self.check_if_match(Some(current))?;
        Ok(!self.none_matches(Some(current)))
    }

    /// By the strong comparison: a weak tag matches nothing.
    fn check_if_match(&self, current: Option<&Digest>) -> Result<()> {
        match &self.if_match {
            Some(tags) if !tags.have(current, |tag| !tag.weak) => Err(failed()),
            _ => Ok(()),
        }
    }

    /// By the weak comparison, which disregards whether a tag is weak.
    fn none_matches(&self, current: Option<&Digest>) -> bool {
        self.if_none_match.as_ref().is_none_or(|tags| !tags.have(current, |_| true))
    }
}

impl EntityTags {
    fn have(&self, current: Option<&Digest>, compares: impl Fn(&EntityTag) -> bool) -> bool {
        match (self, current) {
            (_, None) => false,
            (Self::Any, Some(_)) => true,
            (Self::Listed(tags), Some(current)) => {
                let current = current.to_string();
                tags.iter().any(|tag| tag.opaque == current && compares(tag))
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

fn failed() -> Error {
    Error::new(Code::PreconditionFailed, "the resource does not fulfil the request's precondition")
}

impl Store {
    /// The digest of the manifest that `reference` names, if that manifest can be pulled.
    pub(crate) async fn current(
        &self,
        name: &Name,
        reference: &Reference,
    ) -> Result<Option<Digest>> {
        let digest = match reference {
            Reference::Digest(digest) => Some(*digest),
            Reference::Tag(tag) => self.tagged(name, tag).await?,
        };
        match digest {
            Some(digest) if self.file(&layout::revision(name, &digest)).await?.is_some() => {
                Ok(digest.into())
            }
            _ => Ok(None),
        }
    }

    /// Evaluates `conditions` on what `reference` names now.
    ///
    /// # Errors
    ///
    /// As [`put_link_if`](Self::put_link_if).
    pub(crate) async fn check(
        &self,
        name: &Name,
        reference: &Reference,
        conditions: &Conditions,
    ) -> Result<()> {
        if conditions.is_none() {
            return Ok(());
        }
        self.require_preconditions()?;
        conditions.check(self.current(name, reference).await?.as_ref())
    }

    /// Writes the link of `reference` if `conditions` hold. Checking and writing are one step: a write
    /// by another client in between makes the driver refuse, and the conditions are evaluated again.
    ///
    /// # Errors
    ///
    /// 412 if they do not hold; 501 on a driver without `preconditions`.
    pub(super) async fn put_link_if(
        &self,
        name: &Name,
        reference: &Reference,
        digest: &Digest,
        conditions: &Conditions,
    ) -> Result<Metadata> {
        let path = link_of(name, reference);
        if conditions.is_none() {
            return Ok(self.put_link(&path, digest).await?);
        }
        loop {
            let seen = self.seen(&path).await?;
            conditions.check(self.current(name, reference).await?.as_ref())?;
            if let (Reference::Tag(tag), true) = (reference, self.options.immutable_tags) {
                self.require_free(name, tag, digest).await?;
            }
            let content = Payload::from(digest.to_string());
            match self.driver.put_content(&path, content, seen).await {
                Err(error) if error.is_precondition_failed() => {}
                put => return Ok(put?),
            }
        }
    }

    /// Deletes a tag if `conditions` hold, in one step as [`put_link_if`](Self::put_link_if).
    pub(super) async fn delete_tag_if(
        &self,
        name: &Name,
        tag: &Tag,
        conditions: &Conditions,
    ) -> Result<()> {
        let path = layout::current(name, tag);
        let reference = Reference::Tag(tag.clone());
        loop {
            let seen = self.seen(&path).await?;
            if seen == Precondition::IfAbsent {
                return Err(unknown(tag));
            }
            conditions.check(self.current(name, &reference).await?.as_ref())?;
            match self.driver.delete(&path, seen).await {
                Err(error) if error.is_not_found() || error.is_precondition_failed() => {}
                deleted => {
                    deleted?;
                    break;
                }
            }
        }
        // Not the whole directory of the tag: another client may have pushed it again.
        self.driver.delete_many(&[layout::tag_indexes(name, tag)]).await?;
        Ok(())
    }

    fn require_preconditions(&self) -> Result<()> {
        if self.capabilities.preconditions {
            return Ok(());
        }
        let text = "this registry's store has no conditional writes";
        Err(Error::new(Code::Unsupported, text).status(StatusCode::NOT_IMPLEMENTED))
    }

    /// The precondition under which the file at `path` is as it is now.
    async fn seen(&self, path: &Path) -> Result<Precondition> {
        self.require_preconditions()?;
        let file = self.file(path).await?;
        Ok(file.map_or(Precondition::IfAbsent, |file| Precondition::IfVersion(file.version)))
    }
}

fn link_of(name: &Name, reference: &Reference) -> Path {
    match reference {
        Reference::Tag(tag) => layout::current(name, tag),
        Reference::Digest(digest) => layout::revision(name, digest),
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

    #[tokio::test]
    async fn a_condition_on_a_driver_without_conditional_writes_is_501() {
        let driver = std::sync::Arc::new(inmemory::InMemory::new());
        let mut store = Store::new(driver, crate::options::Options::default());
        store.capabilities.preconditions = false;
        let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, "*".parse().unwrap())]);
        let conditions = Conditions::of(&headers).unwrap();
        let (name, tag) = (Name::parse("a").unwrap(), Tag::parse("b").unwrap());
        let checked = store.check(&name, &Reference::Tag(tag), &conditions).await;
        let response = axum::response::IntoResponse::into_response(checked.unwrap_err());
        assert_eq!(response.status(), StatusCode::NOT_IMPLEMENTED);
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
