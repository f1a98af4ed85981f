//! A storage driver from nothing, put through the conformance suite.
//!
//! ```text
//! cargo run -p storage-driver-conformance --example custom_driver
//! ```
//!
//! `driver.rs` is the whole driver: two sorted maps under one lock. Copy it to begin one of your
//! own. The suite asks of it what it claims, holds it to the weaker wording of what it does not, and
//! this program prints what came out. In a crate of your own the suite is one line in `tests/`, which
//! makes a test of every behaviour; `tests/custom_driver.rs` has it.

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
    // Somebody who closed standard output wants no more of it.
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
