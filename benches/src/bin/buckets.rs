//! Compares the object-store driver with its peers on Ceph, and reports which goals are met.
//!
//! `cargo run --release -p benches --bin buckets` takes half an hour; with `--quick` some minutes, at a tenth of the
//! size. `--help` lists the options. Ceph is installed from Debian's packages if it is missing.

use std::{io, process::ExitCode};

use benches::{
    bucket::{Job, Scale, rows},
    harness::{
        Measurements, Who,
        table::{Column, Options, Row, print, run},
    },
};

const HELP: &str = "\
Usage: buckets [--quick] [--only WORDS]... [--runs N] [--markdown]

  --quick       a tenth of the size, one run
  --only WORDS  only these lines: a group, or words of a line
  --runs N      the median of so many runs; 3 unless it is quick
  --markdown    print the table as Markdown
  --list        print the groups and lines, and measure nothing";

const COLUMNS: [Column; 3] =
    [Column::Of(Who::ObjectStore), Column::Of(Who::Opendal), Column::Of(Who::Ours)];

fn main() -> ExitCode {
    run::<Job>(HELP, &[], &[], measure)
}

fn measure(options: &Options) -> io::Result<()> {
    let scale = if options.quick { Scale::quick() } else { Scale::full() };
    let rows = options.chosen(rows(&scale));
    if options.list {
        return Ok(());
    }
    let wanted = rows.iter().flat_map(Row::wanted).collect();
    let measured = Measurements::take(wanted, options.runs());
    print(&COLUMNS, &rows, &measured, options.markdown);
    Ok(())
}
