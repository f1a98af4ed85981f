//! Compares the in-memory driver with its limits and its peers, and reports which goals are met.
//!
//! `cargo run --release -p benches --bin table` takes about an hour; with `--quick` minutes, at a tenth of the
//! size. `--help` lists the options.

use std::process::ExitCode;

use benches::{
    harness::{
        Measurements, Who,
        table::{Column, Row, print, run},
    },
    memory::{Job, Scale, rows},
};

const HELP: &str = "\
Usage: table [--quick] [--only GROUP]... [--runs N] [--markdown]

  --quick       a tenth of the size, one run
  --only GROUP  only these lines: a group, or words of a line
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

fn main() -> ExitCode {
    run::<Job>(HELP, &[], &[], |options| {
        let scale = if options.quick { Scale::quick() } else { Scale::full() };
        let rows = options.chosen(rows(&scale));
        if !options.list {
            let wanted = rows.iter().flat_map(Row::wanted).collect();
            let measured = Measurements::take(wanted, options.runs());
            print(&COLUMNS, &rows, &measured, options.markdown);
        }
        Ok(())
    })
}
