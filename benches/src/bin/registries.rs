//! Measures every goal of the registry beside distribution's, and says which are met.
//!
//! `cargo run --release -p benches --bin registries`, which takes half an hour; with `--quick` a
//! minute, at a tenth of the size. `--help` says what else there is. Debian's `docker-registry` must
//! be installed.

use std::{
    env, io,
    path::PathBuf,
    process::{Command, ExitCode},
};

use benches::{
    Measurements, Who,
    disk::Place,
    registry::{Scale, Storage, Target, rows},
    run_if_asked,
    table::{Column, Row, print},
};
use lexopt::prelude::*;

const HELP: &str = "\
Usage: registries [--quick] [--full] [--only WORDS]... [--runs N] [--markdown]
                  [--dir DIR] [--program PATH]

  --quick         a tenth of the size, one run
  --full          sixteen blobs of 1 GiB at once, which takes 20 GiB of memory
  --only WORDS    these lines only: a group, or words of a line
  --runs N        the median of so many runs; 3 unless it is quick
  --markdown      print the table as Markdown
  --dir DIR       a directory for stores on files; /dev/shm unless set, if that is in memory
  --program PATH  our program; built, or found beside this one, unless set
  --list          print the groups and lines, and measure nothing";

const COLUMNS: [Column; 3] = [Column::Limit, Column::Of(Who::Distribution), Column::Of(Who::Ours)];

#[derive(Default)]
struct Options {
    quick: bool,
    full: bool,
    only: Vec<String>,
    runs: Option<usize>,
    markdown: bool,
    dir: Option<PathBuf>,
    program: Option<PathBuf>,
    list: bool,
    help: bool,
}

fn options() -> Result<Options, lexopt::Error> {
    let mut options = Options::default();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("quick") => options.quick = true,
            Long("full") => options.full = true,
            Long("only") => options.only.push(parser.value()?.string()?),
            Long("runs") => options.runs = Some(parser.value()?.parse()?),
            Long("markdown") => options.markdown = true,
            Long("dir") => options.dir = Some(parser.value()?.into()),
            Long("program") => options.program = Some(parser.value()?.into()),
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
            if let Err(error) = measure(options) {
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
fn measure(options: Options) -> io::Result<()> {
    let place = Place::in_memory(options.dir)?;
    let program = match options.program {
        Some(program) => program,
        None if options.list => PathBuf::new(),
        None => program()?,
    };
    let scale = match (options.quick, options.full) {
        (true, _) => Scale::quick(),
        (_, true) => Scale::full(),
        _ => Scale::usual(),
    };
    let target = Target { program, dir: place.dir.clone(), storage: Storage::Memory };
    let mut rows = rows(&scale, &target);
    let groups: Vec<&str> = rows.iter().map(|row| row.group).collect();
    let asked = |row: &Row, words: &str| match groups.contains(&words) {
        true => row.group == words,
        false => row.label.contains(words),
    };
    let only = options.only;
    rows.retain(|row| only.is_empty() || only.iter().any(|words| asked(row, words)));
    if options.list {
        for row in rows {
            println!("{:10} {}", row.group, row.label);
        }
        return Ok(());
    }
    let runs = options.runs.unwrap_or(if options.quick { 1 } else { 3 });
    let measured = Measurements::take(rows.iter().flat_map(Row::wanted).collect(), runs);
    println!("files: {}\n", place.kind);
    print(&COLUMNS, &rows, &measured, options.markdown);
    Ok(())
}

/// Our program, beside this one; built first if it is cargo that runs this.
fn program() -> io::Result<PathBuf> {
    if let Some(cargo) = env::var_os("CARGO") {
        let built = Command::new(cargo).args(["build", "--release", "-p", "registry"]).status()?;
        if !built.success() {
            return Err(io::Error::other("our program is not built"));
        }
    }
    Ok(env::current_exe()?.with_file_name("registry"))
}
