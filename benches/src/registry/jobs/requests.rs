//! [`Requests`]: small requests, of many clients.

use std::{
    cell::{Cell, RefCell},
    time::{Duration, Instant},
};

use futures::future::join_all;
use serde::{Deserialize, Serialize};

use super::Measured;
use crate::{
    harness::{Figures, MIB, Random, Who, clock::Times},
    registry::{client::Client, content::Blob, server::Target},
};

const REPOSITORY: &str = "library/requests";
const CLIENTS: usize = 16;
/// The number of tags that are pulled, and of blobs that are requested.
const TAGS: u64 = 100;
const BLOBS: usize = 8;
const SEED: u64 = 12;
/// Room for as many times as there might be.
const TIMES: usize = 1 << 20;

/// Sends small requests on 16 connections, each the next after the response to the previous one:
/// pulls manifests by tag, requests blobs, and pushes manifests, each with its own tag.
///
/// - `get`, `head`, `put`: how many a second;
/// - `get p50`, `get p99` and so on: how long one takes, in microseconds;
/// - `get cpu`, `get switches` and so on: the registry's processor time in seconds, and its context switches, for a
///   thousand.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Requests {
    /// The registry.
    pub target: Target,
    /// How long each kind is sent.
    pub milliseconds: u64,
}

impl Requests {
    pub(super) async fn run(&self, who: Who) -> Figures {
        let blobs = Blob::many(BLOBS, MIB);
        let mut measured = Measured::new(who, &self.target);
        let mut clients = Client::many(CLIENTS, &measured.server).await;
        for blob in &blobs {
            clients[0].push(REPOSITORY, blob).await;
        }
        for number in 0..TAGS {
            clients[0].tag(&tag(number), number).await;
        }
        let heads: Vec<String> =
            blobs.iter().map(|blob| format!("/v2/{REPOSITORY}/blobs/{}", blob.digest)).collect();
        let gets: Vec<String> = (0..TAGS).map(tag).collect();

        let get = self.load(&mut clients, async |client, number| {
            client.get(&gets[number as usize % gets.len()]).await;
        });
        measured.phase_of_requests("get", get).await;
        let head = self.load(&mut clients, async |client, number| {
            client.head(&heads[number as usize % heads.len()]).await;
        });
        measured.phase_of_requests("head", head).await;
        let next = Cell::new(TAGS);
        let put = self.load(&mut clients, async |client, _| {
            let number = next.replace(next.get() + 1);
            client.tag(&tag(number), number).await;
        });
        measured.phase_of_requests("put", put).await;
        measured.end()
    }

    /// Each client sends requests for the time of the job, with a number drawn for each.
    async fn load(
        &self,
        clients: &mut [Client],
        send: impl AsyncFn(&mut Client, u64),
    ) -> (f64, Times) {
        let times = RefCell::new(Times::new(TIMES));
        let start = Instant::now();
        let end = start + Duration::from_millis(self.milliseconds);
        let send = &send;
        let times_of = &times;
        join_all(clients.iter_mut().enumerate().map(async |(at, client)| {
            let mut random = Random::new(SEED + at as u64);
            loop {
                let begin = Instant::now();
                if begin >= end {
                    break;
                }
                send(client, random.number()).await;
                times_of.borrow_mut().add(begin);
            }
        }))
        .await;
        let seconds = start.elapsed().as_secs_f64();
        let times = times.into_inner();
        (times.len() as f64 / seconds, times)
    }
}

impl Measured {
    /// Runs a phase of requests, and adds their figures under this name.
    async fn phase_of_requests(&mut self, name: &str, phase: impl Future<Output = (f64, Times)>) {
        let before = self.server.spent();
        let mut count = 0.0;
        self.phase(phase, |figures, (rate, times)| {
            count = times.len() as f64;
            with(figures, name, (rate, times))
        })
        .await;
        self.add_spent(name, before, count / 1e3);
    }
}

fn tag(number: u64) -> String {
    format!("/v2/{REPOSITORY}/manifests/v{number}")
}

fn with(figures: Figures, name: &str, (rate, mut times): (f64, Times)) -> Figures {
    let (median, most) = (times.quantile(0.5), times.quantile(0.99));
    figures
        .with(name, rate)
        .with(&format!("{name} p50"), median / 1e3)
        .with(&format!("{name} p99"), most / 1e3)
}
