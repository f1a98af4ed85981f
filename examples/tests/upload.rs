//! The `upload` example as a program: its output, its exit code, and that it never panics.

use std::{
    env::{self, consts::EXE_SUFFIX},
    fs::File,
    io::{Write, pipe},
    path::Path,
    process::{Command, Output, Stdio},
};

const SHA_OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const SHA_OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The example. `cargo test` builds it next to the tests.
fn upload(arguments: &[&str]) -> Command {
    let test = env::current_exe().unwrap();
    let built = test.parent().and_then(Path::parent).unwrap().join("examples");
    let program = built.join(format!("upload{EXE_SUFFIX}"));
    assert!(program.exists(), "run `cargo build --package examples --examples` first");
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(arguments: &[&str], stdin: &[u8]) -> Output {
    let mut child = upload(arguments).stdin(Stdio::piped()).spawn().unwrap();
    // Fails where the program ends before it has read all; the test judges the output.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    child.wait_with_output().unwrap()
}

/// The standard output of a successful run.
fn report(arguments: &[&str], stdin: &[u8]) -> String {
    let output = run(arguments, stdin);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Asserts that a run failed with one line that contains `words`.
fn assert_fails(output: Output, words: &str) {
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("upload: ") && stderr.contains(words), "{stderr}");
}

#[test]
fn generated_content_is_interrupted_resumed_and_read_back() {
    let report = report(&["--size", "3MiB", "--chunk", "32KiB"], b"");
    assert!(report.contains("resumed at   1572864 bytes\n"), "{report}");
    assert!(report.contains("(3145728 bytes)"), "{report}");
    assert!(report.contains(", sent and read\n"), "{report}");
}

#[test]
fn standard_input_has_the_checksum_that_others_compute() {
    assert!(report(&["-"], b"abc").contains(SHA_OF_ABC));
}

#[test]
fn empty_content_can_be_uploaded() {
    assert!(report(&["-"], b"").contains(SHA_OF_NOTHING));
    assert!(report(&["--size", "0"], b"").contains(SHA_OF_NOTHING));
}

#[test]
fn an_interruption_at_any_offset_changes_nothing() {
    for at in ["0", "1", "2", "3"] {
        let report = report(&["-", "--interrupt-at", at, "--chunk", "2"], b"abc");
        assert!(report.contains(SHA_OF_ABC), "{at}: {report}");
    }
}

#[test]
fn content_that_ends_before_the_interruption_is_an_error() {
    assert_fails(run(&["-", "--interrupt-at", "4"], b"abc"), "ends at 3, before --interrupt-at 4");
}

#[test]
fn bad_arguments_are_errors() {
    for (arguments, words) in [
        (&["--size", "5Quux"][..], "5Quux"),
        (&["--size"], "missing argument"),
        (&["--chunk", "0"], "--chunk"),
        (&["--chunk", "17MiB"], "--chunk"),
        (&["--frobnicate"], "--frobnicate"),
        (&["-", "--size", "1"], "--size"),
        (&["a", "b"], "b"),
        (&["no/such/file"], "No such file"),
    ] {
        assert_fails(run(arguments, b""), words);
    }
}

#[test]
fn a_closed_standard_output_is_an_error() {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let output = upload(&["--size", "1"]).stdout(writer).output().unwrap();
    assert_fails(output, "cannot write to standard output");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_output_is_an_error() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = upload(&["--size", "1"]).stdout(full).output().unwrap();
    assert_fails(output, "cannot write to standard output");
}
