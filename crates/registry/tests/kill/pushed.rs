//! [`Pushed`]: what a registry was asked to keep, and what it said of it.

use std::collections::BTreeMap;

use crate::support::{curl::Curl, digest, layout::parse};

/// The media type of every manifest.
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Paths, with the digest of what has to be there.
#[derive(Debug, Default)]
pub(crate) struct Pushed(BTreeMap<String, Claim>);

#[derive(Debug, Default)]
struct Claim {
    /// It was answered 201 to this.
    acknowledged: Option<String>,
    /// It was asked to keep this after that, and did not answer.
    asked: Option<String>,
}

impl Pushed {
    /// The registry is about to be asked to keep `digest` at `path`.
    pub(crate) fn ask(&mut self, path: &str, digest: &str) {
        self.0.entry(path.to_owned()).or_default().asked = Some(digest.to_owned());
    }

    /// It has answered 201.
    pub(crate) fn acknowledge(&mut self, path: &str) {
        let claim = self.0.get_mut(path).unwrap();
        claim.acknowledged = claim.asked.take();
    }

    /// Takes what others pushed to other paths.
    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Whether all that was acknowledged is there, and nothing by halves.
    #[track_caller]
    pub(crate) fn check(&self, curl: &Curl) {
        for (path, Claim { acknowledged, asked }) in &self.0 {
            let answer = curl.ask(&["-H", &format!("Accept: {MANIFEST}")], path, None);
            let found = match answer.status {
                200 => Some(digest(&answer.body)),
                404 => None,
                status => panic!("{path}: {status}"),
            };
            let known = found == *acknowledged || found == *asked && asked.is_some();
            assert!(known, "{path}: {found:?}, not {acknowledged:?} or {asked:?}");
            if found.is_some() && path.contains("/manifests/") {
                check_layers(curl, path, &answer.body);
            }
        }
    }
}

/// Whether the blobs of a manifest are there.
#[track_caller]
fn check_layers(curl: &Curl, path: &str, manifest: &[u8]) {
    let repository = path.split_once("/manifests/").unwrap().0;
    for layer in parse(manifest)["layers"].as_array().unwrap() {
        let blob = format!("{repository}/blobs/{}", layer["digest"].as_str().unwrap());
        let answer = curl.ask(&["--head"], &blob, None);
        assert_eq!(answer.status, 200, "{path}: {blob}");
        assert_eq!(answer.header("content-length"), layer["size"].to_string(), "{blob}");
    }
}
