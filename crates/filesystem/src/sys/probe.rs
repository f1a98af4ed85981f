//! [`Probe`]: records the system calls of a test, and makes them fail.

use std::{
    io::IoSlice,
    os::fd::{AsFd, AsRawFd},
    sync::{Mutex, MutexGuard, PoisonError, mpsc},
};

use rustix::{
    fs::{self, AtFlags, RenameFlags},
    io::Errno,
    path::Arg,
};

use super::{Call, Result, Sys};

/// Counts the calls of one driver, makes one of them fail, and records their effects.
#[derive(Debug, Default)]
pub(crate) struct Probe(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    calls: Vec<Call>,
    /// The number of the call that fails, and how it fails.
    fault: Option<(u64, Fault)>,
    /// The call that failed.
    fired: Option<Call>,
    /// The effects of the calls in order, if they are recorded.
    effects: Option<Vec<Effect>>,
    /// Whether the system has no files without a name and no `openat2`.
    is_old: bool,
    /// Whether the root counts as one in memory.
    is_in_memory: bool,
    /// Directories that count as mounts in a test.
    mounts: Vec<std::path::PathBuf>,
    /// A call that waits until the sender is gone.
    held: Option<(Call, mpsc::Receiver<()>)>,
}

impl Inner {
    /// The number of the next call.
    fn number(&self) -> u64 {
        self.calls.len() as u64
    }
}

/// How a call fails, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It returns this.
    Errno(Errno),
    /// A write writes one byte; any other call succeeds.
    Short,
}

/// The number of an inode.
pub(crate) type Inode = u64;

/// The effect of a call on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    Create {
        dir: Inode,
        name: String,
        file: Inode,
    },
    CreateUnnamed {
        file: Inode,
    },
    Name {
        file: Inode,
        to: (Inode, String),
    },
    Mkdir {
        dir: Inode,
        name: String,
        made: Inode,
    },
    Write {
        file: Inode,
        offset: u64,
        bytes: Vec<u8>,
    },
    Truncate {
        file: Inode,
        size: u64,
    },
    Times {
        file: Inode,
        modified: i64,
    },
    Rename {
        from: (Inode, String),
        to: (Inode, String),
    },
    Link {
        from: (Inode, String),
        to: (Inode, String),
    },
    Remove {
        dir: Inode,
        name: String,
    },
    /// The content and the size of a file are durable.
    SyncData {
        inode: Inode,
    },
    /// A file is durable with its times, or a directory with its entries.
    Sync {
        inode: Inode,
    },
    SyncAll,
}

impl Probe {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of calls of this name.
    pub(crate) fn count(&self, call: Call) -> u64 {
        self.inner().calls.iter().filter(|made| **made == call).count() as u64
    }

    /// The calls so far, in their order.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.inner().calls.clone()
    }

    /// Makes the call with this number fail, counted from 0 and from now on.
    pub(crate) fn fail(&self, call: u64, fault: Fault) {
        let mut inner = self.inner();
        inner.fault = Some((inner.number() + call, fault));
        inner.fired = None;
    }

    /// Makes no further call fail, and returns the call that failed.
    pub(crate) fn disarm(&self) -> Option<Call> {
        let mut inner = self.inner();
        inner.fault = None;
        inner.fired.take()
    }

    /// Lets the next call of this name wait until the sender is dropped.
    pub(crate) fn hold(&self, call: Call) -> mpsc::Sender<()> {
        let (sender, wait) = mpsc::channel();
        self.inner().held = Some((call, wait));
        sender
    }

    /// A system that has only the older calls.
    pub(crate) fn old() -> Self {
        Self(Mutex::new(Inner { is_old: true, ..Inner::default() }))
    }

    /// A system whose files are in memory. Otherwise they count as on a disk, wherever they are, so that a call can wait.
    pub(crate) fn in_memory() -> Self {
        Self(Mutex::new(Inner { is_in_memory: true, ..Inner::default() }))
    }

    pub(super) fn is_in_memory(&self) -> bool {
        self.inner().is_in_memory
    }

    /// A system with file systems mounted at these directories.
    pub(crate) fn mounted(mounts: Vec<std::path::PathBuf>) -> Self {
        Self(Mutex::new(Inner { mounts, ..Inner::default() }))
    }

    /// The table of mounts, if the test has set one.
    pub(super) fn mounts(&self) -> Option<Vec<u8>> {
        let mounts = &self.inner().mounts;
        let lines = mounts.iter().map(|at| format!("1 2 3 / {} rw - x x x\n", at.display()));
        (!mounts.is_empty()).then(|| lines.collect::<String>().into_bytes())
    }

    /// The mount of the test on which an open file or directory is.
    pub(super) fn mount_of(&self, fd: impl AsFd) -> Option<std::path::PathBuf> {
        let inner = self.inner();
        if inner.mounts.is_empty() {
            return None;
        }
        let link = format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd());
        let place = std::fs::read_link(link).ok()?;
        inner.mounts.iter().rev().find(|mount| place.starts_with(mount)).cloned()
    }

    pub(super) fn is_old(&self) -> bool {
        self.inner().is_old
    }

    /// Starts to record effects.
    pub(crate) fn watch(&self) {
        self.inner().effects = Some(Vec::new());
    }

    /// The number of recorded effects.
    pub(crate) fn seen(&self) -> usize {
        self.inner().effects.as_ref().map_or(0, Vec::len)
    }

    /// The recorded effects.
    pub(crate) fn effects(&self) -> Vec<Effect> {
        self.inner().effects.clone().unwrap_or_default()
    }

    pub(super) fn before(&self, call: Call) -> Result<()> {
        let mut inner = self.inner();
        let number = inner.number();
        inner.calls.push(call);
        if let Some((_, wait)) = inner.held.take_if(|(held, _)| *held == call) {
            drop(inner);
            // The sender sends nothing.
            let _ = wait.recv();
            inner = self.inner();
        }
        match inner.fault {
            Some((at, fault)) if at == number => {
                inner.fault = None;
                inner.fired = Some(call);
                match fault {
                    Fault::Errno(errno) => Err(errno),
                    Fault::Short => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    pub(super) fn record(&self, effect: impl FnOnce() -> Effect) {
        // The lock orders the effects of several threads.
        if let Some(effects) = &mut self.inner().effects {
            effects.push(effect());
        }
    }
}

/// Whether the next call writes one byte, if it is a write.
pub(super) fn is_short(sys: &Sys) -> bool {
    let Some(probe) = &sys.probe else { return false };
    let inner = probe.inner();
    inner.fault == Some((inner.number(), Fault::Short))
}

fn inode(fd: impl AsFd) -> Inode {
    fs::fstat(fd).map_or(0, |stat| stat.st_ino)
}

fn text(name: impl Arg) -> String {
    name.to_string_lossy().into_owned()
}

impl Effect {
    pub(super) fn create(dir: impl AsFd, name: &str, file: impl AsFd) -> Self {
        Self::Create { dir: inode(dir), name: text(name), file: inode(file) }
    }

    pub(super) fn create_unnamed(file: impl AsFd) -> Self {
        Self::CreateUnnamed { file: inode(file) }
    }

    pub(super) fn name(file: impl AsFd, to: (impl AsFd, &str)) -> Self {
        Self::Name { file: inode(file), to: (inode(to.0), text(to.1)) }
    }

    pub(super) fn mkdir(dir: impl AsFd, name: &str) -> Self {
        let made = fs::statat(dir.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW);
        Self::Mkdir { dir: inode(dir), name: text(name), made: made.map_or(0, |stat| stat.st_ino) }
    }

    pub(super) fn write(
        file: impl AsFd,
        buffers: &[IoSlice<'_>],
        offset: u64,
        written: usize,
    ) -> Self {
        let all = buffers.iter().flat_map(|buffer| buffer.iter().copied());
        let bytes = all.take(written).collect();
        Self::Write { file: inode(file), offset, bytes }
    }

    pub(super) fn truncate(file: impl AsFd, size: u64) -> Self {
        Self::Truncate { file: inode(file), size }
    }

    pub(super) fn times(file: impl AsFd, modified: i64) -> Self {
        Self::Times { file: inode(file), modified }
    }

    /// A copy by the kernel counts as a write of the whole content.
    pub(super) fn copied(to: impl AsFd) -> Self {
        let size = fs::fstat(to.as_fd()).map_or(0, |stat| stat.st_size as usize);
        let mut bytes = vec![0; size];
        let read = rustix::io::pread(to.as_fd(), &mut *bytes, 0).unwrap_or(0);
        bytes.truncate(read);
        Self::Write { file: inode(to), offset: 0, bytes }
    }

    pub(super) fn sync_data(of: impl AsFd) -> Self {
        Self::SyncData { inode: inode(of) }
    }

    pub(super) fn sync(of: impl AsFd) -> Self {
        Self::Sync { inode: inode(of) }
    }

    pub(super) fn rename(
        from: (impl AsFd, impl Arg),
        to: (impl AsFd, &str),
        flags: RenameFlags,
    ) -> Self {
        assert!(!flags.contains(RenameFlags::EXCHANGE), "nothing is exchanged");
        Self::Rename { from: (inode(from.0), text(from.1)), to: (inode(to.0), text(to.1)) }
    }

    pub(super) fn link(from: (impl AsFd, &str), to: (impl AsFd, &str)) -> Self {
        Self::Link { from: (inode(from.0), text(from.1)), to: (inode(to.0), text(to.1)) }
    }

    pub(super) fn remove(dir: impl AsFd, name: impl Arg) -> Self {
        Self::Remove { dir: inode(dir), name: text(name) }
    }
}
