//! Measures every goal of the file system driver beside its limits and its peers, and says which
//! are met.
//!
//! `cargo run --release -p benches --bin disk`, which takes half an hour; with `--quick` minutes,
//! at a tenth of the size. `--help` says what else there is.

use std::{io, process::ExitCode};

use benches::{
    Job, Measurements, Who,
    disk::{Places, Scale, rows},
    table::{Column, Options, Row, print, run},
};

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

fn main() -> ExitCode {
    run(HELP, &[], &["dir", "tmpfs"], measure)
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
        if let Job::Disk(job) = &row.job {
            job.prepare();
        }
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
