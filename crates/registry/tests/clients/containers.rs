//! [`Containers`]: a store of images and containers, for buildah and podman.

use std::process::Command;

use tempfile::TempDir;

use crate::support::program::{Program, run, text};

/// A new store, so that all of its images were pulled.
#[derive(Debug)]
pub(crate) struct Containers {
    pub(crate) program: Program,
    options: Vec<String>,
    folder: TempDir,
}

impl Containers {
    /// For buildah.
    pub(crate) fn buildah(program: &Program) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [root, run] = ["root", "run"].map(|name| text(&folder.path().join(name)).to_owned());
        // `vfs` needs no support of the system.
        let options = ["--root", &root, "--runroot", &run, "--storage-driver", "vfs"];
        let options = options.map(str::to_owned).to_vec();
        Self { program: program.clone(), options, folder }
    }

    /// For podman, which needs more directories.
    pub(crate) fn podman(program: &Program) -> Self {
        let mut containers = Self::buildah(program);
        let state = text(&containers.folder.path().join("state")).to_owned();
        let more = ["--tmpdir", &state, "--events-backend", "none", "--cgroup-manager", "cgroupfs"];
        containers.options.extend(more.map(str::to_owned));
        containers
    }

    /// A command on this store.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.program.command();
        command.args(&self.options).args(args);
        command
    }

    /// Runs the command, and returns its output without the end of the line. It panics if the command fails.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> String {
        run(&mut self.command(args)).trim_end().to_owned()
    }
}
