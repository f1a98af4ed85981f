//! Running the examples as programs.

use std::{
    env::{self, consts::EXE_SUFFIX},
    path::Path,
    process::{Command, Stdio},
};

/// The example of this name, with its outputs captured.
///
/// `cargo test` builds the examples beside the tests; with `--test NAME` it builds that test alone.
pub(crate) fn example(name: &str) -> Command {
    let test = env::current_exe().unwrap();
    let built = test.parent().and_then(Path::parent).unwrap().join("examples");
    let program = built.join(format!("{name}{EXE_SUFFIX}"));
    assert!(program.exists(), "`cargo build --package examples --examples` comes first");
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}
