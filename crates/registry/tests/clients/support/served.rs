//! [`Served`]: the program `registry`, on a free port.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

/// The kind of store.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Storage {
    Memory,
    Files,
}

/// The registry. It is killed when dropped.
#[derive(Debug)]
pub(crate) struct Served {
    process: Child,
    /// Host and port.
    pub(crate) address: String,
    /// The directory of the store, if it is deleted with this.
    root: Option<TempDir>,
}

impl Served {
    /// On a new store, which is deleted with this.
    pub(crate) fn start(storage: Storage) -> Self {
        match storage {
            Storage::Memory => Self::spawn("inmemory:"),
            Storage::Files => {
                let root = tempfile::tempdir().unwrap();
                let mut served = Self::on(root.path());
                served.root = Some(root);
                served
            }
        }
    }

    /// On a directory, which outlives it.
    pub(crate) fn on(root: &Path) -> Self {
        Self::spawn(&format!("file://{}", root.display()))
    }

    fn spawn(storage: &str) -> Self {
        Self::spawn_with(storage, &[])
    }

    /// On any store, with these variables in the environment.
    pub(crate) fn spawn_with(storage: &str, variables: &[(&str, &str)]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_registry"))
            .args(["serve", "--storage", storage, "--listen", "127.0.0.1:0"])
            // Without the settings of the environment.
            .env_clear()
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://");
        let address = address.unwrap_or_else(|| panic!("{line:?}")).to_owned();
        Self { process, address, root: None }
    }

    /// The name of `image`, a repository with a tag or a digest, for a client.
    pub(crate) fn image(&self, image: &str) -> String {
        format!("{}/{image}", self.address)
    }

    /// The same with a transport, for skopeo and buildah.
    pub(crate) fn docker(&self, image: &str) -> String {
        format!("docker://{}/{image}", self.address)
    }

    /// The most memory that the process had so far, in MiB.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        kibibytes >> 10
    }

    /// Sends SIGKILL, and waits for the end.
    pub(crate) fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.kill();
    }
}
