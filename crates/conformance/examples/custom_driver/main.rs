//! A storage driver from scratch, run through the conformance suite.
//!
//! ```text
//! cargo run -p storage-driver-conformance --example custom_driver
//! ```
//!
//! `driver.rs` is the whole driver: two sorted maps under one lock. Copy it to write
//! your own driver. The suite tests what it claims, and the weaker wording of what it does not claim. This program
//! prints the report. In your own crate, the suite is one line in `tests/`, which makes a test of every behaviour:
//! see `tests/it/custom_driver.rs`.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    process::ExitCode,
};

use driver::MapDriver;
use storage_driver_conformance::{Report, Size};

mod driver;

fn main() -> ExitCode {
    let report = storage_driver_conformance::run(
        async || MapDriver::new(),
        |behaviour| behaviour.size == Size::Quick,
    );
    // A closed standard output is no failure of the driver.
    let _ = print(&report, io::stdout().lock());
    if report.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print(report: &Report, mut out: impl Write) -> io::Result<()> {
    writeln!(out, "{} behaviours of the map driver are as the contract says", report.passed.len())?;
    let mut left_out: BTreeMap<&str, usize> = BTreeMap::new();
    for behaviour in &report.left_out {
        *left_out.entry(behaviour.why).or_default() += 1;
    }
    for (why, count) in left_out {
        writeln!(out, "{count:>4} left out: {why}")?;
    }
    report.failed.iter().try_for_each(|failure| writeln!(out, "FAILED {failure}"))
}
