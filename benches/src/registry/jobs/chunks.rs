//! [`Chunks`]: a blob that is pushed in many requests.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::Measured;
use crate::{
    harness::{Figures, MIB, Who},
    registry::{client::Client, content::Blob, server::Target},
};

const REPOSITORY: &str = "library/chunks";

/// Pushes a blob in chunks, one after the other.
///
/// - `push`: MiB a second.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Chunks {
    /// The registry.
    pub target: Target,
    /// How large the blob is, in bytes.
    pub size: u64,
    /// How many chunks there are.
    pub chunks: usize,
}

impl Chunks {
    pub(super) async fn run(&self, who: Who) -> Figures {
        let blobs = Blob::many(1, self.size);
        let mut measured = Measured::new(who, &self.target);
        let mut clients = Client::many(1, &measured.server).await;
        let push = async {
            let start = Instant::now();
            clients[0].push_in_chunks(REPOSITORY, &blobs[0], self.chunks).await;
            self.size as f64 / MIB as f64 / start.elapsed().as_secs_f64()
        };
        measured.phase(push, |figures, rate| figures.with("push", rate)).await;
        measured.end()
    }
}
