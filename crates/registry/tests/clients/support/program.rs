//! [`Program`]: an installed client.

use std::{
    env,
    ffi::OsStr,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// An installed program.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
}

impl Program {
    /// `None`, after a message, if it is not installed.
    pub(crate) fn find(name: &str) -> Option<Self> {
        let path = env::var_os("PATH").unwrap_or_default();
        let found = env::split_paths(&path).map(|folder| folder.join(name)).find(|it| it.is_file());
        if found.is_none() {
            let package = if name == "busybox" { "busybox-static" } else { name };
            left_out(&format!("there is no {name} here: apt-get install {package}"));
        }
        found.map(|path| Self { path })
    }

    /// A command in the locale `C`, without proxies.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env("LC_ALL", "C");
        for proxy in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy"] {
            command.env_remove(proxy);
        }
        command
    }

    /// Runs it, and returns its output. It panics if the program fails.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> String {
        run(self.command().args(args))
    }

    /// Runs it, and returns its error output. It panics if the program succeeds.
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

/// Runs `command`, and returns its output. It panics if the command fails.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(status.success(), "{command:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

/// Prints that a test is skipped, in a line that the harness does not capture.
pub(crate) fn left_out(reason: &str) {
    let _ = writeln!(io::stderr(), "left out: {reason}");
}

/// A path as an argument.
pub(crate) fn text(path: &(impl AsRef<OsStr> + ?Sized)) -> &str {
    path.as_ref().to_str().unwrap()
}

/// The content of a file.
#[track_caller]
pub(crate) fn read(path: impl AsRef<Path>) -> Vec<u8> {
    let path = path.as_ref();
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
