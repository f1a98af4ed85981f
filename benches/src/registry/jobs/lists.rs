//! [`Lists`]: many tags, and many repositories.

use std::time::Instant;

use futures::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Measured;
use crate::{
    Figures, Who,
    clock::median,
    registry::{client::Client, server::Target},
};

const REPOSITORY: &str = "library/lists";
/// How many push what is to be listed.
const CLIENTS: usize = 16;
/// Of so many the median is taken.
const ROUNDS: usize = 3;
/// How many repositories a client asks for at once that wants all: more than distribution gives
/// unless it is told otherwise, which is 1,000.
const CATALOG: usize = 1_000;
/// How many it asks for that wants to see the first.
const FIRST: usize = 100;

/// Lists the tags of a repository that has many, and then a registry of many repositories.
///
/// - `tags`, `catalog`: milliseconds until all are there, page after page;
/// - `first tags`, `first catalog`: until the first [`FIRST`] are. Distribution knows no pages of
///   tags, and gives all.
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
        let mut clients = Client::many(CLIENTS, measured.server.address).await;
        let tags = format!("/v2/{REPOSITORY}/tags/list");
        let phases = [
            ("tags", tags.clone(), format!("{tags}?n={FIRST}")),
            ("catalog", format!("/v2/_catalog?n={CATALOG}"), format!("/v2/_catalog?n={FIRST}")),
        ];
        for (list, whole, first) in phases {
            let of_tags = list == "tags";
            let path = |number| match of_tags {
                true => format!("/v2/{REPOSITORY}/manifests/v{number:05}"),
                // The repository of the tags is one of them.
                false => format!("/v2/library/r{number:05}/manifests/latest"),
            };
            let count = if of_tags { self.count } else { self.count - 1 };
            let filled = fill(&mut clients, count, path);
            measured.phase(filled, |figures, ()| figures).await;
            let timed = async {
                let client = &mut clients[0];
                let key = if of_tags { "tags" } else { "repositories" };
                let first = median(ROUNDS, async || {
                    let start = Instant::now();
                    let (body, _) = client.page(&first).await;
                    let time = milliseconds(start);
                    assert!(names(&body, key) >= FIRST.min(self.count));
                    time
                });
                let first = first.await;
                let whole = median(ROUNDS, async || {
                    let (start, mut pages) = (Instant::now(), Vec::new());
                    let mut next = Some(whole.clone());
                    while let Some(path) = next {
                        let (body, link) = client.page(&path).await;
                        pages.push(body);
                        next = link;
                    }
                    let time = milliseconds(start);
                    assert_eq!(
                        pages.iter().map(|page| names(page, key)).sum::<usize>(),
                        self.count
                    );
                    time
                });
                (first, whole.await)
            };
            let report = |figures: Figures, (first, whole)| {
                figures.with(&format!("first {list}"), first).with(list, whole)
            };
            measured.phase(timed, report).await;
        }
        measured.end()
    }
}

/// Pushes `count` manifests to the paths of their numbers; all are the same one.
async fn fill(clients: &mut [Client], count: usize, path: impl Fn(usize) -> String) {
    let (path, step) = (&path, clients.len());
    join_all(clients.iter_mut().enumerate().map(async |(at, client)| {
        for number in (at..count).step_by(step) {
            client.tag(&path(number), 0).await;
        }
    }))
    .await;
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// How many names are in the answer's list of this key.
fn names(body: &[u8], key: &str) -> usize {
    let body: Value = serde_json::from_slice(body).expect("a list is JSON");
    body[key].as_array().map_or(0, Vec::len)
}
