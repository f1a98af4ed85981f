//! A client that pushes blobs and manifests, one after the other.

use std::sync::mpsc::Sender;

use serde_json::json;

use crate::{
    pushed::{MANIFEST, Pushed},
    support::{
        curl::{Curl, Response, finish},
        digest,
        random::Random,
    },
};

/// Most blobs are small; some take a while.
const LARGEST_BLOB: u64 = 1_000_000;

/// Pushes images to `repository` until a request gets no response, sends a message to `done` after each image, and
/// returns the pushes.
pub(crate) fn push_until_the_registry_is_gone(
    curl: &Curl,
    mut random: Random,
    repository: &str,
    done: &Sender<()>,
) -> Pushed {
    let mut pushed = Pushed::default();
    for n in 0.. {
        let image = Image::new(&mut random, repository, n);
        if image.push(curl, &mut random, &mut pushed).is_err() {
            break;
        }
        // The receiver may be gone.
        let _ = done.send(());
    }
    pushed
}

/// A blob, and the manifest that names it.
struct Image {
    repository: String,
    tag: String,
    blob: Vec<u8>,
    manifest: Vec<u8>,
}

impl Image {
    fn new(random: &mut Random, repository: &str, n: u32) -> Self {
        let bound = 1 + random.below(LARGEST_BLOB);
        let len = 1 + random.below(bound);
        let blob = random.bytes(len as usize);
        let layer =
            json!({ "mediaType": "application/x.test", "digest": digest(&blob), "size": len });
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/x.test",
            "config": &layer, "layers": [&layer],
        });
        let manifest = manifest.to_string().into_bytes();
        Self { repository: repository.to_owned(), tag: format!("v{n}"), blob, manifest }
    }

    /// # Errors
    ///
    /// A request got no response.
    fn push(&self, curl: &Curl, random: &mut Random, pushed: &mut Pushed) -> Result<(), String> {
        let Self { repository, tag, blob, manifest } = self;
        let name = digest(blob);
        let uploads = format!("/v2/{repository}/blobs/uploads/");
        let begun = expect(202, curl.try_ask(&["-X", "POST"], &uploads, None)?);
        // The last request sends any part of the blob, or nothing.
        let (first, rest) = blob.split_at(random.below(blob.len() as u64 + 1) as usize);
        let patch = curl.try_ask(&["-X", "PATCH"], begun.header("location"), Some(first))?;
        let end = finish(expect(202, patch).header("location"), &name);
        let path = format!("/v2/{repository}/blobs/{name}");
        pushed.ask(&path, &name);
        expect(201, curl.try_ask(&["-X", "PUT"], &end, Some(rest))?);
        pushed.acknowledge(&path);

        let name = digest(manifest);
        let put = ["-X", "PUT", "-H", &format!("Content-Type: {MANIFEST}")];
        // A new tag, a tag that moves, and the digest.
        for reference in [tag, "latest", &name] {
            let path = format!("/v2/{repository}/manifests/{reference}");
            pushed.ask(&path, &name);
            expect(201, curl.try_ask(&put, &path, Some(manifest))?);
            pushed.acknowledge(&path);
        }
        Ok(())
    }
}

#[track_caller]
fn expect(status: u16, response: Response) -> Response {
    assert_eq!(response.status, status, "{response:?}");
    response
}
