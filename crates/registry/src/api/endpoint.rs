//! [`Endpoint`]: the endpoint of a path.

use percent_encoding::percent_decode_str;
use uuid::Uuid;

use super::error::{Code, Error, Result};
use crate::{digest::Digest, name::Name};

/// The endpoints of the specification. A repository's name has slashes in it, so that a path is read
/// from its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Base,
    Catalog,
    Tags(Name),
    /// A tag or a digest. If it is neither, pull and push fail with different errors.
    Manifest(Name, String),
    Blob(Name, Digest),
    Uploads(Name),
    Upload(Name, Uuid),
    Referrers(Name, String),
}

impl Endpoint {
    pub(super) fn parse(path: &str) -> Result<Self> {
        let nowhere = || Error::new(Code::NameUnknown, "there is no such endpoint");
        let decoded = percent_decode_str(path).decode_utf8().map_err(|_| nowhere())?;
        let rest = decoded.strip_prefix("/v2").ok_or_else(nowhere)?;
        match rest {
            "" | "/" => return Ok(Self::Base),
            "/_catalog" => return Ok(Self::Catalog),
            _ => {}
        }
        let rest = rest.strip_prefix('/').ok_or_else(nowhere)?;
        let (before, last) = rest.rsplit_once('/').ok_or_else(nowhere)?;
        let name = |kind: &str| before.strip_suffix(kind).map(Name::parse).transpose();
        if let Some(name) = name("/blobs/uploads")? {
            return match (last, Uuid::try_parse(last)) {
                ("", _) => Ok(Self::Uploads(name)),
                (_, Ok(id)) => Ok(Self::Upload(name, id)),
                _ => Err(Error::new(Code::BlobUploadUnknown, "no upload is named like this")),
            };
        }
        if let Some(name) = name("/blobs")? {
            return match last {
                "uploads" => Ok(Self::Uploads(name)),
                digest => Ok(Self::Blob(name, Digest::parse(digest)?)),
            };
        }
        if let Some(name) = name("/manifests")? {
            return Ok(Self::Manifest(name, last.to_owned()));
        }
        if let Some(name) = name("/referrers")? {
            return Ok(Self::Referrers(name, last.to_owned()));
        }
        match (name("/tags")?, last) {
            (Some(name), "list") => Ok(Self::Tags(name)),
            _ => Err(nowhere()),
        }
    }

    /// Its name in metrics.
    pub(super) fn route(&self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Catalog => "catalog",
            Self::Tags(_) => "tags",
            Self::Manifest(..) => "manifest",
            Self::Blob(..) => "blob",
            Self::Uploads(_) => "uploads",
            Self::Upload(..) => "upload",
            Self::Referrers(..) => "referrers",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn a_name_may_be_called_like_an_endpoint() {
        let digest = Digest::of(crate::digest::Algorithm::Sha256, b"");
        let cases = [
            ("/v2/a/blobs/blobs/uploads/".to_owned(), Endpoint::Uploads(name("a/blobs"))),
            (
                format!("/v2/a/manifests/blobs/{digest}"),
                Endpoint::Blob(name("a/manifests"), digest),
            ),
            ("/v2/tags/list/tags/list".to_owned(), Endpoint::Tags(name("tags/list"))),
            (
                "/v2/a/tags/manifests/b".to_owned(),
                Endpoint::Manifest(name("a/tags"), "b".to_owned()),
            ),
        ];
        for (path, expected) in cases {
            assert_eq!(Endpoint::parse(&path).unwrap(), expected, "{path}");
        }
    }

    #[test]
    fn a_digest_may_have_its_colon_encoded() {
        let digest = Digest::of(crate::digest::Algorithm::Sha256, b"");
        let path = format!("/v2/a/b/blobs/{digest}").replace(':', "%3A");
        assert_eq!(Endpoint::parse(&path).unwrap(), Endpoint::Blob(name("a/b"), digest));
    }

    #[test]
    fn other_paths_are_refused() {
        for path in [
            "/v2x",
            "/v2/a",
            "/v2/a/b",
            "/v2//tags/list",
            "/v2/a/tags/other",
            "/v2/A/tags/list",
            "/v2/a/blobs/",
            "/v2/a/blobs/x",
            "/v2/../blobs/uploads/",
            "/v2/a%2f%2e%2e/tags/list",
            "/v2/%ff/tags/list",
            "/v2/tags/list",
            "/v2/a/blobs/uploads/x",
        ] {
            assert!(Endpoint::parse(path).is_err(), "{path}");
        }
    }
}
