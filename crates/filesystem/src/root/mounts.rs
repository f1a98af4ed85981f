//! [`Mount`]: a directory of the store on which another file system is mounted.
//!
//! Between two file systems nothing can be renamed or linked, nor between two mounts of one. So each
//! mount has [reserved directories](crate::root::reserved) of its own, and content is made on the mount on
//! which it is to be published.

use std::{
    ffi::OsString,
    os::{fd::OwnedFd, unix::ffi::OsStringExt},
    path::{Path as FsPath, PathBuf},
};

use storage_driver::{Error, ErrorKind, Path, Result};

use crate::{
    error::{at_place, explain, is_nothing},
    root::reserved::RESERVED,
    sys::Sys,
};

/// A directory below the root on which something is mounted.
#[derive(Debug)]
pub(crate) struct Mount {
    pub(crate) at: Path,
    /// Its place on this machine.
    pub(crate) place: PathBuf,
    pub(crate) dir: OwnedFd,
}

impl Mount {
    /// Opens all mounts below a root, in the order of their paths.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] if the driver's own directories are among them.
    pub(crate) fn open_all(sys: &Sys, root: &OwnedFd, location: &FsPath) -> Result<Vec<Self>> {
        let mut mounts = Vec::new();
        for relative in below(sys, location)? {
            let place = location.join(&relative);
            if relative.starts_with(RESERVED) {
                let cause = "a file system is mounted here, and the driver's own directories have to \
                             be on that of the root";
                return Err(at_place(Error::new(ErrorKind::Unsupported).with_source(cause), place));
            }
            // The driver does not use names that are not paths of the store.
            let at = relative.to_str().and_then(|relative| Path::root().join(relative).ok());
            let Some(at) = at else { continue };
            match sys.open_dir(root, &at.as_str()[1..]) {
                Ok(dir) => mounts.push(Self { at, place, dir }),
                // A file, or a directory hidden by another mount.
                Err(errno) if is_nothing(errno) => {}
                Err(errno) => return Err(at_place(explain(errno), place)),
            }
        }
        mounts.sort_unstable_by(|a, b| a.at.cmp(&b.at));
        mounts.dedup_by(|a, b| a.at == b.at);
        Ok(mounts)
    }

    /// Fails if a file system was mounted below a root since `mounts` were opened.
    pub(crate) fn require_all(mounts: &[Self], sys: &Sys, location: &FsPath) -> Result<()> {
        for relative in below(sys, location)? {
            let place = location.join(&relative);
            let at = relative.to_str().and_then(|relative| Path::root().join(relative).ok());
            if at.is_some_and(|at| mounts.iter().all(|mount| mount.at != at)) && place.is_dir() {
                let cause =
                    "a file system was mounted here since the root was opened: open it again";
                return Err(at_place(Error::new(ErrorKind::Unavailable).with_source(cause), place));
            }
        }
        Ok(())
    }
}

/// The mount points below a directory, relative to it.
fn below(sys: &Sys, location: &FsPath) -> Result<Vec<PathBuf>> {
    let table = sys.mounts().map_err(|errno| at_place(explain(errno), Sys::MOUNTS))?;
    // The paths of the table have no symbolic links.
    let location = location.canonicalize().unwrap_or_else(|_| location.to_owned());
    let relative = |place: PathBuf| Some(place.strip_prefix(&location).ok()?.to_owned());
    let below = table.split(|&byte| byte == b'\n').filter_map(mount_point).filter_map(relative);
    Ok(below.filter(|relative| !relative.as_os_str().is_empty()).collect())
}

/// The mount point in a line of the table: the fifth field, where a backslash and three octal digits stand for a
/// byte.
fn mount_point(line: &[u8]) -> Option<PathBuf> {
    let mut rest = line.split(|&byte| byte == b' ').nth(4)?;
    let mut place = Vec::with_capacity(rest.len());
    while let Some((&byte, tail)) = rest.split_first() {
        let octal = |digit: u8| (b'0'..=b'7').contains(&digit).then(|| u32::from(digit - b'0'));
        let escaped = match *tail {
            [a, b, c, ..] if byte == b'\\' => octal(a).zip(octal(b)).zip(octal(c)),
            _ => None,
        };
        let decoded = escaped.and_then(|((a, b), c)| u8::try_from(a * 64 + b * 8 + c).ok());
        place.push(decoded.unwrap_or(byte));
        rest = if decoded.is_some() { &tail[3..] } else { tail };
    }
    Some(PathBuf::from(OsString::from_vec(place)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_point_is_the_fifth_field_with_its_escapes_decoded() {
        let line = b"36 35 98:0 /mnt1 /srv/my\\040registry\\134x rw,noatime - ext3 /dev/root rw";
        assert_eq!(mount_point(line), Some(PathBuf::from("/srv/my registry\\x")));
        for (field, place) in [("/a\\04", "/a\\04"), ("/a\\999", "/a\\999"), ("/a\\", "/a\\")] {
            let line = format!("1 2 3 4 {field} rw");
            assert_eq!(mount_point(line.as_bytes()), Some(PathBuf::from(place)));
        }
        assert_eq!(mount_point(b""), None);
    }
}
