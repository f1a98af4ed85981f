//! Prints the longest poll of each operation of the in-memory driver on many files.
//!
//! `cargo run --release -p benches --bin polls`, which takes some seconds; `--count N` sets how many files.

use std::error::Error;

use benches::memory::polls;
use lexopt::prelude::*;

const HELP: &str = "\
Usage: polls [--count N]

  --count N  how many files, uploads or segments; 100000 unless set";

#[expect(clippy::print_stdout, reason = "a program prints its result")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut count = 100_000;
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("count") => count = parser.value()?.parse()?,
            Long("help") | Short('h') => {
                println!("{HELP}");
                return Ok(());
            }
            _ => return Err(format!("{}\n{HELP}", argument.unexpected()).into()),
        }
    }
    println!("{:24}  {:>6}  {:>12}", "operation", "polls", "longest poll");
    for polls in polls::measure(count) {
        let microseconds = polls.longest.as_micros();
        println!("{:24}  {:>6}  {microseconds:>9} µs", polls.operation, polls.count);
    }
    Ok(())
}
