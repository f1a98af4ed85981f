//! Compares the file system driver with its limits and its peers, and reports which goals are met.
//!
//! `cargo run --release -p benches --bin disk` takes half an hour; with `--quick` minutes, at a tenth of the
//! size. `--help` lists the options.

use std::{io, process::ExitCode};

use benches::{
    disk::{Job, Scale, rows},
    harness::{
        Measurements, Places, Who,
        table::{Column, Options, Row, print, run},
    },
};

const HELP: &str = "\
Usage: disk [--quick] [--only WORDS]... [--runs N] [--markdown] [--dir DIR] [--tmpfs DIR]

  --quick       a tenth of the size, one run
  --only WORDS  only these lines: a group, or words of a line
  --runs N      the median of so many runs; 3 unless it is quick
  --markdown    print the table as Markdown
  --dir DIR     a directory on the disk; the one for temporary files unless set
  --tmpfs DIR   a directory in memory; /dev/shm unless set, if that is in memory
  --list        print the groups and lines, and measure nothing";

const COLUMNS: [Column; 5] = [
    Column::Of(Who::Plain),
    Column::Of(Who::Tokio),
    Column::Of(Who::ObjectStore),
    Column::Of(Who::Opendal),
    Column::Of(Who::Ours),
];

fn main() -> ExitCode {
    run::<Job>(HELP, &[], &["dir", "tmpfs"], measure)
}

#[expect(clippy::print_stdout, reason = "it is a program")]
fn measure(options: &Options) -> io::Result<()> {
    let places = Places::new(options.path("dir"), options.path("tmpfs"))?;
    let scale = if options.quick { Scale::quick() } else { Scale::full() };
    let rows = options.chosen(rows(&scale, &places));
    if options.list {
        return Ok(());
    }
    for row in &rows {
        row.job.prepare();
    }
    let wanted = rows.iter().flat_map(Row::wanted).collect();
    let measured = Measurements::take(wanted, options.runs());
    println!("disk: {}", places.disk.kind);
    if let Some(tmpfs) = &places.tmpfs {
        println!("tmpfs: {}", tmpfs.kind);
    }
    println!();
    print(&COLUMNS, &rows, &measured, options.markdown);
    Ok(())
}
