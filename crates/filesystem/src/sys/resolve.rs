//! Opening a path beneath a directory: never above it, and through no symbolic link.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::{
    fs::{self, Mode, OFlags, ResolveFlags},
    io::{Errno, Result},
};

/// How to resolve a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resolve {
    /// Waits for the disk if it has to.
    Fully,
    /// Fails with `EAGAIN` if the kernel would have to wait for the disk.
    Cached,
}

/// Opens a path beneath `at`: never above it, and through no symbolic link.
pub(super) fn beneath(
    at: BorrowedFd<'_>,
    path: &str,
    flags: OFlags,
    resolve: Resolve,
) -> Result<OwnedFd> {
    let flags = flags | OFlags::CLOEXEC;
    let mut how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    if resolve == Resolve::Cached {
        how |= ResolveFlags::CACHED;
    }
    loop {
        match fs::openat2(at, path, flags, Mode::empty(), how) {
            // A directory on the path was renamed meanwhile.
            Err(Errno::AGAIN) if resolve == Resolve::Fully => {}
            // An old kernel, or a sandbox that refuses unknown calls.
            Err(Errno::NOSYS | Errno::PERM) => return by_component(at, path, flags),
            result => return result,
        }
    }
}

/// [`beneath`] for a kernel without `openat2`: one component after the other, none of which may be
/// a symbolic link.
pub(super) fn by_component(at: BorrowedFd<'_>, path: &str, flags: OFlags) -> Result<OwnedFd> {
    let step = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mut dir: Option<OwnedFd> = None;
    for component in above.split('/').filter(|component| !component.is_empty()) {
        let at = dir.as_ref().map_or(at, AsFd::as_fd);
        dir = Some(fs::openat(at, component, step, Mode::empty())?);
    }
    let at = dir.as_ref().map_or(at, AsFd::as_fd);
    fs::openat(at, name, flags | OFlags::NOFOLLOW, Mode::empty())
}
