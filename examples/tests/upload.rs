//! The `upload` example from outside: its output, its exit code, and that it never panics.

use std::{
    fs::{self, File},
    io::{Write, pipe},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use support::example;

mod support;

const SHA_OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const SHA_OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const SHA_OF_A_MILLION_A: &str = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

fn upload() -> Command {
    example("upload")
}

/// Its standard output, from a run that succeeds and has nothing to complain of.
fn stdout(output: Output) -> String {
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), &*stderr), (Some(0), ""));
    String::from_utf8(output.stdout).unwrap()
}

fn run(args: &[&str]) -> String {
    stdout(upload().args(args).output().unwrap())
}

fn run_with_stdin(args: &[&str], stdin: &[u8]) -> Output {
    let mut child = upload().args(args).stdin(Stdio::piped()).spawn().unwrap();
    // Fails where the program ends before it has read all, which is for the test to judge.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    child.wait_with_output().unwrap()
}

/// The checksums that a report gives.
fn sums(report: &str) -> Vec<&str> {
    let lines = report.lines().filter_map(|line| line.strip_prefix("sha256 "));
    lines.map(|line| line.split_whitespace().next().unwrap()).collect()
}

fn file(name: &str, content: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, content).unwrap();
    path
}

/// Asserts that a run ended with `code` and one line, which has `words` in it.
fn assert_refused(output: Output, code: i32, words: &str) {
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert_eq!(stderr.matches('\n').count(), 1, "{stderr}");
    assert!(stderr.starts_with("upload: ") && stderr.contains(words), "{stderr}");
}

#[test]
fn a_generated_stream_comes_back_as_it_went_in() {
    let report = run(&["--size", "3MiB", "--chunk", "32KiB"]);
    assert!(report.contains("uploaded     3.00 MiB (3145728 bytes)"), "{report}");
    assert!(report.contains("read back    3.00 MiB (3145728 bytes)"), "{report}");
    assert!(report.contains("memory held  3."), "{report}");
    assert_eq!(sums(&report).len(), 1);
}

#[test]
fn chunks_do_not_change_the_stream() {
    let whole = run(&["--size", "100003"]);
    for chunk in ["7", "1000", "65536"] {
        assert_eq!(sums(&run(&["--size", "100003", "--chunk", chunk])), sums(&whole));
    }
    assert_ne!(sums(&run(&["--size", "100002"])), sums(&whole));
}

#[test]
fn tiny_chunks_are_no_trouble() {
    let report = run(&["--size", "20kB", "--chunk", "1"]);
    assert_eq!(sums(&report), sums(&run(&["--size", "20kB"])));
}

#[test]
fn a_file_has_the_checksum_that_others_compute() {
    let path = file("a_million_a", &[b'a'; 1_000_000]);
    let report = run(&[path.to_str().unwrap()]);
    assert_eq!(sums(&report), [SHA_OF_A_MILLION_A]);
}

#[test]
fn standard_input_has_the_checksum_that_others_compute() {
    let report = stdout(run_with_stdin(&["-"], b"abc"));
    assert_eq!(sums(&report), [SHA_OF_ABC]);
    assert!(report.contains("(3 bytes)"), "{report}");
}

#[test]
fn nothing_can_be_uploaded() {
    assert_eq!(sums(&run(&["-"])), [SHA_OF_NOTHING]);
    assert_eq!(sums(&run(&["--size", "0"])), [SHA_OF_NOTHING]);
}

#[test]
fn an_interrupted_upload_goes_on_where_it_stood() {
    let path = file("interrupted", &[b'a'; 1_000_000]);
    for at in ["0", "1", "32768", "500000", "1000000"] {
        let report = run(&[path.to_str().unwrap(), "--interrupt-at", at]);
        let resumed = format!("resumed      /upload/0 at {at}, as much as was accepted\n");
        assert!(report.contains(&resumed), "{report}");
        assert_eq!(sums(&report), [SHA_OF_A_MILLION_A]);
    }
}

#[test]
fn parallel_uploads_are_of_one_source_to_several_paths() {
    let path = file("parallel", b"abc");
    let report = run(&[path.to_str().unwrap(), "--parallel", "3", "--interrupt-at", "2"]);
    assert_eq!(sums(&report), [SHA_OF_ABC; 3]);
    assert!(report.contains("(9 bytes)"), "{report}");
    for number in 0..3 {
        assert!(report.contains(&format!(" /upload/{number}, in and out\n")), "{report}");
        assert!(report.contains(&format!("resumed      /upload/{number} at 2,")), "{report}");
    }
}

#[test]
fn sizes_take_units_of_both_kinds() {
    for (size, bytes) in [("2kb", 2_000), ("2 KiB", 2_048), ("1MB", 1_000_000), ("17b", 17)] {
        let report = run(&["--size", size]);
        assert!(report.contains(&format!("({bytes} bytes)")), "{size}: {report}");
    }
}

#[test]
fn progress_in_plain_lines_is_short() {
    let report = run(&["--size", "1MB", "--chunk", "16"]);
    let lines = report.lines().filter(|line| line.starts_with("uploading: ")).count();
    assert!((1..10).contains(&lines), "{report}");
}

#[test]
fn help_names_every_option() {
    let help = run(&["--help"]);
    for option in [
        "FILE|-",
        "--to",
        "--resume",
        "--sync-every",
        "--size",
        "--chunk",
        "--capacity",
        "--parallel",
        "--interrupt-at",
    ] {
        assert!(help.contains(option), "{option}");
    }
}

#[test]
fn a_closed_standard_output_is_no_failure() {
    for args in [&["--size", "1MiB"][..], &["--help"]] {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        stdout(upload().args(args).stdout(writer).output().unwrap());
    }
}

#[test]
fn a_store_that_is_full_ends_the_upload() {
    let output = run_with_stdin(&["-", "--capacity", "1MiB"], &[0; 3 << 20]);
    assert_refused(output, 1, "storage full");
}

#[test]
fn a_stream_that_ends_before_the_interruption_is_told() {
    let output = run_with_stdin(&["-", "--interrupt-at", "4"], b"abc");
    assert_refused(output, 1, "ended at 3, before --interrupt-at 4");
}

#[cfg(unix)]
#[test]
fn a_broken_standard_input_is_told() {
    let directory = File::open(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let output = upload().arg("-").stdin(directory).output().unwrap();
    assert_refused(output, 1, "cannot read standard input");
}

#[cfg(target_os = "linux")]
#[test]
fn a_broken_standard_output_is_told() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = upload().args(["--size", "1"]).stdout(full).output().unwrap();
    assert_refused(output, 1, "cannot write to standard output");
}

#[test]
fn a_directory_is_refused() {
    assert_refused(upload().arg(env!("CARGO_TARGET_TMPDIR")).output().unwrap(), 2, "a directory");
}

#[test]
fn a_name_of_two_lines_is_refused_in_one() {
    assert_refused(upload().arg("no such\nfile").output().unwrap(), 2, "cannot read");
}

#[test]
fn two_files_are_refused() {
    let file = file("one_of_two", b"abc");
    assert_refused(upload().args([&file, &file]).output().unwrap(), 2, "one file at a time");
}

#[test]
fn a_size_for_a_file_is_refused() {
    let file = file("sized", b"abc");
    assert_refused(upload().args(["--size", "1"]).arg(file).output().unwrap(), 2, "--size");
}

/// A test per command line that is refused before anything is done.
macro_rules! refused {
    ($($name:ident: $args:expr, $words:literal;)*) => {$(
        #[test]
        fn $name() {
            assert_refused(upload().args($args).output().unwrap(), 2, $words);
        }
    )*};
}

refused! {
    a_missing_file_is_refused: ["no/such/file"], "No such file";
    a_size_without_a_known_unit_is_refused: ["--size", "5Quux"], "--size 5Quux: not a size";
    a_size_without_digits_is_refused: ["--size", "GiB"], "--size GiB: not a size";
    a_size_of_two_lines_is_refused_in_one: ["--size", "1\n2"], "--size 1 2: not a size";
    a_negative_size_is_refused: ["--size=-1"], "--size -1: not a size";
    a_size_past_64_bits_is_refused: ["--size", "16777216TiB"], "more than 64 bits";
    a_number_past_64_bits_is_refused: ["--size", "18446744073709551616"], "more than 64 bits";
    a_size_without_a_value_is_refused: ["--size"], "missing argument";
    a_chunk_of_nothing_is_refused: ["--chunk", "0"], "--chunk 0";
    a_chunk_that_is_too_big_is_refused: ["--chunk", "17MiB"], "--chunk 17825792";
    a_size_past_the_capacity_is_refused: ["--size", "2GiB", "--capacity", "1GiB"], "do not fit";
    uploads_past_the_capacity_are_refused:
        ["--size", "1MiB", "--parallel", "3", "--capacity", "2MiB"], "3.00 MiB do not fit";
    uploads_past_64_bits_are_refused:
        ["--size", "8388608TiB", "--parallel", "2", "--capacity", "1GiB"], "do not fit";
    an_interruption_past_the_size_is_refused:
        ["--size", "1kB", "--interrupt-at", "1001"], "--interrupt-at 1001: past the end";
    no_uploads_at_once_are_refused: ["--parallel", "0"], "--parallel 0";
    uploads_at_once_of_standard_input_are_refused: ["-", "--parallel", "2"], "--parallel needs";
    an_unknown_option_is_refused: ["--frobnicate"], "--frobnicate";
    a_store_that_is_no_url_is_refused: ["--to", "/srv"], "--to /srv: no scheme";
    a_store_of_another_scheme_is_refused: ["--to", "s3://bucket"], "unknown scheme `s3`";
    a_relative_directory_is_refused: ["--to", "file:srv"], "`srv` is not absolute";
    a_store_of_two_lines_is_refused_in_one: ["--to", "file:///a\nb"], "a control character";
    an_upload_in_memory_cannot_be_resumed:
        ["--resume"], "--resume: what is in memory ends with its run";
    an_upload_in_memory_cannot_be_synced: ["--sync-every", "1MiB"], "--sync-every";
    a_capacity_of_files_is_refused:
        ["--to", "file:///no/such/store", "--capacity", "1GiB"],
        "--capacity is for a store in memory, not for file:///no/such/store";
    two_capacities_are_refused:
        ["--to", "inmemory:?capacity=1GiB", "--capacity", "1GiB"], "given by --to already";
    a_size_past_the_capacity_of_the_url_is_refused:
        ["--to", "inmemory:?capacity=1MiB", "--size", "2MiB"], "2.00 MiB do not fit in 1.00 MiB";
}
