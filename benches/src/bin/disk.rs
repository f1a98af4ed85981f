//! Measures every goal of the file system driver beside its limits and its peers, and says which
//! are met.
//!
//! `cargo run --release -p benches --bin disk`, which takes half an hour; with `--quick` minutes,
//! at a tenth of the size. `--help` says what else there is.

use std::{io, path::PathBuf, process::ExitCode};

use benches::{
    Job, Measurements, Who,
    disk::{Places, Scale, rows},
    run_if_asked,
    table::{Column, Row, print},
};
use lexopt::prelude::*;

const HELP: &str = "\
Usage: disk [--quick] [--only WORDS]... [--runs N] [--markdown] [--dir DIR] [--tmpfs DIR]

  --quick       a tenth of the size, one run
  --only WORDS  these lines only: a group, or words of a line
  --runs N      the median of so many runs; 3 unless it is quick
  --markdown    print the table as Markdown
  --dir DIR     a directory on the disk; that for temporary files unless set
  --tmpfs DIR   a directory in memory; /dev/shm unless set, if that is in memory
  --list        print the groups and lines, and measure nothing";

const COLUMNS: [Column; 5] = [
    Column::Of(Who::Plain),
    Column::Of(Who::Tokio),
    Column::Of(Who::ObjectStore),
    Column::Of(Who::Opendal),
    Column::Of(Who::Ours),
];

#[derive(Default)]
struct Options {
    quick: bool,
    only: Vec<String>,
    runs: Option<usize>,
    markdown: bool,
    dir: Option<PathBuf>,
    tmpfs: Option<PathBuf>,
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
            Long("dir") => options.dir = Some(parser.value()?.into()),
            Long("tmpfs") => options.tmpfs = Some(parser.value()?.into()),
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
    match options() {
        Ok(options) if options.help => println!("{HELP}"),
        Ok(options) => {
            if let Err(error) = measure(&options) {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        }
        Err(error) => {
            eprintln!("{error}\n{HELP}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

#[expect(clippy::print_stdout, reason = "it is a program")]
fn measure(options: &Options) -> io::Result<()> {
    let places = Places::new(options.dir.clone(), options.tmpfs.clone())?;
    let scale = if options.quick { Scale::quick() } else { Scale::full() };
    let rows = only(rows(&scale, &places), &options.only);
    if options.list {
        for row in rows {
            println!("{:10} {}", row.group, row.label);
        }
        return Ok(());
    }
    for row in &rows {
        if let Job::Disk(job) = &row.job {
            job.prepare();
        }
    }
    let runs = options.runs.unwrap_or(if options.quick { 1 } else { 3 });
    let measured = Measurements::take(rows.iter().flat_map(Row::wanted).collect(), runs);
    println!("disk: {}", places.disk.kind);
    if let Some(tmpfs) = &places.tmpfs {
        println!("tmpfs: {}", tmpfs.kind);
    }
    println!();
    print(&COLUMNS, &rows, &measured, options.markdown);
    Ok(())
}

/// The lines of the groups that were asked for, and those with these words.
fn only(rows: Vec<Row>, asked: &[String]) -> Vec<Row> {
    if asked.is_empty() {
        return rows;
    }
    let groups: Vec<&str> = rows.iter().map(|row| row.group).collect();
    let is_asked = |row: &Row| {
        asked.iter().any(|words| match groups.contains(&words.as_str()) {
            true => row.group == words,
            false => row.label.contains(words.as_str()),
        })
    };
    rows.into_iter().filter(is_asked).collect()
}
