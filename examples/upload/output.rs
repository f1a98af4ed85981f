//! Lines on standard output, which may be closed at any time.

use std::io::{self, Write};

use crate::failure::Failure;

/// Prints a line. `println!` would panic when the reader has gone, as `head -1` goes.
pub(crate) fn say(line: impl AsRef<str>) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", line.as_ref()).and_then(|()| out.flush()).map_err(|error| {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::Closed,
            _ => Failure::run(format!("cannot write to standard output: {error}")),
        }
    })
}
