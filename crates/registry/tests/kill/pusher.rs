//! A client that pushes blobs and manifests, one after the other.

use std::sync::mpsc::Sender;

use serde_json::json;

use crate::{
    pushed::{MANIFEST, Pushed},
    support::{
        curl::{Answer, Curl, finish},
        digest,
        random::Random,
    },
};

/// Most blobs are small; some take a while.
const LARGEST_BLOB: u64 = 1_000_000;

/// Pushes to `repository` until there is no answer any more, says each time that an image is `done`, and
/// returns what was pushed.
pub(crate) fn push_until_there_is_no_answer(
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
        // Nobody may want to know any more.
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

    /// An error where there is no answer.
    fn push(&self, curl: &Curl, random: &mut Random, pushed: &mut Pushed) -> Result<(), String> {
        let Self { repository, tag, blob, manifest } = self;
        let name = digest(blob);
        let uploads = format!("/v2/{repository}/blobs/uploads/");
        let begun = expect(202, curl.try_ask(&["-X", "POST"], &uploads, None)?);
        // Any part of it in the request that ends it: none as well.
        let (first, rest) = blob.split_at(random.below(blob.len() as u64 + 1) as usize);
        let patch = curl.try_ask(&["-X", "PATCH"], begun.header("location"), Some(first))?;
        let end = finish(expect(202, patch).header("location"), &name);
        let path = format!("/v2/{repository}/blobs/{name}");
        pushed.ask(&path, &name);
        expect(201, curl.try_ask(&["-X", "PUT"], &end, Some(rest))?);
        pushed.acknowledge(&path);

        let name = digest(manifest);
        let put = ["-X", "PUT", "-H", &format!("Content-Type: {MANIFEST}")];
        // A tag of its own, one that moves, and none.
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
fn expect(status: u16, answer: Answer) -> Answer {
    assert_eq!(answer.status, status, "{answer:?}");
    answer
}
