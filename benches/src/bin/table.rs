//! Measures every goal of the in-memory driver beside its limits and its peers, and says which are
//! met.
//!
//! `cargo run --release -p benches --bin table`, which takes about an hour; with `--quick` minutes,
//! at a tenth of the size. `--help` says what else there is.

use std::process::ExitCode;

use benches::{
    Measurements, Who, run_if_asked,
    table::{Column, Row, Scale, print, rows},
};
use lexopt::prelude::*;

const HELP: &str = "\
Usage: table [--quick] [--only GROUP]... [--runs N] [--markdown]

  --quick       a tenth of the size, one run
  --only GROUP  these lines only: a group, or words of a line
  --runs N      the median of so many runs; 3 unless it is quick
  --markdown    print the table as Markdown
  --list        print the groups and lines, and measure nothing";

const COLUMNS: [Column; 6] = [
    Column::Limit,
    Column::Of(Who::ObjectStore),
    Column::Of(Who::Opendal),
    Column::Of(Who::Naive),
    Column::Of(Who::Tmpfs),
    Column::Of(Who::Ours),
];

#[derive(Default)]
struct Options {
    quick: bool,
    only: Vec<String>,
    runs: Option<usize>,
    markdown: bool,
    list: bool,
    help: bool,
}

fn options() -> Result<Options, lexopt::Error> {
    let mut options = Options::default();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("quick") => options.quick = true,
            Long("only") => options.only.push(parser.value()?.string()?),
            Long("runs") => options.runs = Some(parser.value()?.parse()?),
            Long("markdown") => options.markdown = true,
            Long("list") => options.list = true,
            Long("help") | Short('h') => options.help = true,
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(options)
}

#[expect(clippy::print_stdout, reason = "it is a program")]
fn main() -> ExitCode {
    if run_if_asked() {
        return ExitCode::SUCCESS;
    }
    let options = match options() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}\n{HELP}");
            return ExitCode::FAILURE;
        }
    };
    let scale = if options.quick { Scale::quick() } else { Scale::full() };
    let all = rows(&scale);
    let is_group = |only: &str| all.iter().any(|row| row.group == only);
    let asked = |row: &Row| {
        let named = |only: &String| match is_group(only) {
            true => row.group == only,
            false => row.label.contains(only.as_str()),
        };
        options.only.is_empty() || options.only.iter().any(named)
    };
    let rows: Vec<Row> = all.iter().filter(|row| asked(row)).cloned().collect();
    if options.help {
        println!("{HELP}");
    } else if options.list {
        for row in rows {
            println!("{:10} {}", row.group, row.label);
        }
    } else {
        let runs = options.runs.unwrap_or(if options.quick { 1 } else { 3 });
        let measured = Measurements::take(rows.iter().flat_map(Row::wanted).collect(), runs);
        print(&COLUMNS, &rows, &measured, options.markdown);
    }
    ExitCode::SUCCESS
}
