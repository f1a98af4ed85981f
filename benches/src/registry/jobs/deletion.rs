//! [`Deletion`]: a manifest with many tags that is deleted.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::{Measured, fill};
use crate::{
    harness::{Figures, Who},
    registry::{client::Client, content::digest_of_manifest, server::Target},
};

const REPOSITORY: &str = "library/deleted";
const CLIENTS: usize = 16;
/// The number of the manifest that all tags name.
const NUMBER: u64 = 0;

/// Gives one manifest many tags, and then deletes it by digest, which deletes its tags too.
///
/// - `delete`: milliseconds of the deletion.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Deletion {
    /// The registry.
    pub target: Target,
    /// How many tags there are.
    pub count: usize,
}

impl Deletion {
    pub(super) async fn run(&self, who: Who) -> Figures {
        let mut measured = Measured::new(who, &self.target);
        let mut clients = Client::many(CLIENTS, &measured.server).await;
        let tags = fill(&mut clients, self.count, async |client, number| {
            client.tag(&format!("/v2/{REPOSITORY}/manifests/v{number:05}"), NUMBER).await;
        });
        measured.phase(tags, |figures, ()| figures).await;
        let delete = async {
            let start = Instant::now();
            let digest = digest_of_manifest(NUMBER);
            clients[0].delete(&format!("/v2/{REPOSITORY}/manifests/{digest}")).await;
            start.elapsed().as_secs_f64() * 1e3
        };
        measured.phase(delete, |figures, time| figures.with("delete", time)).await;
        measured.end()
    }
}
