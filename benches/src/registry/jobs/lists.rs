//! [`Lists`]: many tags, and many repositories.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Measured, fill};
use crate::{
    harness::{
        Figures, MIB, Who,
        clock::{median, milliseconds},
    },
    registry::{client::Client, content::Blob, server::Target},
};

/// The repository with many tags, which is one of the many repositories, too.
const REPOSITORY: &str = "library/lists";
/// How many push what is to be listed.
const CLIENTS: usize = 16;
/// Of so many the median is taken.
const ROUNDS: usize = 3;
/// The page size of a client that lists all repositories: the most that distribution returns by default.
const CATALOG: usize = 1_000;
/// The page size of a client that lists the first ones.
const FIRST: usize = 100;

/// Lists the tags of a repository that has many, and then a registry of many repositories.
///
/// - `tags`, `catalog`: milliseconds until all are there, page after page;
/// - `first tags`, `first catalog`: until the first 100 are. Distribution knows no pages of
///   tags, and returns all.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Lists {
    /// The registry.
    pub target: Target,
    /// How many tags there are, and then how many repositories.
    pub count: usize,
}

impl Lists {
    pub(super) async fn run(&self, who: Who) -> Figures {
        let mut measured = Measured::new(who, &self.target);
        let mut clients = Client::many(CLIENTS, &measured.server).await;
        let clients = clients.as_mut_slice();

        let tags = fill(clients, self.count, async |client, number| {
            client.tag(&format!("/v2/{REPOSITORY}/manifests/v{number:05}"), 0).await;
        });
        measured.phase(tags, |figures, ()| figures).await;
        let path = format!("/v2/{REPOSITORY}/tags/list");
        let first = format!("{path}?n={FIRST}");
        let times = self.list(&mut clients[0], &path, &first, "tags");
        let tell =
            |figures: Figures, (first, all)| figures.with("first tags", first).with("tags", all);
        measured.phase(times, tell).await;

        // Distribution's catalog has those repositories that have a blob.
        let blobs = Blob::many(1, MIB);
        let blob = &blobs[0];
        clients[0].push(REPOSITORY, blob).await;
        let repositories = fill(clients, self.count - 1, async |client, number| {
            let repository = format!("library/r{number:05}");
            client.mount(&repository, blob, REPOSITORY).await;
            client.tag(&format!("/v2/{repository}/manifests/latest"), 0).await;
        });
        measured.phase(repositories, |figures, ()| figures).await;
        let [all, first] = [CATALOG, FIRST].map(|n| format!("/v2/_catalog?n={n}"));
        let times = self.list(&mut clients[0], &all, &first, "repositories");
        let tell = |figures: Figures, (first, all)| {
            figures.with("first catalog", first).with("catalog", all)
        };
        measured.phase(times, tell).await;
        measured.end()
    }

    /// How many milliseconds the page at `first` takes, and all from that at `all` on.
    async fn list(&self, client: &mut Client, all: &str, first: &str, key: &str) -> (f64, f64) {
        let least = FIRST.min(self.count);
        let first = median(ROUNDS, async || {
            let start = Instant::now();
            let (page, _) = client.page(first).await;
            let time = milliseconds(start);
            assert!(names(&page, key) >= least);
            time
        });
        let first = first.await;
        let all = median(ROUNDS, async || {
            let (start, mut pages, mut next) = (Instant::now(), Vec::new(), Some(all.to_owned()));
            while let Some(path) = next {
                let (page, link) = client.page(&path).await;
                pages.push(page);
                next = link;
            }
            let time = milliseconds(start);
            assert_eq!(pages.iter().map(|page| names(page, key)).sum::<usize>(), self.count);
            time
        });
        (first, all.await)
    }
}

/// The number of names in the list under this key of the response.
fn names(page: &[u8], key: &str) -> usize {
    let page: Value = serde_json::from_slice(page).expect("a list is JSON");
    page[key].as_array().map_or(0, Vec::len)
}
