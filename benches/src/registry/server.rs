//! [`Server`]: a registry that runs while it is measured.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::harness::{Who, process};

/// CNCF distribution's registry, as Debian names it.
const DISTRIBUTION: &str = "docker-registry";
/// The text that ours prints before its address.
const LISTENING: &str = "listening on http://";
/// Until the address is known.
const UNKNOWN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
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
}

/// The program to start, and its storage.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Target {
    /// Our program.
    pub program: PathBuf,
    /// The directory that directories of stores are made in.
    pub dir: PathBuf,
    /// What they keep their content in.
    pub storage: Storage,
}

/// A registry. It is stopped when it is dropped, and what it stored is removed.
#[derive(Debug)]
pub(super) struct Server {
    process: Child,
    /// Kept open, for what may be printed later.
    output: Option<BufReader<ChildStdout>>,
    dir: PathBuf,
    pub(super) address: SocketAddr,
}

impl Server {
    /// Starts the registry of `who`, and returns when it listens.
    pub(super) fn start(who: Who, target: &Target) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("registry-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let dir = target.dir.join(name);
        fs::create_dir_all(&dir).expect("it can be created");
        match who {
            Who::Ours => Self::ours(target, dir),
            _ => Self::distribution(target.storage, dir),
        }
    }

    fn ours(target: &Target, dir: PathBuf) -> Self {
        let storage = match target.storage {
            Storage::Memory => String::from("inmemory:"),
            Storage::Files { durable: true } => format!("file://{}", dir.display()),
            Storage::Files { durable: false } => {
                format!("file://{}?durability=none", dir.display())
            }
        };
        let process = Command::new(&target.program)
            .args(["serve", "--listen", "127.0.0.1:0", "--log", "warn", "--storage", &storage])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("our program can be run");
        let mut server = Self { process, output: None, dir, address: UNKNOWN };
        let mut stdout = BufReader::new(server.process.stdout.take().expect("it is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("it can be read");
        let address = line.trim().strip_prefix(LISTENING).and_then(|it| it.parse().ok());
        server.address = address.expect("our program says where it listens");
        server.output = Some(stdout);
        server
    }

    fn distribution(storage: Storage, dir: PathBuf) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let address = free.expect("there is a free port");
        let config = dir.join("config.yml");
        fs::write(&config, settings(storage, &dir.join("store"), address)).expect("it is written");
        let process = Command::new(DISTRIBUTION)
            .arg("serve")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("docker-registry is installed");
        let server = Self { process, output: None, dir, address };
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(start.elapsed() < START, "docker-registry does not listen");
            thread::sleep(Duration::from_millis(10));
        }
        server
    }

    /// The most that it has had in memory, in bytes.
    pub(super) fn peak(&self) -> f64 {
        process::peak_of(self.process.id()) as f64
    }

    /// The processor time that it has taken, in seconds.
    pub(super) fn worked(&self) -> f64 {
        process::worked_of(self.process.id())
    }
}

/// Those that Debian has in `/etc`, with neither a user's password, nor a log of requests, nor the
/// look at the storage every ten seconds.
fn settings(storage: Storage, root: &Path, address: SocketAddr) -> String {
    let driver = match storage {
        Storage::Files { .. } => format!("filesystem: {{rootdirectory: '{}'}}", root.display()),
        Storage::Memory => String::from("inmemory: {}"),
    };
    format!(
        "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage:\n  \
         cache: {{blobdescriptor: inmemory}}\n  {driver}\n  delete: {{enabled: true}}\n\
         http:\n  addr: '{address}'\n  secret: benches\n"
    )
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended by itself is gone all the same.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Err(error) = fs::remove_dir_all(&self.dir) {
            eprintln!("{} could not be removed: {error}", self.dir.display());
        }
    }
}
