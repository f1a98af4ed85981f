//! [`Pushed`]: the content that clients pushed, and whether the registry acknowledged it.

use std::collections::BTreeMap;

use crate::support::{curl::Curl, digest, layout::parse};

/// The media type of every manifest.
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Paths, with the digests of their expected content.
#[derive(Debug, Default)]
pub(crate) struct Pushed(BTreeMap<String, Claim>);

#[derive(Debug, Default)]
struct Claim {
    /// The last digest whose push returned 201.
    acknowledged: Option<String>,
    /// A later push without a response.
    asked: Option<String>,
}

impl Pushed {
    /// Records that `digest` is about to be pushed to `path`.
    pub(crate) fn ask(&mut self, path: &str, digest: &str) {
        self.0.entry(path.to_owned()).or_default().asked = Some(digest.to_owned());
    }

    /// Records that the push returned 201.
    pub(crate) fn acknowledge(&mut self, path: &str) {
        let claim = self.0.get_mut(path).unwrap();
        claim.acknowledged = claim.asked.take();
    }

    /// Adds the pushes of another client to other paths.
    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Asserts that all acknowledged content is there, and no manifest without its blobs.
    #[track_caller]
    pub(crate) fn check(&self, curl: &Curl) {
        for (path, Claim { acknowledged, asked }) in &self.0 {
            let response = curl.ask(&["-H", &format!("Accept: {MANIFEST}")], path, None);
            let found = match response.status {
                200 => Some(digest(&response.body)),
                404 => None,
                status => panic!("{path}: {status}"),
            };
            let known = found == *acknowledged || found == *asked && asked.is_some();
            assert!(known, "{path}: {found:?}, not {acknowledged:?} or {asked:?}");
            if found.is_some() && path.contains("/manifests/") {
                check_layers(curl, path, &response.body);
            }
        }
    }
}

/// Asserts that the blobs of a manifest are there.
#[track_caller]
fn check_layers(curl: &Curl, path: &str, manifest: &[u8]) {
    let repository = path.split_once("/manifests/").unwrap().0;
    for layer in parse(manifest)["layers"].as_array().unwrap() {
        let blob = format!("{repository}/blobs/{}", layer["digest"].as_str().unwrap());
        let response = curl.ask(&["--head"], &blob, None);
        assert_eq!(response.status, 200, "{path}: {blob}");
        assert_eq!(response.header("content-length"), layer["size"].to_string(), "{blob}");
    }
}
