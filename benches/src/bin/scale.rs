//! Counts what a registry sends to its bucket, and computes what that means for a million pushes a day.
//!
//! `cargo run --release -p benches --bin scale`, which takes some seconds and measures no time; `--help` lists the
//! options. `docs/scale.md` has the tables.

use std::{error::Error, fs, path::PathBuf};

use benches::load::{Report, Terms};
use lexopt::prelude::*;

const HELP: &str = "\
Usage: scale [--write FILE] [--OPTION NUMBER]...

  --write FILE     puts the tables into this page, between `<!-- NAME -->` and `<!-- end -->`
  --OPTION NUMBER  changes what is assumed; the first table has the options";

#[expect(clippy::print_stdout, reason = "a program prints its result")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut terms = Terms::default();
    let mut page: Option<PathBuf> = None;
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("write") => page = Some(parser.value()?.into()),
            Long("help") | Short('h') => {
                println!("{HELP}");
                return Ok(());
            }
            Long(option) => {
                let option = option.to_owned();
                let value = parser.value()?.parse()?;
                if !terms.set(&option, value) {
                    return Err(format!("there is no option --{option}\n{HELP}").into());
                }
            }
            _ => return Err(format!("{}\n{HELP}", argument.unexpected()).into()),
        }
    }
    let report = Report::new(&terms);
    match page {
        None => report.tables.iter().for_each(|(_, table)| println!("{table}")),
        Some(page) => {
            let text = fs::read_to_string(&page)?;
            let text =
                report.put_into(&text).ok_or("the page has no place for one of the tables")?;
            fs::write(page, text)?;
        }
    }
    Ok(())
}
