//! [`Sys`]: the system calls of the driver. Every other module makes them through it, so that a test can make
//! any of them fail and record their effects on the disk.
//!
//! A call that a signal interrupts is made again. Paths are relative to an open directory, and are never
//! resolved outside of it or through a symbolic link.

use std::{
    io::{IoSlice, IoSliceMut},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use rustix::{
    fs::{
        self, AtFlags, CWD, FlockOperation, Mode, OFlags, RawMode, RenameFlags, SeekFrom, StatVfs,
        Timespec, Timestamps, UTIME_OMIT,
    },
    io::{Errno, ReadWriteFlags, retry_on_intr},
    path::Arg,
};

pub(crate) use rustix::io::Result;

use self::resolve::{beneath, by_component};
pub(crate) use self::{
    call::Call,
    resolve::Resolve,
    stat::{FileStat, Kind},
};

mod call;
#[cfg(test)]
pub(crate) mod probe;
mod resolve;
mod stat;
pub(crate) mod write;

/// Makes the system calls. In a test they pass through a `Probe`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sys {
    #[cfg(test)]
    pub(crate) probe: Option<std::sync::Arc<probe::Probe>>,
}

const DIR: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY);
/// With these flags, opening a device or a pipe has no effect and does not block.
const FILE: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

impl Sys {
    #[cfg(not(test))]
    #[inline]
    fn before(&self, _: Call) -> Result<()> {
        Ok(())
    }

    #[cfg(test)]
    fn before(&self, call: Call) -> Result<()> {
        self.probe.as_ref().map_or(Ok(()), |probe| probe.before(call))
    }

    /// Records the effect of a call for the test.
    #[cfg(test)]
    fn did(&self, effect: impl FnOnce() -> probe::Effect) {
        if let Some(probe) = &self.probe {
            probe.record(effect);
        }
    }

    /// Fails with `EXDEV` if both are on different mounts of a test.
    #[cfg(test)]
    fn require_one_mount(&self, from: impl AsFd, to: impl AsFd) -> Result<()> {
        let Some(probe) = &self.probe else { return Ok(()) };
        let same = probe.mount_of(from.as_fd()) == probe.mount_of(to.as_fd());
        if same { Ok(()) } else { Err(Errno::XDEV) }
    }

    /// Whether a test asks for the calls of older kernels and of file systems with fewer features.
    fn is_old(&self) -> bool {
        #[cfg(test)]
        return self.probe.as_ref().is_some_and(|probe| probe.is_old());
        #[cfg(not(test))]
        false
    }

    fn beneath(
        &self,
        at: BorrowedFd<'_>,
        path: &str,
        flags: OFlags,
        resolve: Resolve,
    ) -> Result<OwnedFd> {
        if self.is_old() {
            return by_component(at, path, flags | OFlags::CLOEXEC);
        }
        beneath(at, path, flags, resolve)
    }

    fn call<T>(&self, call: Call, mut body: impl FnMut() -> Result<T>) -> Result<T> {
        retry_on_intr(|| {
            self.before(call)?;
            body()
        })
    }

    /// Opens the root, by the path that the caller gives.
    pub(crate) fn open_root(&self, path: &std::path::Path) -> Result<OwnedFd> {
        self.call(Call::OpenDir, || fs::openat(CWD, path, DIR | OFlags::CLOEXEC, Mode::empty()))
    }

    /// The table of mounts.
    pub(crate) const MOUNTS: &'static str = "/proc/self/mountinfo";

    /// Reads that table. It is empty where there is no `/proc`.
    pub(crate) fn mounts(&self) -> Result<Vec<u8>> {
        self.call(Call::Mounts, || {
            #[cfg(test)]
            if let Some(table) = self.probe.as_ref().and_then(|probe| probe.mounts()) {
                return Ok(table);
            }
            match std::fs::read(Self::MOUNTS) {
                Ok(table) => Ok(table),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
                Err(error) => Err(Errno::from_io_error(&error).unwrap_or(Errno::IO)),
            }
        })
    }

    /// The file or directory at a path on this machine, which need not be below the root.
    pub(crate) fn stat_place(&self, path: &std::path::Path) -> Result<FileStat> {
        self.call(Call::Stat, || fs::stat(path)).map(FileStat::of)
    }

    /// Opens a directory beneath `at`, for reading, syncing, and as the place of its entries.
    pub(crate) fn open_dir(&self, at: impl AsFd, path: &str) -> Result<OwnedFd> {
        let at = at.as_fd();
        self.call(Call::OpenDir, || self.beneath(at, path, DIR, Resolve::Fully))
    }

    /// Opens a path beneath `at` for `stat`, not for reading.
    pub(crate) fn open_path(&self, at: impl AsFd, path: &str, resolve: Resolve) -> Result<OwnedFd> {
        let at = at.as_fd();
        self.call(Call::OpenFile, || {
            self.beneath(at, path, OFlags::PATH | OFlags::NOFOLLOW, resolve)
        })
    }

    /// Opens a file beneath `at` for reading. The caller checks first that it is a regular file.
    pub(crate) fn open_file(&self, at: impl AsFd, path: &str, resolve: Resolve) -> Result<OwnedFd> {
        let at = at.as_fd();
        self.call(Call::OpenFile, || self.beneath(at, path, FILE | OFlags::NOFOLLOW, resolve))
    }

    /// Opens a file of our own in the directory `at` for writing.
    pub(crate) fn open_write(&self, at: impl AsFd, name: &str) -> Result<OwnedFd> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        self.call(Call::OpenFile, || fs::openat(at.as_fd(), name, flags, Mode::empty()))
    }

    /// Creates a file in the directory `at`; fails with `EEXIST` if the name is taken.
    pub(crate) fn create(&self, at: impl AsFd, name: &str, mode: u32) -> Result<OwnedFd> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(mode as RawMode);
        let file = self.call(Call::Create, || fs::openat(at.as_fd(), name, flags, mode))?;
        #[cfg(test)]
        self.did(|| probe::Effect::create(at.as_fd(), name, &file));
        Ok(file)
    }

    /// Creates a file without a name on the file system of the directory `at`. The system removes it when it is
    /// closed, unless it was given a name.
    pub(crate) fn create_unnamed(&self, at: impl AsFd, mode: u32) -> Result<OwnedFd> {
        let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(mode as RawMode);
        let file = self.call(Call::Create, || {
            if self.is_old() {
                return Err(Errno::OPNOTSUPP);
            }
            fs::openat(at.as_fd(), ".", flags, mode)
        })?;
        #[cfg(test)]
        self.did(|| probe::Effect::create_unnamed(&file));
        Ok(file)
    }

    /// Gives a file without a name the name `to`; fails with `EEXIST` if the name is taken.
    pub(crate) fn name(&self, file: impl AsFd, to: (impl AsFd, &str)) -> Result<()> {
        let (file, target, name) = (file.as_fd(), to.0.as_fd(), to.1);
        #[cfg(test)]
        self.require_one_mount(file, target)?;
        self.call(Call::Link, || match fs::linkat(file, "", target, name, AtFlags::EMPTY_PATH) {
            // Before Linux 6.10 that needs a privilege, which a link through /proc does not.
            Err(Errno::NOENT) => {
                let link = format!("/proc/self/fd/{}", file.as_raw_fd());
                fs::linkat(CWD, &*link, target, name, AtFlags::SYMLINK_FOLLOW)
            }
            result => result,
        })?;
        #[cfg(test)]
        self.did(|| probe::Effect::name(file, (target, name)));
        Ok(())
    }

    /// Reads into `buffer`; 0 at the end.
    pub(crate) fn read(&self, file: impl AsFd, buffer: &mut [u8], offset: u64) -> Result<usize> {
        self.call(Call::Read, || rustix::io::pread(file.as_fd(), &mut *buffer, offset))
    }

    /// Reads bytes that the kernel has cached; fails with `EAGAIN` if there are none.
    pub(crate) fn read_cached(
        &self,
        file: impl AsFd,
        buffer: &mut [u8],
        offset: u64,
    ) -> Result<usize> {
        self.call(Call::Read, || {
            let mut buffers = [IoSliceMut::new(buffer)];
            rustix::io::preadv2(file.as_fd(), &mut buffers, offset, ReadWriteFlags::NOWAIT)
        })
    }

    /// Writes the beginning of `buffers`, at least one byte.
    pub(crate) fn write(
        &self,
        file: impl AsFd,
        buffers: &[IoSlice<'_>],
        offset: u64,
    ) -> Result<usize> {
        #[cfg(test)]
        let one = buffers.iter().find(|buffer| !buffer.is_empty()).map(|b| IoSlice::new(&b[..1]));
        #[cfg(test)]
        let buffers = match &one {
            Some(one) if probe::is_short(self) => std::slice::from_ref(one),
            _ => buffers,
        };
        let written =
            self.call(Call::Write, || rustix::io::pwritev(file.as_fd(), buffers, offset))?;
        if written == 0 && buffers.iter().any(|buffer| !buffer.is_empty()) {
            return Err(Errno::IO);
        }
        #[cfg(test)]
        self.did(|| probe::Effect::write(&file, buffers, offset, written));
        Ok(written)
    }

    pub(crate) fn truncate(&self, file: impl AsFd, size: u64) -> Result<()> {
        self.call(Call::Truncate, || fs::ftruncate(file.as_fd(), size))?;
        #[cfg(test)]
        self.did(|| probe::Effect::truncate(&file, size));
        Ok(())
    }

    /// Sets the modification time, in nanoseconds since 1970.
    pub(crate) fn set_modified(&self, file: impl AsFd, modified: i64) -> Result<()> {
        self.call(Call::SetTimes, || fs::futimens(file.as_fd(), &times(modified)))?;
        #[cfg(test)]
        self.did(|| probe::Effect::times(&file, modified));
        Ok(())
    }

    /// Makes the empty file `to` share the content of `from`, on file systems that can.
    pub(crate) fn clone_file(&self, from: impl AsFd, to: impl AsFd) -> Result<()> {
        self.call(Call::Clone, || fs::ioctl_ficlone(to.as_fd(), from.as_fd()))?;
        #[cfg(test)]
        self.did(|| probe::Effect::copied(&to));
        Ok(())
    }

    /// Copies up to `length` bytes at `offset` inside the kernel.
    pub(crate) fn copy_range(
        &self,
        from: impl AsFd,
        to: impl AsFd,
        offset: u64,
        length: usize,
    ) -> Result<usize> {
        let copied = self.call(Call::CopyRange, || {
            let (mut source, mut target) = (offset, offset);
            let (from, to) = (from.as_fd(), to.as_fd());
            fs::copy_file_range(from, Some(&mut source), to, Some(&mut target), length)
        })?;
        #[cfg(test)]
        self.did(|| probe::Effect::copied(&to));
        Ok(copied)
    }

    /// Makes a file's content durable, with its size and times.
    pub(crate) fn sync_file(&self, file: impl AsFd) -> Result<()> {
        self.call(Call::Sync, || fs::fsync(file.as_fd()))?;
        #[cfg(test)]
        self.did(|| probe::Effect::sync(&file));
        Ok(())
    }

    /// Makes a file's content durable, with its size.
    pub(crate) fn sync_data(&self, file: impl AsFd) -> Result<()> {
        self.call(Call::Sync, || fs::fdatasync(file.as_fd()))?;
        #[cfg(test)]
        self.did(|| probe::Effect::sync_data(&file));
        Ok(())
    }

    /// Makes the entries of a directory durable.
    pub(crate) fn sync_dir(&self, dir: impl AsFd) -> Result<()> {
        self.call(Call::SyncDir, || fs::fsync(dir.as_fd()))?;
        #[cfg(test)]
        self.did(|| probe::Effect::sync(&dir));
        Ok(())
    }

    /// Makes everything on the file system durable.
    pub(crate) fn sync_all(&self, dir: impl AsFd) -> Result<()> {
        self.call(Call::SyncFs, || fs::syncfs(dir.as_fd()))?;
        #[cfg(test)]
        self.did(|| probe::Effect::SyncAll);
        Ok(())
    }

    pub(crate) fn mkdir(&self, at: impl AsFd, name: &str, mode: u32) -> Result<()> {
        let mode = Mode::from_raw_mode(mode as RawMode);
        self.call(Call::Mkdir, || fs::mkdirat(at.as_fd(), name, mode))?;
        #[cfg(test)]
        self.did(|| probe::Effect::mkdir(at.as_fd(), name));
        Ok(())
    }

    /// Moves an entry and replaces what is there.
    pub(crate) fn rename(
        &self,
        from: (impl AsFd, impl Arg + Copy),
        to: (impl AsFd, &str),
        flags: RenameFlags,
    ) -> Result<()> {
        let ((source, name), (target, new)) = ((from.0.as_fd(), from.1), (to.0.as_fd(), to.1));
        #[cfg(test)]
        self.require_one_mount(source, target)?;
        self.call(Call::Rename, || {
            if flags.is_empty() {
                fs::renameat(source, name, target, new)
            } else {
                fs::renameat_with(source, name, target, new, flags)
            }
        })?;
        #[cfg(test)]
        self.did(|| probe::Effect::rename((source, name), (target, new), flags));
        Ok(())
    }

    /// Moves an entry to a name that is not taken. A file system without `RENAME_NOREPLACE` does not check that.
    pub(crate) fn rename_new(
        &self,
        from: (impl AsFd, impl Arg + Copy),
        to: (impl AsFd, &str),
    ) -> Result<()> {
        let (from, to) = ((from.0.as_fd(), from.1), (to.0.as_fd(), to.1));
        match self.rename(from, to, RenameFlags::NOREPLACE) {
            // The caller has checked, under a lock.
            Err(Errno::INVAL | Errno::NOSYS) => self.rename(from, to, RenameFlags::empty()),
            result => result,
        }
    }

    /// Gives a file a second name.
    pub(crate) fn link(&self, from: (impl AsFd, &str), to: (impl AsFd, &str)) -> Result<()> {
        let ((source, name), (target, new)) = ((from.0.as_fd(), from.1), (to.0.as_fd(), to.1));
        #[cfg(test)]
        self.require_one_mount(source, target)?;
        self.call(Call::Link, || fs::linkat(source, name, target, new, AtFlags::empty()))?;
        #[cfg(test)]
        self.did(|| probe::Effect::link((source, name), (target, new)));
        Ok(())
    }

    pub(crate) fn unlink(&self, at: impl AsFd, name: impl Arg + Copy) -> Result<()> {
        self.call(Call::Unlink, || fs::unlinkat(at.as_fd(), name, AtFlags::empty()))?;
        #[cfg(test)]
        self.did(|| probe::Effect::remove(at.as_fd(), name));
        Ok(())
    }

    pub(crate) fn rmdir(&self, at: impl AsFd, name: &str) -> Result<()> {
        self.call(Call::Rmdir, || fs::unlinkat(at.as_fd(), name, AtFlags::REMOVEDIR))?;
        #[cfg(test)]
        self.did(|| probe::Effect::remove(at.as_fd(), name));
        Ok(())
    }

    /// The metadata of an open file or directory.
    pub(crate) fn stat(&self, fd: impl AsFd) -> Result<FileStat> {
        self.call(Call::Stat, || fs::fstat(fd.as_fd())).map(FileStat::of)
    }

    /// The metadata of an entry of a directory; a symbolic link is not followed.
    pub(crate) fn stat_at(&self, at: impl AsFd, name: &str) -> Result<FileStat> {
        self.call(Call::Stat, || fs::statat(at.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW))
            .map(FileStat::of)
    }

    /// Sets an open directory back to its first entry.
    pub(crate) fn rewind(&self, dir: impl AsFd) -> Result<()> {
        self.call(Call::ReadDir, || fs::seek(dir.as_fd(), SeekFrom::Start(0))).map(drop)
    }

    /// Called before a directory is read: a place for a test's fault.
    pub(crate) fn read_dir(&self) -> Result<()> {
        self.call(Call::ReadDir, || Ok(()))
    }

    pub(crate) fn stat_fs(&self, fd: impl AsFd) -> Result<StatVfs> {
        self.call(Call::StatFs, || fs::fstatvfs(fd.as_fd()))
    }

    /// Whether a file system is in memory and never waits for a disk.
    pub(crate) fn is_in_memory(&self, fd: impl AsFd) -> Result<bool> {
        /// Of tmpfs and of ramfs, from the kernel's `magic.h`.
        const MAGIC: [u32; 2] = [0x0102_1994, 0x8584_58f6];
        #[cfg(test)]
        if let Some(probe) = &self.probe {
            return Ok(probe.is_in_memory());
        }
        let found = self.call(Call::StatFs, || fs::fstatfs(fd.as_fd()))?;
        Ok(MAGIC.contains(&(found.f_type as u32)))
    }

    /// Takes the lock on an open file, or returns `EWOULDBLOCK`.
    pub(crate) fn lock(&self, file: impl AsFd) -> Result<()> {
        retry_on_intr(|| fs::flock(file.as_fd(), FlockOperation::NonBlockingLockExclusive))
    }
}

fn times(modified: i64) -> Timestamps {
    const SECOND: i64 = 1_000_000_000;
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec {
            tv_sec: modified.div_euclid(SECOND),
            tv_nsec: modified.rem_euclid(SECOND) as _,
        },
    }
}
