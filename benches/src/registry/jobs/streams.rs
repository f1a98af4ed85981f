//! [`Streams`]: large blobs, one or many at once.

use std::time::Instant;

use futures::future::join_all;
use serde::{Deserialize, Serialize};

use super::Measured;
use crate::{
    harness::{Figures, GIB, MIB, Who},
    registry::{client::Client, content::Blob, server::Target},
};

const REPOSITORY: &str = "library/streams";

/// Pushes blobs, each on its own connection, and then pulls them.
///
/// - `push`, `pull`: MiB a second, of all together;
/// - `push cpu`, `push switches` and so on: the registry's processor time in seconds, and its context switches, for
///   each GiB;
/// - `peak`: the most that the registry had in memory, in bytes; `held`: as a multiple of the blobs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Streams {
    /// The registry.
    pub target: Target,
    /// How many blobs there are.
    pub count: usize,
    /// How large each is, in bytes.
    pub size: u64,
}

impl Streams {
    pub(super) async fn run(&self, who: Who) -> Figures {
        let blobs = Blob::many(self.count, self.size);
        let mut measured = Measured::new(who, &self.target);
        let mut clients = Client::many(self.count, &measured.server).await;
        let content = (self.count as u64 * self.size) as f64;
        let rate = |start: Instant| content / MIB as f64 / start.elapsed().as_secs_f64();

        let pushes = async {
            let start = Instant::now();
            let pushes = clients.iter_mut().zip(&blobs);
            join_all(pushes.map(|(client, blob)| client.push(REPOSITORY, blob))).await;
            rate(start)
        };
        let before = measured.server.spent();
        measured.phase(pushes, |figures, rate| figures.with("push", rate)).await;
        measured.add_spent("push", before, content / GIB as f64);
        let pulls = async {
            let start = Instant::now();
            let pulls = clients.iter_mut().zip(&blobs).map(async |(client, blob)| {
                let path = format!("/v2/{REPOSITORY}/blobs/{}", blob.digest);
                assert_eq!(client.get(&path).await, self.size);
            });
            join_all(pulls).await;
            rate(start)
        };
        let before = measured.server.spent();
        measured.phase(pulls, |figures, rate| figures.with("pull", rate)).await;
        measured.add_spent("pull", before, content / GIB as f64);

        let peak = measured.server.peak();
        if !measured.late {
            measured.add("peak", peak);
            measured.add("held", peak / content);
        }
        measured.end()
    }
}
