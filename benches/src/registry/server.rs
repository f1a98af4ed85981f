//! [`Server`]: a registry that runs while it is measured.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::bucket::Bucket;
use crate::harness::{Who, process};

/// The text that ours prints before its address.
const LISTENING: &str = "listening on http://";
/// How long a registry may take until it listens.
const START: Duration = Duration::from_secs(20);

/// The storage of a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Storage {
    /// In files.
    Files {
        /// Whether ours syncs before it responds. Distribution syncs files, and no directories.
        durable: bool,
    },
    /// In its memory.
    Memory,
    /// In a bucket of Ceph.
    Bucket {
        /// How many processes share it.
        nodes: usize,
    },
}

/// The program to start, and its storage.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Target {
    /// Our program.
    pub program: PathBuf,
    /// CNCF distribution's program.
    pub distribution: PathBuf,
    /// The directory that directories of stores are made in.
    pub dir: PathBuf,
    /// What they keep their content in.
    pub storage: Storage,
}

/// A registry: one process, or several on one bucket. It is stopped when it is dropped, and what it stored is removed.
#[derive(Debug)]
pub(super) struct Server {
    nodes: Vec<Node>,
    bucket: Option<Bucket>,
    dir: PathBuf,
}

/// A process.
#[derive(Debug)]
struct Node {
    process: Child,
    /// Kept open, for what may be printed later.
    _output: Option<BufReader<ChildStdout>>,
    address: SocketAddr,
}

/// What processes have taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spent {
    /// Processor time.
    pub(super) seconds: f64,
    /// Context switches.
    pub(super) switches: f64,
}

impl Server {
    /// Starts the registry of `who`, and returns when it listens.
    pub(super) fn start(who: Who, target: &Target) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("registry-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let dir = target.dir.join(name);
        fs::create_dir_all(&dir).expect("it can be created");
        let (nodes, bucket) = match target.storage {
            Storage::Bucket { nodes } => (nodes, Some(Bucket::start())),
            Storage::Files { .. } | Storage::Memory => (1, None),
        };
        let mut server = Self { nodes: Vec::new(), bucket, dir };
        for _ in 0..nodes {
            let node = match who {
                Who::Ours => server.ours(target),
                _ => server.distribution(target),
            };
            server.nodes.push(node);
        }
        server
    }

    fn ours(&self, target: &Target) -> Node {
        let storage = match (target.storage, &self.bucket) {
            (Storage::Files { durable: true }, _) => format!("file://{}", self.dir.display()),
            (Storage::Files { durable: false }, _) => {
                format!("file://{}?durability=none", self.dir.display())
            }
            (_, Some(bucket)) => bucket.url(),
            (_, None) => String::from("inmemory:"),
        };
        let variables = self.bucket.iter().flat_map(Bucket::variables);
        let mut process = Command::new(&target.program)
            .args(["serve", "--listen", "127.0.0.1:0", "--log", "warn", "--storage", &storage])
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("our program can be run");
        let mut output = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("it can be read");
        let address = line.trim().strip_prefix(LISTENING).and_then(|it| it.parse().ok());
        let address = address.expect("our program says where it listens");
        Node { process, _output: Some(output), address }
    }

    fn distribution(&self, target: &Target) -> Node {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let address = free.expect("there is a free port");
        let driver = match (target.storage, &self.bucket) {
            (Storage::Files { .. }, _) => {
                format!("filesystem: {{rootdirectory: '{}'}}", self.dir.join("store").display())
            }
            (_, Some(bucket)) => bucket.for_distribution(),
            (_, None) => String::from("inmemory: {}"),
        };
        let config = self.dir.join(format!("{}.yml", address.port()));
        fs::write(&config, settings(&driver, address)).expect("it is written");
        // Its S3 driver takes no certificates from the environment (`AWS_CA_BUNDLE`).
        let process = Command::new(&target.distribution)
            .env_clear()
            .arg("serve")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("distribution's registry is installed");
        let node = Node { process, _output: None, address };
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(start.elapsed() < START, "distribution's registry does not listen");
            thread::sleep(Duration::from_millis(10));
        }
        node
    }

    /// The address for each client, the nodes in turn.
    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.nodes.iter().cycle().map(|node| node.address)
    }

    /// The most that a process has had in memory, in bytes.
    pub(super) fn peak(&self) -> f64 {
        let peaks = self.nodes.iter().map(|node| process::peak_of(node.process.id()));
        peaks.max().unwrap_or_default() as f64
    }

    /// What all processes have taken so far.
    pub(super) fn spent(&self) -> Spent {
        let of_all = |figure: fn(u32) -> f64| {
            self.nodes.iter().map(|node| figure(node.process.id())).sum::<f64>()
        };
        Spent { seconds: of_all(process::worked_of), switches: of_all(process::switches_of) }
    }

    /// How many requests were sent to the bucket so far.
    pub(super) fn requests(&self) -> f64 {
        self.bucket.as_ref().map_or(f64::NAN, |bucket| bucket.requests() as f64)
    }
}

/// Those that Debian has in `/etc`, with neither a user's password, nor a log of requests, nor the
/// look at the storage every ten seconds, nor redirects to the bucket.
fn settings(driver: &str, address: SocketAddr) -> String {
    format!(
        "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage:\n  \
         cache: {{blobdescriptor: inmemory}}\n  {driver}\n  delete: {{enabled: true}}\n  \
         redirect: {{disable: true}}\nhttp:\n  addr: '{address}'\n  secret: benches\n"
    )
}

impl Drop for Server {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            // One that has ended by itself is gone all the same.
            let _ = node.process.kill();
            let _ = node.process.wait();
        }
        if let Err(error) = fs::remove_dir_all(&self.dir) {
            eprintln!("{} could not be removed: {error}", self.dir.display());
        }
    }
}
