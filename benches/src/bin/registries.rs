//! Compares the registry with CNCF distribution's, and reports which goals are met.
//!
//! `cargo run --release -p benches --bin registries` takes half an hour; with `--quick` a minute, at a tenth of
//! the size. `--help` lists the options. Debian's `docker-registry` must be installed; for the lines
//! of buckets, Ceph is installed if it is missing.

use std::{
    env, io,
    path::PathBuf,
    process::{Command, ExitCode},
};

use benches::{
    harness::{
        Measurements, Place, Who,
        table::{Column, Options, Row, print, run},
    },
    registry::{Job, Scale, Storage, Target, rows},
};

const HELP: &str = "\
Usage: registries [--quick] [--full] [--only WORDS]... [--runs N] [--markdown]
                  [--dir DIR] [--program PATH] [--distribution PATH]

  --quick              a tenth of the size, one run
  --full               sixteen blobs of 1 GiB at once, which takes 20 GiB of memory
  --only WORDS         only these lines: a group, or words of a line
  --runs N             the median of so many runs; 3 unless it is quick
  --markdown           print the table as Markdown
  --dir DIR            a directory for stores on files; /dev/shm unless set, if that is in memory
  --program PATH       our program; built, or found next to this program, unless set
  --distribution PATH  distribution's program; docker-registry unless set
  --list               print the groups and lines, and measure nothing";

const COLUMNS: [Column; 3] = [Column::Limit, Column::Of(Who::Distribution), Column::Of(Who::Ours)];

fn main() -> ExitCode {
    run::<Job>(HELP, &["full"], &["dir", "program", "distribution"], measure)
}

#[expect(clippy::print_stdout, reason = "it is a program")]
fn measure(options: &Options) -> io::Result<()> {
    let place = Place::in_memory(options.path("dir"))?;
    let program = match options.path("program") {
        Some(program) => program,
        None if options.list => PathBuf::new(),
        None => program()?,
    };
    let scale = match (options.quick, options.has("full")) {
        (true, _) => Scale::quick(),
        (_, true) => Scale::full(),
        _ => Scale::usual(),
    };
    let distribution =
        options.path("distribution").unwrap_or_else(|| PathBuf::from("docker-registry"));
    let target = Target { program, distribution, dir: place.dir.clone(), storage: Storage::Memory };
    let rows = options.chosen(rows(&scale, &target));
    if options.list {
        return Ok(());
    }
    let wanted = rows.iter().flat_map(Row::wanted).collect();
    let measured = Measurements::take(wanted, options.runs());
    println!("files: {}\n", place.kind);
    print(&COLUMNS, &rows, &measured, options.markdown);
    Ok(())
}

/// Our program, next to this one; built first if cargo runs this program.
fn program() -> io::Result<PathBuf> {
    if let Some(cargo) = env::var_os("CARGO") {
        let built = Command::new(cargo)
            .args(["build", "--release", "-p", "storage-driver-registry", "--features", "bucket"])
            .status()?;
        if !built.success() {
            return Err(io::Error::other("our program is not built"));
        }
    }
    Ok(env::current_exe()?.with_file_name("registry"))
}
