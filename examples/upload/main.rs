//! Streams a large blob into a store and reads it back with a checksum: what goes in is what comes
//! out. In memory, that is at the speed of memory, which holds the blob and hardly more; on files, a
//! later run goes on with what an earlier one left.
//!
//! ```text
//! cargo run --release --example upload                                   # 1 GiB, generated
//! cargo run --release --example upload -- --size 5GiB --chunk 32KiB
//! cargo run --release --example upload -- --parallel 4 --size 512MiB
//! cargo run --release --example upload -- Cargo.lock --interrupt-at 10kB
//! cat Cargo.lock | cargo run --release --example upload -- -
//! cargo run --release --example upload -- --to file:///tmp/store         # on files
//! cargo run --release --example upload -- --to file:///tmp/store --resume
//! cargo run --release --example upload -- --help
//! ```
//!
//! The way of a byte: a `source` on a thread of its own makes and hashes chunks, `transfer`
//! hands them to a writer as they are, and reads the committed file back. To see an upload resumed,
//! end one on files by Ctrl-C, or kill it, and run the last but one of these: it hashes what is kept
//! and sends the rest.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use failure::Failure;
use options::Command;

mod failure;
mod memory;
mod options;
mod output;
mod progress;
mod report;
mod size;
mod source;
mod stop;
mod store;
mod transfer;

fn main() -> ExitCode {
    match run() {
        // Somebody who closed standard output has seen enough.
        Ok(()) | Err(Failure::Closed) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "upload: {failure}");
            ExitCode::from(failure.code())
        }
    }
}

fn run() -> Result<(), Failure> {
    let options = match options::parse(lexopt::Parser::from_env())? {
        Command::Help => return output::say(options::HELP.trim_end()),
        Command::Upload(options) => options,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_io() // for Ctrl-C
        .build()
        .map_err(|error| Failure::run(format!("no runtime: {error}")))?;
    let result = runtime.block_on(report::run(options));
    // A source may hang in a read of standard input, for which nobody waits after a failure.
    runtime.shutdown_background();
    result
}
