//! [`Node`]: one process of the program, at a fixed address.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::task::block_in_place;

/// How the program is started.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The URL of the store.
    pub(crate) store: String,
    /// The environment.
    pub(crate) variables: Vec<(String, String)>,
}

/// It is killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Node {
    settings: Settings,
    pub(crate) address: SocketAddr,
    process: Option<Child>,
    /// Its log, which is printed if the test fails.
    folder: TempDir,
}

impl Node {
    pub(crate) fn start(settings: Settings) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut node = Self { settings, address: free, process: None, folder };
        node.start_again();
        node
    }

    /// Another node on the same store.
    pub(crate) fn another(&self) -> Self {
        Self::start(self.settings.clone())
    }

    /// Starts the process after it has ended, at the same address, and waits until it listens.
    pub(crate) fn start_again(&mut self) {
        // The server of the store, and the proxy, may be on this thread.
        block_in_place(|| self.start_process());
    }

    fn start_process(&mut self) {
        let log = File::options().create(true).append(true).open(self.log()).unwrap();
        let variables = self.settings.variables.iter().map(|(name, value)| (name, value));
        let address = self.address.to_string();
        let mut process = Command::new(env!("CARGO_BIN_EXE_registry"))
            .args(["serve", "--storage", &self.settings.store, "--listen", &address])
            // Without the settings of the environment.
            .env_clear()
            .env("REGISTRY_LOG", "info")
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        self.process = Some(process);
        assert!(line.starts_with("listening on "), "{line:?}");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let process = self.process.as_ref().unwrap();
        let pid = Pid::from_raw(i32::try_from(process.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Sends SIGKILL, and waits for the end.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Sends SIGTERM, and waits until the requests in flight and the process have ended.
    pub(crate) fn stop(&mut self) {
        self.signal(Signal::TERM);
        let mut process = self.process.take().unwrap();
        let status = block_in_place(|| process.wait()).unwrap();
        assert!(status.success(), "{status}");
    }

    /// The processor time of the process in seconds, and the most memory that it had, in MiB.
    pub(crate) fn usage(&self) -> (f64, u64) {
        let id = self.process.as_ref().unwrap().id();
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
        // After the name: the state is the first field, the times are the twelfth and the thirteenth.
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let ticks = fields.split(' ').skip(11).take(2).map(|it| it.parse::<u64>().unwrap());
        let seconds = ticks.sum::<u64>() as f64 / rustix::param::clock_ticks_per_second() as f64;
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        (seconds, peak >> 10)
    }

    /// How many collections of garbage it has brought to their end, as its log says.
    pub(crate) fn collections(&self) -> usize {
        let log = std::fs::read_to_string(self.log()).unwrap();
        let collected = log.lines().filter(|line| line.contains("garbage collected"));
        collected.filter(|line| !line.contains("is left to")).count()
    }

    fn log(&self) -> std::path::PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.log()).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines.len().saturating_sub(40);
            eprintln!("---- {}\n{}", self.address, lines[last..].join("\n"));
        }
    }
}
