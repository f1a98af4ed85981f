//! A storage driver over a library whose calls block, run through the conformance suite.
//!
//! ```text
//! cargo run -p storage-driver-conformance --example blocking_driver
//! ```
//!
//! `library.rs` is the library, `driver.rs` the driver on `storage_driver::blocking`. Copy the driver to write
//! one over your library. In your own crate, the suite is one line in `tests/`, which makes a test of every
//! behaviour: see `tests/it/blocking_driver.rs`.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use driver::BlockingDriver;
use storage_driver_conformance::{Report, Size};

mod driver;
mod library;

fn main() -> ExitCode {
    let report = storage_driver_conformance::run(
        async || BlockingDriver::new(),
        |behaviour| behaviour.size == Size::Quick,
    );
    // A closed standard output is no failure of the driver.
    let _ = print(&report, io::stdout().lock());
    if report.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print(report: &Report, mut out: impl Write) -> io::Result<()> {
    let (passed, left_out) = (report.passed.len(), report.left_out.len());
    writeln!(out, "{passed} behaviours passed, {left_out} do not apply")?;
    report.failed.iter().try_for_each(|failure| writeln!(out, "FAILED {failure}"))
}
