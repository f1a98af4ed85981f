//! [`Options`]: the command line of the programs that print a table.

use std::{io, path::PathBuf, process::ExitCode};

use lexopt::prelude::*;

use super::Row;
use crate::harness::{Measure, run_if_child};

/// The command line of a program that prints a table.
#[derive(Debug, Default)]
pub struct Options {
    /// A tenth of the size, one run.
    pub quick: bool,
    /// Print the table as Markdown.
    pub markdown: bool,
    /// Print the groups and lines, and measure nothing.
    pub list: bool,
    only: Vec<String>,
    runs: Option<usize>,
    /// The flags of one program.
    flags: Vec<&'static str>,
    paths: Vec<(&'static str, PathBuf)>,
}

impl Options {
    /// Whether the program's own flag was given.
    pub fn has(&self, flag: &str) -> bool {
        self.flags.contains(&flag)
    }

    /// The value of the program's own option, a path.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.paths.iter().rev().find(|(given, _)| *given == name).map(|(_, path)| path.clone())
    }

    /// How many runs there are, of which the medians are printed.
    pub fn runs(&self) -> usize {
        self.runs.unwrap_or(if self.quick { 1 } else { 3 })
    }

    /// The lines that `--only` selects by group or by words; all lines without it. With `--list`, prints them and
    /// returns none.
    #[expect(clippy::print_stdout, reason = "it is for programs")]
    pub fn chosen<J: Measure>(&self, mut rows: Vec<Row<J>>) -> Vec<Row<J>> {
        let groups: Vec<&str> = rows.iter().map(|row| row.group).collect();
        let is_selected = |row: &Row<J>, words: &str| match groups.contains(&words) {
            true => row.group == words,
            false => row.label.contains(words),
        };
        rows.retain(|row| {
            self.only.is_empty() || self.only.iter().any(|words| is_selected(row, words))
        });
        if self.list {
            for row in rows.drain(..) {
                println!("{:10} {}", row.group, row.label);
            }
        }
        rows
    }
}

/// Runs a program that prints a table: calls `measure` with the command line. In addition to the common
/// options it has `flags`, and `paths` with a value each; `help` describes them.
#[expect(clippy::print_stdout, reason = "it is for programs")]
pub fn run<J: Measure>(
    help: &str,
    flags: &[&'static str],
    paths: &[&'static str],
    measure: impl FnOnce(&Options) -> io::Result<()>,
) -> ExitCode {
    if run_if_child::<J>() {
        return ExitCode::SUCCESS;
    }
    let failed = match parse(flags, paths) {
        Ok(Some(options)) => measure(&options).map_err(|error| error.to_string()),
        Ok(None) => {
            println!("{help}");
            Ok(())
        }
        Err(error) => Err(format!("{error}\n{help}")),
    };
    match failed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// `None` for `--help`.
fn parse(flags: &[&'static str], paths: &[&'static str]) -> Result<Option<Options>, lexopt::Error> {
    let mut options = Options::default();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        let own = |names: &[&'static str]| {
            let Long(given) = argument else { return None };
            names.iter().copied().find(|name| *name == given)
        };
        let (flag, path) = (own(flags), own(paths));
        match argument {
            Long("quick") => options.quick = true,
            Long("only") => options.only.push(parser.value()?.string()?),
            Long("runs") => options.runs = Some(parser.value()?.parse()?),
            Long("markdown") => options.markdown = true,
            Long("list") => options.list = true,
            Long("help") | Short('h') => return Ok(None),
            _ => match (flag, path) {
                (Some(flag), _) => options.flags.push(flag),
                (_, Some(path)) => options.paths.push((path, parser.value()?.into())),
                _ => return Err(argument.unexpected()),
            },
        }
    }
    Ok(Some(options))
}
