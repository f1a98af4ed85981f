//! [`Probe`]: what a test sees of the system calls, and does to them.

use std::{
    collections::HashMap,
    io::IoSlice,
    os::fd::{AsFd, AsRawFd},
    sync::{Mutex, MutexGuard, PoisonError},
};

use rustix::{
    fs::{self, AtFlags, RenameFlags},
    io::Errno,
    path::Arg,
};

use super::{Call, Result, Sys};

/// Counts the calls of one driver, makes one of them fail, and writes down what each did.
#[derive(Debug, Default)]
pub(crate) struct Probe(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    calls: u64,
    by_name: HashMap<Call, u64>,
    /// The call that is to fail, by its number, and how.
    fault: Option<(u64, Fault)>,
    /// The call that failed.
    fired: Option<Call>,
    /// What the calls did, in order, if it is written down.
    effects: Option<Vec<Effect>>,
    /// Whether the system is one that cannot make files without a name, and has no `openat2`.
    is_old: bool,
    /// Directories that count as mounts, if a test makes them up.
    mounts: Vec<std::path::PathBuf>,
}

/// How a call fails, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It returns this.
    Errno(Errno),
    /// It writes one byte; other calls than a write do what they should.
    Short,
}

/// The number of an inode.
pub(crate) type Inode = u64;

/// What a call did to the disk.
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

    /// How often a call was made.
    pub(crate) fn count(&self, call: Call) -> u64 {
        self.inner().by_name.get(&call).copied().unwrap_or(0)
    }

    /// Lets the call number `call`, from now on, counted from 0, fail.
    pub(crate) fn fail(&self, call: u64, fault: Fault) {
        let mut inner = self.inner();
        inner.fault = Some((inner.calls + call, fault));
        inner.fired = None;
    }

    /// Lets no call fail any more, and says which has.
    pub(crate) fn disarm(&self) -> Option<Call> {
        let mut inner = self.inner();
        inner.fault = None;
        inner.fired.take()
    }

    /// Goes to a system that has the older calls alone.
    pub(crate) fn old() -> Self {
        Self(Mutex::new(Inner { is_old: true, ..Inner::default() }))
    }

    /// A system on which something is mounted at these directories.
    pub(crate) fn mounted(mounts: Vec<std::path::PathBuf>) -> Self {
        Self(Mutex::new(Inner { mounts, ..Inner::default() }))
    }

    /// The table of mounts, if it is made up.
    pub(super) fn mounts(&self) -> Option<Vec<u8>> {
        let mounts = &self.inner().mounts;
        let lines = mounts.iter().map(|at| format!("1 2 3 / {} rw - x x x\n", at.display()));
        (!mounts.is_empty()).then(|| lines.collect::<String>().into_bytes())
    }

    /// On which of the mounts that are made up an open file or directory is.
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

    /// Begins to write down what the calls do.
    pub(crate) fn watch(&self) {
        self.inner().effects = Some(Vec::new());
    }

    /// How much has been written down.
    pub(crate) fn seen(&self) -> usize {
        self.inner().effects.as_ref().map_or(0, Vec::len)
    }

    /// What has been written down.
    pub(crate) fn effects(&self) -> Vec<Effect> {
        self.inner().effects.clone().unwrap_or_default()
    }

    pub(super) fn before(&self, call: Call) -> Result<()> {
        let mut inner = self.inner();
        let number = inner.calls;
        inner.calls += 1;
        *inner.by_name.entry(call).or_default() += 1;
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
        // Its system calls are made while no other thread records.
        if let Some(effects) = &mut self.inner().effects {
            effects.push(effect());
        }
    }
}

/// Whether the next call, if it is a write, is to write one byte.
pub(super) fn is_short(sys: &Sys) -> bool {
    let Some(probe) = &sys.probe else { return false };
    let inner = probe.inner();
    inner.fault == Some((inner.calls, Fault::Short))
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

    /// A copy inside of the kernel is a write of what is there now.
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
