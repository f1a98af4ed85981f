//! Where everything is in the store: distribution's layout.
//!
//! ```text
//! /docker/registry/v2
//! ├── blobs/<algorithm>/<first two digits>/<digits>/data
//! └── repositories/<name>
//!     ├── _layers/<algorithm>/<digits>/link                 the repository has this blob
//!     ├── _manifests
//!     │   ├── revisions/<algorithm>/<digits>/link           the repository has this manifest
//!     │   │                                 /mediatype      its media type, if it is not in the content
//!     │   ├── tags/<tag>/current/link                       the manifest that the tag names
//!     │   │             /index/<algorithm>/<digits>/link    manifests that it has named
//!     │   └── referrers/<algorithm>/<digits of the subject>/<algorithm>/<digits>/link
//!     └── _uploads/<id>/data                                an upload in progress
//! ```
//!
//! ```text
//! /registry/collection/lease                                which node collects garbage, while one does
//! ```
//!
//! A link holds a digest as text. Distribution does not know `mediatype` and `referrers`, and ignores them.

use storage_driver::Path;
use uuid::Uuid;

use crate::{
    digest::{Algorithm, Digest},
    name::{Name, Tag},
};

const ROOT: &str = "/docker/registry/v2";

/// The lease of the node that collects, outside of distribution's tree.
pub(crate) fn lease() -> Path {
    path("/registry/collection/lease".to_owned())
}

/// The directory of all blobs, manifests included.
pub(crate) fn blobs() -> Path {
    path(format!("{ROOT}/blobs"))
}

pub(crate) fn blob(digest: &Digest) -> Path {
    let (algorithm, hex) = (digest.algorithm().as_str(), digest.hex());
    path(format!("{ROOT}/blobs/{algorithm}/{}/{hex}/data", &hex[..2]))
}

/// The directory of all repositories.
pub(crate) fn repositories() -> Path {
    path(format!("{ROOT}/repositories"))
}

/// The directory of a repository, in which there may be others.
pub(crate) fn repository(name: &Name) -> Path {
    path(format!("{ROOT}/repositories/{name}"))
}

pub(crate) fn layers(name: &Name) -> Path {
    path(format!("{ROOT}/repositories/{name}/_layers"))
}

pub(crate) fn layer(name: &Name, digest: &Digest) -> Path {
    path(format!("{ROOT}/repositories/{name}/_layers/{}/link", parts(digest)))
}

pub(crate) fn manifests(name: &Name) -> Path {
    path(format!("{ROOT}/repositories/{name}/_manifests"))
}

pub(crate) fn revisions(name: &Name) -> Path {
    path(format!("{ROOT}/repositories/{name}/_manifests/revisions"))
}

pub(crate) fn revision(name: &Name, digest: &Digest) -> Path {
    path(format!("{ROOT}/repositories/{name}/_manifests/revisions/{}/link", parts(digest)))
}

pub(crate) fn media_type(name: &Name, digest: &Digest) -> Path {
    path(format!("{ROOT}/repositories/{name}/_manifests/revisions/{}/mediatype", parts(digest)))
}

pub(crate) fn tags(name: &Name) -> Path {
    path(format!("{ROOT}/repositories/{name}/_manifests/tags"))
}

pub(crate) fn tag(name: &Name, tag: &Tag) -> Path {
    path(format!("{ROOT}/repositories/{name}/_manifests/tags/{tag}"))
}

pub(crate) fn current(name: &Name, tag: &Tag) -> Path {
    path(format!("{ROOT}/repositories/{name}/_manifests/tags/{tag}/current/link"))
}

pub(crate) fn tag_index(name: &Name, tag: &Tag, digest: &Digest) -> Path {
    let parts = parts(digest);
    path(format!("{ROOT}/repositories/{name}/_manifests/tags/{tag}/index/{parts}/link"))
}

/// The directory of the referrers of a manifest whose digests are by `algorithm`.
pub(crate) fn referrers(name: &Name, subject: &Digest, algorithm: Algorithm) -> Path {
    let (subject, algorithm) = (parts(subject), algorithm.as_str());
    path(format!("{ROOT}/repositories/{name}/_manifests/referrers/{subject}/{algorithm}"))
}

/// The directory of a referrer's link.
pub(crate) fn referrer_dir(name: &Name, subject: &Digest, digest: &Digest) -> Path {
    let (subject, digest) = (parts(subject), parts(digest));
    path(format!("{ROOT}/repositories/{name}/_manifests/referrers/{subject}/{digest}"))
}

pub(crate) fn referrer(name: &Name, subject: &Digest, digest: &Digest) -> Path {
    let (subject, digest) = (parts(subject), parts(digest));
    path(format!("{ROOT}/repositories/{name}/_manifests/referrers/{subject}/{digest}/link"))
}

/// The directory of the uploads of a repository.
pub(crate) fn uploads(name: &Name) -> Path {
    path(format!("{ROOT}/repositories/{name}/_uploads"))
}

/// The directory of the manifests that a tag has named.
pub(crate) fn tag_indexes(name: &Name, tag: &Tag) -> Path {
    path(format!("{ROOT}/repositories/{name}/_manifests/tags/{tag}/index"))
}

/// Where an upload is in progress.
pub(crate) fn upload_data(name: &Name, id: Uuid) -> Path {
    path(format!("{ROOT}/repositories/{name}/_uploads/{id}/data"))
}

/// The digest in two components of a path.
pub(crate) fn digest(algorithm: &str, hex: &str) -> Option<Digest> {
    Digest::from_hex(Algorithm::parse(algorithm).ok()?, hex).ok()
}

fn parts(digest: &Digest) -> String {
    format!("{}/{}", digest.algorithm().as_str(), digest.hex())
}

/// All parts are of types whose characters are valid in a path, and the longest parts together are far shorter
/// than the longest path: see the test.
fn path(text: String) -> Path {
    Path::parse(text).unwrap_or_else(|error| unreachable!("a path of the layout: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_names_are_paths() {
        let name = Name::parse(&"n".repeat(Name::MAX_BYTES)).unwrap();
        let longest_tag = Tag::parse(&"t".repeat(128)).unwrap();
        let digest = Digest::of(Algorithm::Sha512, b"");
        let paths = [
            referrer(&name, &digest, &digest),
            tag_index(&name, &longest_tag, &digest),
            upload_data(&name, Uuid::nil()),
        ];
        assert!(paths.iter().all(|path| path.as_str().len() < 1024));
    }

    #[test]
    fn a_blob_is_where_distribution_has_it() {
        let digest = Digest::of(Algorithm::Sha256, b"");
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let expected = format!("/docker/registry/v2/blobs/sha256/e3/{hex}/data");
        assert_eq!(blob(&digest).as_str(), expected);
    }
}
