//! Draws the plots in `docs/`.
//!
//! `cargo run --release -p benches --bin plots`. `--help` lists the options.

use std::{env, error::Error, fs, path::PathBuf};

use benches::{
    harness::{GIB, Measurements, run_if_child},
    memory::{
        Job,
        plots::{Extent, Plot},
    },
};
use lexopt::prelude::*;

const HELP: &str = "\
Usage: plots [--quick] [--only PLOT]... [--size GIB] [--runs N] [--out DIR]

  --quick      smaller, to try it; into the directory for temporary files
  --only PLOT  growth, memory, or latency
  --size GIB   the size of the upload whose memory is drawn; 5 unless --quick is set
  --runs N     the median of so many runs, where it is one; 1 unless set
  --out DIR    the directory of the files; docs/ unless set";

#[expect(clippy::print_stdout, reason = "it is a program")]
fn main() -> Result<(), Box<dyn Error>> {
    if run_if_child::<Job>() {
        return Ok(());
    }
    let mut extent = Extent::full();
    let mut out = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs"));
    let (mut only, mut runs) = (Vec::new(), 1);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("quick") => {
                extent = Extent::quick();
                out = env::temp_dir();
            }
            Long("only") => only.push(parser.value()?.string()?),
            Long("size") => extent.upload = parser.value()?.parse::<u64>()? * GIB,
            Long("runs") => runs = parser.value()?.parse()?,
            Long("out") => out = parser.value()?.into(),
            Long("help") | Short('h') => {
                println!("{HELP}");
                return Ok(());
            }
            _ => return Err(format!("{}\n{HELP}", argument.unexpected()).into()),
        }
    }
    let is_selected = |plot: &Plot| only.is_empty() || only.iter().any(|name| name == plot.name());
    fs::create_dir_all(&out)?;
    for plot in Plot::ALL.into_iter().filter(is_selected) {
        let measured = Measurements::take(plot.wanted(&extent), runs);
        plot.draw(&out, &extent, &measured)?;
    }
    Ok(())
}
