//! Clients that push, move tags, mount, delete and read through the proxy, while garbage is collected and nodes are
//! killed, paused and stopped. Afterwards every acknowledged push is there, or somebody asked for its deletion.
//!
//! `NODES_SECONDS` is the duration, `NODES_SEED` repeats the choices of a run.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use http::Method;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    cluster::Cluster,
    http::{Response, send},
    invariants::{Known, MANIFEST, blobs, manifest, violations},
    number, pause,
    proxy::Faults,
    say,
    support::{digest, random::Random},
};

const SECONDS: u64 = 5;
const CLIENTS: usize = 6;
const REPOSITORIES: [&str; 3] = ["one", "two", "three"];
const TAGS: u64 = 4;
/// Some layers are larger than what a record of the driver holds.
const LARGEST: u64 = 1_500_000;

#[derive(Clone)]
struct Client {
    proxy: SocketAddr,
    random: Random,
    known: Arc<Mutex<Known>>,
}

/// An operation that ended early: a node was gone, or garbage was collected in between.
struct Ended;

impl Client {
    async fn run(mut self, until: Instant) {
        while Instant::now() < until {
            let repository = self.repository();
            // Its end is counted.
            let _ = match self.random.below(10) {
                0..=3 => self.push(repository).await,
                4 | 5 => self.move_tag(repository).await,
                6 => self.mount(repository).await,
                7 => self.delete(repository).await,
                _ => self.read(repository).await,
            };
        }
    }

    fn repository(&mut self) -> &'static str {
        REPOSITORIES[self.random.below(REPOSITORIES.len() as u64) as usize]
    }

    fn tag(&mut self) -> String {
        format!("v{}", self.random.below(TAGS))
    }

    /// Sends a request; the response has one of these statuses, or the operation ends.
    async fn ask(
        &self,
        operation: &'static str,
        (method, target): (Method, &str),
        headers: &[(&str, &str)],
        content: &[u8],
        expected: &[u16],
    ) -> Result<Response, Ended> {
        let response = send(self.proxy, method, target, headers, content.to_vec()).await;
        let status = response.as_ref().map_or(0, |response| response.status);
        *self.known.lock().unwrap().ended.entry((operation, status)).or_default() += 1;
        response.ok().filter(|response| expected.contains(&response.status)).ok_or(Ended)
    }

    async fn push(&mut self, repository: &'static str) -> Result<(), Ended> {
        let size = 1 + self.random.below(LARGEST);
        let size = 1 + self.random.below(size);
        let layer = self.random.bytes(size as usize);
        self.push_blob(repository, &layer).await?;
        let config = self.random.bytes(100);
        self.push_blob(repository, &config).await?;
        self.put_manifest(repository, &manifest(&config, &layer)).await
    }

    async fn push_blob(&mut self, repository: &str, content: &[u8]) -> Result<(), Ended> {
        let target = format!("/v2/{repository}/blobs/uploads/");
        let begun = self.ask("POST", (Method::POST, &target), &[], b"", &[202]).await?;
        let (first, rest) = content.split_at(self.random.below(content.len() as u64 + 1) as usize);
        let location = begun.location();
        let sent = self.ask("PATCH", (Method::PATCH, &location), &[], first, &[202]).await?;
        let location = sent.location();
        let separator = if location.contains('?') { '&' } else { '?' };
        let target = format!("{location}{separator}digest={}", digest(content));
        self.ask("PUT blob", (Method::PUT, &target), &[], rest, &[201]).await?;
        Ok(())
    }

    async fn put_manifest(
        &mut self,
        repository: &'static str,
        content: &[u8],
    ) -> Result<(), Ended> {
        let target = format!("/v2/{repository}/manifests/{}", self.tag());
        let headers = [("content-type", MANIFEST)];
        self.ask("PUT manifest", (Method::PUT, &target), &headers, content, &[201]).await?;
        let name = (repository, digest(content));
        self.known.lock().unwrap().acknowledged.insert(name, content.to_vec());
        Ok(())
    }

    async fn get(&mut self, repository: &'static str) -> Result<Response, Ended> {
        let target = format!("/v2/{repository}/manifests/{}", self.tag());
        let accept = [("accept", MANIFEST)];
        let got = self.ask("GET manifest", (Method::GET, &target), &accept, b"", &[200]).await?;
        assert_eq!(got.header("docker-content-digest"), digest(&got.body));
        Ok(got)
    }

    async fn move_tag(&mut self, repository: &'static str) -> Result<(), Ended> {
        let got = self.get(repository).await?;
        self.put_manifest(repository, &got.body).await
    }

    /// An image goes into another repository.
    async fn mount(&mut self, repository: &'static str) -> Result<(), Ended> {
        let got = self.get(repository).await?;
        let to = self.repository();
        for blob in blobs(&got.body) {
            let target = format!("/v2/{to}/blobs/uploads/?mount={}&from={repository}", blob.0);
            self.ask("mount", (Method::POST, &target), &[], b"", &[201]).await?;
        }
        self.put_manifest(to, &got.body).await
    }

    async fn delete(&mut self, repository: &'static str) -> Result<(), Ended> {
        let got = self.get(repository).await?;
        let name = digest(&got.body);
        let target = format!("/v2/{repository}/manifests/{name}");
        self.known.lock().unwrap().deleted.insert((repository, name));
        self.ask("DELETE manifest", (Method::DELETE, &target), &[], b"", &[202]).await?;
        Ok(())
    }

    async fn read(&mut self, repository: &'static str) -> Result<(), Ended> {
        let got = self.get(repository).await?;
        for (name, _) in blobs(&got.body) {
            let target = format!("/v2/{repository}/blobs/{name}");
            let blob = self.ask("GET blob", (Method::GET, &target), &[], b"", &[200]).await?;
            assert_eq!(digest(&blob.body), name);
        }
        Ok(())
    }
}

/// Kills, pauses and stops nodes, one at a time.
async fn disturb(cluster: &mut Cluster, mut random: Random, until: Instant) {
    while Instant::now() < until {
        sleep(Duration::from_millis(random.below(1500))).await;
        // Otherwise nothing is collected for a minute after the death of the node that did.
        cluster.bucket.end_lease();
        let nodes = cluster.nodes.len() as u64;
        let node = &mut cluster.nodes[random.below(nodes) as usize];
        match random.below(3) {
            0 => {
                node.kill();
                node.start_again();
            }
            1 => {
                node.stop();
                node.start_again();
            }
            _ => {
                node.signal(Signal::STOP);
                sleep(Duration::from_millis(random.below(3000))).await;
                node.signal(Signal::CONT);
            }
        }
    }
}

/// The clients run for this time, and `disturb` too. Then a node that has nothing in its cache is asked.
async fn race(
    settings: &[(&str, &str)],
    faults: Faults,
    time: Duration,
    disturb: impl AsyncFnOnce(&mut Cluster, Random, Instant),
) {
    let seed = number("NODES_SEED").unwrap_or_else(fresh_seed);
    eprintln!("NODES_SEED={seed}");
    let mut random = Random::new(seed);
    let Some(mut cluster) = Cluster::start_with(3, settings, faults, seed).await else { return };
    let until = Instant::now() + time;
    let known = Arc::new(Mutex::new(Known::default()));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (random, known) = (random.split(), Arc::clone(&known));
        clients.spawn(Client { proxy: cluster.proxy.address, random, known }.run(until));
    }
    disturb(&mut cluster, random, until).await;
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    let known = std::mem::take(&mut *known.lock().unwrap());
    let collections: usize = cluster.nodes.iter().map(|node| node.collections()).sum();
    let deletions = known.deleted.len();
    say(&format!("{:?}, {deletions} deletions, {collections} collections", known.ended));
    assert!(collections > 0 || !cluster.bucket.end_lease(), "nothing was collected");
    assert!(!known.ended.keys().any(|(_, status)| *status == 500), "{:?}", known.ended);
    assert!(!known.acknowledged.is_empty());
    let fresh = cluster.nodes[0].another();
    let found = violations(fresh.address, &REPOSITORIES, &known).await;
    assert!(found.is_empty(), "{}", found.join("\n"));
}

fn some_seconds() -> Duration {
    Duration::from_secs(number("NODES_SECONDS").unwrap_or(SECONDS))
}

/// The settings of nodes that collect all the time.
fn collecting(grace: &str) -> [(&str, &str); 2] {
    [("REGISTRY_GC_INTERVAL", "500ms"), ("REGISTRY_GC_GRACE", grace)]
}

fn fresh_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.subsec_nanos().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_pushes_survive_collections_without_grace() {
    race(&collecting("0s"), Faults::default(), some_seconds(), disturb).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_pushes_survive_a_short_grace_and_lost_responses() {
    let faults = Faults { dropped: 2, late: 2 };
    race(&collecting("300ms"), faults, some_seconds(), disturb).await;
}

/// It needs Ceph with three OSDs. Nodes are left alone, so that what fails is because of the OSD.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "kills an OSD: NODES_SERVER=ceph OSDS=3"]
async fn acknowledged_pushes_survive_the_loss_of_an_osd() {
    race(&collecting("300ms"), Faults::default(), some_seconds(), async |cluster, _, until| {
        let data = cluster.bucket.variable("CEPH_DATA").expect("NODES_SERVER=ceph OSDS=3");
        let process = fs::read_to_string(Path::new(data).join("osd1.pid")).unwrap();
        let process = Pid::from_raw(process.trim().parse().unwrap()).unwrap();
        sleep(until.saturating_duration_since(Instant::now()) / 4).await;
        kill_process(process, Signal::KILL).unwrap();
        sleep(until.saturating_duration_since(Instant::now())).await;
    })
    .await;
}

/// Uploads that it was working on are continued elsewhere, its lease of the collection is taken, and what it deletes or
/// writes is another version by then.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: NODES_PAUSE"]
async fn acknowledged_pushes_survive_a_node_that_is_paused_for_longer_than_every_time_out() {
    let time = pause() + Duration::from_secs(20);
    race(&collecting("300ms"), Faults::default(), time, async |cluster, _, until| {
        sleep(Duration::from_secs(5)).await;
        cluster.nodes[0].signal(Signal::STOP);
        sleep(pause()).await;
        cluster.nodes[0].signal(Signal::CONT);
        sleep(until.saturating_duration_since(Instant::now())).await;
    })
    .await;
}
