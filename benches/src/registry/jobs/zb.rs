//! [`Zb`]: the scenarios of zot's benchmark of registries, `zb`, by their names.

use std::{
    cell::{Cell, RefCell},
    time::Instant,
};

use futures::future::join_all;
use serde::{Deserialize, Serialize};

use super::Measured;
use crate::{
    harness::{Figures, MIB, Random, Who, clock::Times},
    registry::{client::Client, content::Blob, server::Target},
};

/// The sizes of blobs, in MiB: what `zb` names 1MB, 10MB and 100MB.
const SIZES: [u64; 3] = [1, 10, 100];
const SEED: u64 = 13;

/// What is done again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Act {
    /// The first page of the catalog is read.
    Catalog,
    /// An image with one layer is pushed to a repository of its own: POST and PUT of the layer.
    PushMonolith,
    /// The same: POST, PATCH and PUT of the layer.
    PushChunked,
    /// An image with one layer is pulled.
    Pull,
    /// Three pulls for each push.
    PullAndPush,
}

/// Clients that do the same again and again, each the next when the previous one is done.
///
/// - `rate`: how many a second, all clients together;
/// - `p50`, `p99`: milliseconds of one;
/// - `zb cpu`: seconds of the registry's processor time for a thousand.
///
/// A request that fails ends the measurement, which then has no figures.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Zb {
    /// The registry.
    pub target: Target,
    /// What is done.
    pub act: Act,
    /// How many percent of the layers have 1, 10 and 100 MiB.
    pub percent: [usize; 3],
    /// How often it is done.
    pub count: u64,
    /// How many clients there are.
    pub clients: usize,
}

impl Zb {
    pub(super) async fn run(&self, who: Who) -> Figures {
        let config = &Blob::many(1, MIB)[0];
        let layers: Vec<Blob> = SIZES.iter().flat_map(|size| Blob::many(1, size * MIB)).collect();
        let mut measured = Measured::new(who, &self.target);
        let mut clients = Client::many(self.clients, &measured.server).await;
        for (size, layer) in layers.iter().enumerate() {
            clients[0].push_image(&pulled(size), config, layer, false).await;
        }

        let before = measured.server.spent();
        let work = self.load(&mut clients, config, &layers);
        measured
            .phase(work, |figures, (rate, mut times)| {
                let (median, most) = (times.quantile(0.5), times.quantile(0.99));
                figures.with("rate", rate).with("p50", median / 1e6).with("p99", most / 1e6)
            })
            .await;
        measured.add_spent("zb", before, self.count as f64 / 1e3);
        measured.end()
    }

    async fn load(&self, clients: &mut [Client], config: &Blob, layers: &[Blob]) -> (f64, Times) {
        let (next, times) = (Cell::new(0), RefCell::new(Times::new(self.count as usize)));
        let (next, times_of) = (&next, &times);
        let start = Instant::now();
        join_all(clients.iter_mut().map(async |client| {
            loop {
                let number = next.get();
                if number == self.count {
                    break;
                }
                next.set(number + 1);
                let begin = Instant::now();
                self.act(client, number, config, layers).await;
                times_of.borrow_mut().add(begin);
            }
        }))
        .await;
        let seconds = start.elapsed().as_secs_f64();
        (self.count as f64 / seconds, times.into_inner())
    }

    async fn act(&self, client: &mut Client, number: u64, config: &Blob, layers: &[Blob]) {
        let mut random = Random::new(SEED + number);
        let size = self.size(random.below(100));
        let pushes = match self.act {
            Act::Catalog => {
                client.get("/v2/_catalog").await;
                return;
            }
            Act::PushMonolith | Act::PushChunked => true,
            Act::Pull => false,
            Act::PullAndPush => random.below(4) == 0,
        };
        if pushes {
            let monolith = self.act != Act::PushChunked;
            let repository = format!("zb/pushed-{number}");
            client.push_image(&repository, config, &layers[size], monolith).await;
        } else {
            client.pull_image(&pulled(size), config, &layers[size]).await;
        }
    }

    /// Which of the sizes it is, for a number below a hundred.
    fn size(&self, percent: usize) -> usize {
        let mut below = 0;
        let found = self.percent.iter().position(|part| {
            below += part;
            percent < below
        });
        found.unwrap_or_default()
    }
}

/// The repository with the image of this size.
fn pulled(size: usize) -> String {
    format!("zb/pulled-{size}")
}

#[test]
fn layers_have_the_sizes_of_the_scenario() {
    let target = Target {
        program: Default::default(),
        distribution: Default::default(),
        dir: Default::default(),
        storage: crate::registry::Storage::Memory,
    };
    let zb = Zb { target, act: Act::Pull, percent: [20, 70, 10], count: 1, clients: 1 };
    let of = |percents: std::ops::Range<usize>| -> Vec<usize> {
        percents.map(|percent| zb.size(percent)).collect()
    };
    assert_eq!([of(0..20), of(20..90), of(90..100)], [vec![0; 20], vec![1; 70], vec![2; 10]]);
}
