//! The `upload` example on a store of files: what is in them, and that a run that was ended can be
//! gone on with.

#![cfg(target_os = "linux")]

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Output, Stdio},
    thread,
};

use sha2::{Digest, Sha256};
use support::example;
use tempfile::TempDir;

mod support;

const MIB: usize = 1 << 20;

/// A directory for a store, and one for a source of 6 MiB and a bit.
struct Place {
    dir: TempDir,
    content: Vec<u8>,
}

impl Place {
    fn new() -> Self {
        // No two blocks of it are alike.
        let content: Vec<u8> = (0..(6 * MIB as u32 + 12) / 4)
            .flat_map(|n| n.wrapping_mul(0x9e37_79b9).to_le_bytes())
            .collect();
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("source"), &content).unwrap();
        Self { dir, content }
    }

    fn source(&self) -> PathBuf {
        self.dir.path().join("source")
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    /// The program, on the store, which keeps what it has after each MiB.
    fn upload(&self) -> Command {
        let mut command = example("upload");
        let url = format!("file://{}", self.root().display());
        command.args(["--to", &url, "--sync-every", "1MiB"]);
        command
    }

    fn upload_source(&self, args: &[&str]) -> String {
        stdout(self.upload().arg(self.source()).args(args).output().unwrap())
    }

    /// Begins an upload of the content by standard input, and gives it five sixths. It waits for
    /// the rest when this returns, and what came before the last MiB that is in the store is kept:
    /// nothing is written there before the sync that is due returns.
    fn begin(&self) -> (Child, ChildStdin) {
        let mut child = self.upload().arg("-").stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&self.content[..5 * MIB]).unwrap();
        while largest_file(&self.root()) < 3 * MIB as u64 {
            assert_eq!(child.try_wait().unwrap(), None, "it has ended");
            thread::yield_now();
        }
        (child, stdin)
    }

    /// Asserts that the store has the content at `/upload/NUMBER`, and the report the checksum.
    fn assert_stored(&self, report: &str, number: usize) {
        let stored = fs::read(self.root().join(format!("upload/{number}"))).unwrap();
        assert!(stored == self.content, "{} bytes that differ", stored.len());
        let sum: String = Sha256::digest(&stored).iter().map(|b| format!("{b:02x}")).collect();
        let line = format!("sha256       {sum} /upload/{number}, in and out\n");
        assert!(report.contains(&line), "{report}");
    }
}

/// The size of the largest file below a directory, whatever is made and removed there meanwhile.
fn largest_file(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => largest_file(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.max().unwrap_or(0)
}

fn stdout(output: Output) -> String {
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), &*stderr), (Some(0), ""));
    String::from_utf8(output.stdout).unwrap()
}

/// Where a run says that it went on.
fn resumed_at(report: &str, number: usize) -> usize {
    let begin = format!("resumed      /upload/{number} at ");
    let line = report.lines().find_map(|line| line.strip_prefix(&begin));
    let at = line.and_then(|line| line.strip_suffix(", kept by an earlier run"));
    at.unwrap_or_else(|| panic!("{report}")).parse().unwrap()
}

#[test]
fn content_is_in_a_file_that_anybody_can_read() {
    let place = Place::new();
    let report = place.upload_source(&[]);
    place.assert_stored(&report, 0);
    let file = place.root().join("upload/0");
    let told = format!("stored at    {}, 6.00 MiB ({} bytes)", file.display(), 6 * MIB + 12);
    assert!(report.contains(&told), "{report}");
    assert!(!report.contains("memory held") && !report.contains("memcpy"), "{report}");
}

#[test]
fn a_second_run_replaces_what_the_first_stored() {
    let place = Place::new();
    stdout(place.upload().args(["--size", "1kB"]).output().unwrap());
    place.assert_stored(&place.upload_source(&[]), 0);
}

#[test]
fn an_interrupted_upload_goes_on_in_the_same_run() {
    let place = Place::new();
    let report = place.upload_source(&["--interrupt-at", "2500000"]);
    assert!(report.contains("resumed      /upload/0 at 2500000, as much as was accepted\n"));
    place.assert_stored(&report, 0);
}

#[test]
fn a_killed_upload_is_resumed_where_it_was_kept() {
    let place = Place::new();
    let (mut child, stdin) = place.begin();
    child.kill().unwrap();
    child.wait().unwrap();
    drop(stdin);
    assert!(!place.root().join("upload/0").exists());

    let report = place.upload_source(&["--resume"]);
    let at = resumed_at(&report, 0);
    assert!((MIB..=5 * MIB).contains(&at), "{at}");
    let sent = format!("({} bytes) in", place.content.len() - at);
    assert!(report.lines().any(|line| line.starts_with("uploaded") && line.contains(&sent)));
    place.assert_stored(&report, 0);
}

#[test]
fn ctrl_c_keeps_everything_and_says_how_to_go_on() {
    let place = Place::new();
    let (child, stdin) = place.begin();
    let output = end_by_ctrl_c(child);
    drop(stdin);
    let kept = String::from_utf8(output.stdout).unwrap();
    let kept = kept.rsplit_once('(').unwrap().1.split_once(' ').unwrap().0;

    let report = place.upload_source(&["--resume"]);
    assert_eq!(resumed_at(&report, 0).to_string(), kept);
    place.assert_stored(&report, 0);
}

/// Ends a run by SIGINT, and asserts how it does.
fn end_by_ctrl_c(child: Child) -> Output {
    let kill = Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status();
    assert!(kill.unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(stderr, "upload: interrupted; the same with --resume goes on\n");
    output
}

#[test]
fn standard_input_can_be_resumed_if_it_is_given_whole() {
    let place = Place::new();
    let (child, stdin) = place.begin();
    end_by_ctrl_c(child);
    drop(stdin);
    let mut again = place.upload().args(["-", "--resume"]).stdin(Stdio::piped()).spawn().unwrap();
    again.stdin.take().unwrap().write_all(&place.content).unwrap();
    let report = stdout(again.wait_with_output().unwrap());
    assert!(resumed_at(&report, 0) > 0);
    place.assert_stored(&report, 0);
}

#[test]
fn of_parallel_uploads_each_goes_on_or_starts_anew() {
    let place = Place::new();
    let (child, stdin) = place.begin();
    end_by_ctrl_c(child);
    drop(stdin);
    let report = place.upload_source(&["--resume", "--parallel", "2"]);
    assert!(resumed_at(&report, 0) > 0);
    assert!(report.contains("started      /upload/1 anew, "), "{report}");
    place.assert_stored(&report, 0);
    place.assert_stored(&report, 1);
}

#[test]
fn nothing_to_resume_starts_anew() {
    let place = Place::new();
    let report = place.upload_source(&["--resume"]);
    assert!(report.contains("started      /upload/0 anew, for no upload is in progress there\n"));
    place.assert_stored(&report, 0);
}

#[test]
fn without_resume_what_was_left_is_discarded() {
    let place = Place::new();
    let (child, stdin) = place.begin();
    end_by_ctrl_c(child);
    drop(stdin);
    place.assert_stored(&place.upload_source(&[]), 0);
    let report = place.upload_source(&["--resume"]);
    assert!(report.contains("started      /upload/0 anew"), "{report}");
}

/// Resumes an upload of the content by another source, and gives what it complains of.
fn resume_by_another_source(args: &[&str]) -> String {
    let place = Place::new();
    let (child, stdin) = place.begin();
    end_by_ctrl_c(child);
    drop(stdin);
    let output = place.upload().args(args).arg("--resume").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_source_that_is_shorter_than_what_is_kept_is_refused() {
    let stderr = resume_by_another_source(&["--size", "1MiB"]);
    assert!(stderr.contains("it ends at 1048576, and "), "{stderr}");
}

#[test]
fn another_source_is_noticed() {
    let stderr = resume_by_another_source(&["--size", "6MiB"]);
    assert!(stderr.contains("what an earlier run left was of another source"), "{stderr}");
}

#[test]
fn an_interruption_before_what_is_kept_is_refused() {
    let stderr = resume_by_another_source(&["--size", "6MiB", "--interrupt-at", "1"]);
    assert!(stderr.contains("/upload/0 is past --interrupt-at 1: "), "{stderr}");
}

#[test]
fn a_store_that_is_open_elsewhere_is_told() {
    let place = Place::new();
    let (mut child, stdin) = place.begin();
    let output = place.upload().arg("--resume").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("another process") && stderr.contains("store"), "{stderr}");
    child.kill().unwrap();
    child.wait().unwrap();
    drop(stdin);
}
