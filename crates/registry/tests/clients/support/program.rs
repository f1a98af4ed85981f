//! [`Program`]: a client that is run.

use std::{
    env,
    ffi::OsStr,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// A program of this machine.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
}

impl Program {
    /// `None`, with a word about it, where it is not installed.
    pub(crate) fn find(name: &str) -> Option<Self> {
        let path = env::var_os("PATH").unwrap_or_default();
        let found = env::split_paths(&path).map(|folder| folder.join(name)).find(|it| it.is_file());
        if found.is_none() {
            let package = if name == "busybox" { "busybox-static" } else { name };
            left_out(&format!("there is no {name} here: apt-get install {package}"));
        }
        found.map(|path| Self { path })
    }

    /// What is to be run: in its own words, and past no proxy.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env("LC_ALL", "C");
        for proxy in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy"] {
            command.env_remove(proxy);
        }
        command
    }

    /// Runs it to a good end, and returns what it prints.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> String {
        run(self.command().args(args))
    }

    /// Runs it to a bad end, and returns what it says of it.
    #[track_caller]
    pub(crate) fn fails(&self, args: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.command().args(args).output().unwrap();
        assert!(!status.success(), "{args:?}: {}", String::from_utf8_lossy(&stdout));
        String::from_utf8(stderr).unwrap()
    }

    /// As [`run`](Self::run), in a folder.
    #[track_caller]
    pub(crate) fn run_in(&self, folder: &Path, args: &[&str]) -> String {
        run(self.command().current_dir(folder).args(args))
    }
}

/// Runs `command` to a good end, and returns what it prints.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(status.success(), "{command:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

/// A line about a test that is left out, which the harness does not capture.
pub(crate) fn left_out(reason: &str) {
    let _ = writeln!(io::stderr(), "left out: {reason}");
}

/// A path as an argument.
pub(crate) fn text(path: &(impl AsRef<OsStr> + ?Sized)) -> &str {
    path.as_ref().to_str().unwrap()
}

/// What a file has in it.
#[track_caller]
pub(crate) fn read(path: impl AsRef<Path>) -> Vec<u8> {
    let path = path.as_ref();
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
