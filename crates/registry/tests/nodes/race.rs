//! Clients that push, move tags, mount, delete and read through the proxy, while garbage is collected and nodes are
//! killed, paused and stopped. Afterwards every acknowledged push is there, or somebody asked for its deletion.
//!
//! `NODES_SECONDS` is the duration, `NODES_SEED` repeats the choices of a run.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use http::Method;
use rustix::process::Signal;
use serde_json::json;
use tokio::{task::JoinSet, time::sleep};

use crate::{
    cluster::Cluster,
    http::{Response, send},
    number,
    proxy::Faults,
    support::{digest, random::Random},
};

const SECONDS: u64 = 15;
const CLIENTS: usize = 6;
const REPOSITORIES: [&str; 3] = ["one", "two", "three"];
const TAGS: u64 = 4;
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Some layers are larger than what a record of the driver holds.
const LARGEST: u64 = 1_500_000;

/// What the clients know: a repository and the digest of a manifest.
type Name = (&'static str, String);

#[derive(Debug, Default)]
struct Known {
    /// With the content of each manifest.
    acknowledged: BTreeMap<Name, Vec<u8>>,
    /// Deletions that were asked for, whatever came of them.
    deleted: BTreeSet<Name>,
    /// How often each operation ended with each status; 0 is no response.
    ended: BTreeMap<(&'static str, u16), u64>,
}

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

fn manifest(config: &[u8], layer: &[u8]) -> Vec<u8> {
    let descriptor = |content: &[u8]| json!({ "mediaType": "application/x.test", "digest": digest(content), "size": content.len() });
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/x.test",
        "config": descriptor(config), "layers": [descriptor(layer)],
    });
    manifest.to_string().into_bytes()
}

/// The digests and sizes of the blobs of a manifest.
fn blobs(manifest: &[u8]) -> Vec<(String, u64)> {
    let manifest: serde_json::Value = serde_json::from_slice(manifest).unwrap();
    let layers = manifest["layers"].as_array().unwrap().iter();
    let descriptors = layers.chain([&manifest["config"]]);
    descriptors
        .map(|it| (it["digest"].as_str().unwrap().to_owned(), it["size"].as_u64().unwrap()))
        .collect()
}

/// Kills, pauses and stops nodes, one at a time.
async fn disturb(cluster: &mut Cluster, mut random: Random, until: Instant) {
    while Instant::now() < until {
        sleep(Duration::from_millis(random.below(1500))).await;
        let nodes = cluster.nodes.len() as u64;
        let node = &mut cluster.nodes[random.below(nodes) as usize];
        match random.below(3) {
            0 => tokio::task::block_in_place(|| {
                node.kill();
                node.start_again();
            }),
            1 => tokio::task::block_in_place(|| {
                node.stop();
                node.start_again();
            }),
            _ => {
                node.signal(Signal::STOP);
                sleep(Duration::from_millis(random.below(3000))).await;
                node.signal(Signal::CONT);
            }
        }
    }
}

/// Asserts what is promised to clients, at one node.
async fn check(node: SocketAddr, known: &Known) {
    let get = async |target: &str| {
        send(node, Method::GET, target, &[("accept", MANIFEST)], "").await.unwrap()
    };
    let mut expected = BTreeMap::new();
    for repository in REPOSITORIES {
        let listed = get(&format!("/v2/{repository}/tags/list")).await;
        if listed.status == 404 {
            continue;
        }
        for tag in listed.expect(200).json()["tags"].as_array().unwrap() {
            let tag = tag.as_str().unwrap();
            let named = get(&format!("/v2/{repository}/manifests/{tag}")).await;
            assert_eq!(named.status, 200, "{repository}:{tag} names nothing");
            expected.insert((repository, digest(&named.body)), named.body.to_vec());
        }
    }
    let promised = known.acknowledged.iter().filter(|(name, _)| !known.deleted.contains(*name));
    expected.extend(promised.map(|(name, content)| (name.clone(), content.clone())));
    assert!(!expected.is_empty());
    for ((repository, name), content) in expected {
        let got = get(&format!("/v2/{repository}/manifests/{name}")).await;
        assert_eq!(got.status, 200, "{repository}@{name} was pushed and not deleted");
        assert!(got.body == content, "{repository}@{name}");
        for (blob, size) in blobs(&content) {
            let target = format!("/v2/{repository}/blobs/{blob}");
            let head = send(node, Method::HEAD, &target, &[], "").await.unwrap();
            assert_eq!(head.status, 200, "{repository}@{name} names the missing blob {blob}");
            assert_eq!(head.header("content-length"), size.to_string());
        }
    }
}

async fn race(grace: &str, faults: Faults) {
    let seed = number("NODES_SEED").unwrap_or_else(fresh_seed);
    eprintln!("NODES_SEED={seed}");
    let mut random = Random::new(seed);
    let settings = [("REGISTRY_GC_INTERVAL", "500ms"), ("REGISTRY_GC_GRACE", grace)];
    let Some(mut cluster) = Cluster::start_with(3, &settings, faults, seed).await else { return };
    let until = Instant::now() + Duration::from_secs(number("NODES_SECONDS").unwrap_or(SECONDS));
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
    eprintln!("{:?}, {} deletions", known.ended, known.deleted.len());
    assert!(!known.ended.keys().any(|(_, status)| *status == 500), "{:?}", known.ended);
    // A node without anything in its cache.
    let fresh = cluster.nodes[0].another();
    check(fresh.address, &known).await;
}

fn fresh_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.subsec_nanos().into()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "starts Ceph, and installs it if it is missing"]
async fn acknowledged_pushes_survive_collections_without_grace() {
    race("0s", Faults::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "starts Ceph, and installs it if it is missing"]
async fn acknowledged_pushes_survive_a_short_grace_and_lost_responses() {
    race("300ms", Faults { dropped: 2, late: 2 }).await;
}
