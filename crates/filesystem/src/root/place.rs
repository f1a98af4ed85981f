//! Checks that an open directory is still at its path.

use std::{os::fd::OwnedFd, path::Path as FsPath};

use rustix::io::Errno;
use storage_driver::{Error, ErrorKind, Result};

use crate::{
    error::{at_place, explain},
    sys::Sys,
};

/// Fails if an open directory is no longer at `place`: it was removed, renamed, replaced or unmounted.
pub(crate) fn require_at(sys: &Sys, dir: &OwnedFd, place: &FsPath) -> Result<()> {
    let opened = sys.stat(dir).map_err(|errno| at_place(explain(errno), place))?;
    let cause = match sys.stat_place(place) {
        Ok(facts) if facts.is_same(&opened) => return Ok(()),
        // The process has since dropped the privilege to see it.
        Err(Errno::ACCESS) => return Ok(()),
        Ok(_) => "another directory or file system is there since it was opened",
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
            "it was removed or renamed since it was opened"
        }
        Err(errno) => return Err(at_place(explain(errno), place)),
    };
    Err(at_place(Error::new(ErrorKind::Unavailable).with_source(cause), place))
}
