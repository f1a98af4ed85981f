//! Writing bytes in parts at an offset of a file.

use std::{io::IoSlice, os::fd::AsFd};

use bytes::Bytes;
use rustix::io::Errno;

use crate::sys::Sys;

/// The maximum number of parts of one system call.
const MOST: usize = 1024;

/// Writes all of `parts` at `offset`. An error has the number of bytes that were written before it.
pub(crate) fn write_all(
    sys: &Sys,
    file: impl AsFd,
    parts: &[Bytes],
    offset: u64,
) -> Result<(), (u64, Errno)> {
    let mut written = 0;
    let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
    let mut rest = &mut slices[..];
    IoSlice::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        let most = rest.len().min(MOST);
        match sys.write(file.as_fd(), &rest[..most], offset + written) {
            Ok(length) => {
                written += length as u64;
                IoSlice::advance_slices(&mut rest, length);
            }
            Err(errno) => return Err((written, errno)),
        }
    }
    Ok(())
}
