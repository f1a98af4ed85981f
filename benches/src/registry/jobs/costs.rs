//! [`Costs`]: what a registry sends to its bucket.

use serde::{Deserialize, Serialize};

use super::Measured;
use crate::{
    harness::{Figures, MIB, Who},
    registry::{client::Client, content::Blob, server::Target},
};

const REPOSITORY: &str = "library/costs";
const SIZE: u64 = 100 * MIB;
const CHUNKS: usize = 20;
/// Requests that are sent before, so that what is cached is there.
const WARM: usize = 3;

/// Counts the requests that a registry sends to its bucket.
///
/// - `push`, `chunks`: for 100 MiB in one request, and in 20; `small`: for 1 MiB; `manifest`: for a manifest with a tag;
/// - `get`, `head`, `pull`: for a manifest by tag, for `HEAD` of a blob and for the blob, when what is cached is there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Costs {
    /// The registry.
    pub target: Target,
}

impl Costs {
    pub(super) async fn run(&self, who: Who) -> Figures {
        let (large, small) = (Blob::many(2, SIZE), Blob::many(2, MIB));
        let mut measured = Measured::new(who, &self.target);
        let mut clients = Client::many(1, &measured.server).await;
        let client = &mut clients[0];
        // A registry that has just started looks for more.
        client.push(REPOSITORY, &small[0]).await;
        client.tag(&tag(0), 0).await;

        measured.counted("push", client.push(REPOSITORY, &large[0])).await;
        measured.counted("chunks", client.push_in_chunks(REPOSITORY, &large[1], CHUNKS)).await;
        measured.counted("small", client.push(REPOSITORY, &small[1])).await;
        measured.counted("manifest", client.tag(&tag(1), 1)).await;

        let blob = format!("/v2/{REPOSITORY}/blobs/{}", small[0].digest);
        for _ in 0..WARM {
            client.get(&tag(0)).await;
            client.head(&blob).await;
            client.get(&blob).await;
        }
        measured
            .counted("get", async {
                let _: u64 = client.get(&tag(0)).await;
            })
            .await;
        measured.counted("head", client.head(&blob)).await;
        measured
            .counted("pull", async {
                let _: u64 = client.get(&blob).await;
            })
            .await;
        measured.end()
    }
}

fn tag(number: u64) -> String {
    format!("/v2/{REPOSITORY}/manifests/v{number}")
}
