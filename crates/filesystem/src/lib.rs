//! A storage driver on a directory of a file system, that loses nothing at `kill -9` or a power cut.
//!
//! Committed content is a plain file at its path below the root, as CNCF distribution's filesystem
//! driver lays it out: a tree that distribution wrote opens as it is, and distribution opens one
//! that was written here.
//!
//! ```
//! # tokio_test::block_on(async {
//! # let dir = tempfile::tempdir()?;
//! # let root = dir.path().join("registry");
//! use storage_driver_filesystem::Filesystem;
//! use storage_driver::{Path, StorageDriver, StorageDriverExt, WriterOptions};
//!
//! let store = Filesystem::open(&root).await?;
//! let path = Path::parse("/blobs/one")?;
//! let mut writer = store.create(&path).await?;
//! writer.write_bytes("the first half, ").await?;
//! writer.suspend().await?;
//! store.shutdown().await?; // or kill -9
//!
//! let store = Filesystem::open(&root).await?;
//! let mut writer = store.writer(&path, WriterOptions::resume_at(16)).await?;
//! writer.write_bytes("and the second").await?;
//! writer.commit().await?;
//! assert_eq!(std::fs::read(root.join("blobs/one"))?, b"the first half, and the second");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! # The tree on the disk
//!
//! ```text
//! root/
//! ├── docker/registry/v2/…             committed content: each file at its path
//! └── ~storage-driver/                 reserved: `~` is in no path of a store
//!     ├── lock                         locked (`flock`) while the root is open; says which layout this is
//!     ├── staging/                     content that is being made by a put or a copy
//!     ├── uploads/
//!     │   ├── 18eabe7de13e2930.data    an upload in progress, invisible until it is committed
//!     │   └── 18eabe7de13e2930.record  its path, when it was started, and how much of it is kept
//!     └── trash/                       what was deleted, until a thread has removed it
//! ```
//!
//! Only these names are ours. What else lies in the root (names that are no path, symbolic links,
//! devices, empty directories) is not shown and not touched, and is said once in the log
//! ([`tracing`]); a deletion of a directory leaves it where it is, a rename of one takes it along. No
//! path is resolved out of the root or through a symbolic link (`openat2` with `RESOLVE_BENEATH`;
//! where the kernel is older than 5.6, component by component). A symbolic link to a directory or to nothing among
//! the first four levels of the root (and the first 1,024 entries) keeps the root from opening: what
//! is behind it would be missing from the store. The error names the link. Mount that directory
//! there instead.
//!
//! # Several file systems
//!
//! A directory of the root may be a mount point, such as `docker/registry/v2/blobs` on a disk of its
//! own; the driver's own directory in the root may not. Between two mounts nothing can be renamed, so
//! the driver keeps a `~storage-driver` directory on each of them, with a lock, staging and trash,
//! and makes content on the mount on which it publishes it. Then:
//!
//! - `put_content` and `copy` cost what they cost otherwise. A commit of an upload to a path on a
//!   mount **copies** the data, before it takes any lock, and then publishes the copy: both file
//!   systems need room for it until the commit returns.
//! - Each file is still published whole or not at all, and as durably. A crash in the middle of such
//!   a commit may leave the upload behind although it was published.
//! - `rename` and `rename_dir` are `Unsupported`, within one file system too, and the
//!   [capabilities](storage_driver::Capabilities) say so.
//! - The deletion of a directory that holds a mount point removes file after file, and leaves the
//!   mount points.
//!
//! Mounts are read from `/proc/self/mountinfo` when the root is opened. If something is mounted or
//! unmounted below the root after that, `health` fails, and so do operations there, with
//! `Unavailable` and the path; open the root again.
//!
//! # Roots that are only read
//!
//! [`FilesystemBuilder::read_only`] opens a root without writing anything: on a read-only mount, without the
//! permission to write, or while another process serves it.
//!
//! # What is durable when
//!
//! | operation | what is on the disk when it returns, under [`Durability::Full`] |
//! |---|---|
//! | `put_content`, `commit`, `commit_to`, `copy` | the content and its time, then its name, and those of new directories up to the root |
//! | `touch` | the new time |
//! | `rename`, `rename_dir` | the new name, and that the old one is gone |
//! | `delete` | that the name is gone; the space is given back in the background |
//! | `sync`, `suspend` | all that was accepted, and the record that says so |
//! | `cancel`, a `create` that discards | nothing: after a power cut, a cancelled upload may be there again, to be resumed or swept |
//! | a drop of a writer | what `suspend` keeps, as soon as a thread has come to it |
//!
//! [`Durability`] tells what less means. Whatever it is, a crash of the process alone undoes nothing
//! that was acknowledged. All of this takes the file system at its word: a synced file or directory
//! is safe, and a rename is done or not (ext4, XFS, Btrfs, F2FS).
//!
//! A sync that fails is never tried again as if nothing had been: the operation fails, and is undone
//! where that can be done. For the data of an upload it cannot: what was accepted since it was last
//! kept is discarded, each call of the writer returns that error, and `Resume` continues after the kept data.
//!
//! # When something else changes the driver's files
//!
//! Before data of an upload is extended, kept or published, its file is compared with what was
//! written. If another program has removed, replaced or cut it, the writer fails with `Corrupted`,
//! which names the file and how many bytes are left; nothing of it is published, and `Resume` stands
//! at what is left of what was kept. What another program has appended is cut off. Content that was
//! changed in place is not noticed. A record that was removed is written again when the upload is
//! kept next; one that cannot be read when the root is opened is discarded with its upload, and the
//! log says so. Other uploads and files are not affected.
//!
//! If the root itself was removed, renamed, replaced or unmounted, nothing in it is said not to be
//! found: operations that would say so fail with `Unavailable`, whose cause is the place of the root,
//! and so does `health`.
//!
//! # Failures
//!
//! A full disk, a quota, a read-only mount, too many open files and I/O errors are errors of their
//! kinds, change nothing, and go away with their cause; a writer holds what it had accepted and tries
//! again at the next call.
//!
//! # What an append costs
//!
//! Opening a writer to append copies the content that is there into the upload. On a file system
//! that shares blocks between files (Btrfs, XFS made with `reflink=1`) that takes the same short time
//! at any size, and no room. On others (ext4, tmpfs) each append reads and writes all of the content,
//! inside the kernel: a file that grows to N bytes in k appends of equal size writes N × (k + 1) / 2
//! bytes in all, and while an append is in progress the content is on the disk twice. Write a
//! large file in one upload, which may be resumed any number of times at no such cost.
//!
//! # What shutdown leaves
//!
//! `shutdown` waits for operations under way and keeps what open writers have accepted. It does not
//! wait until the trash is empty: it stops removing, and the disk space of what was deleted last is
//! given back when the root is opened next.
//!
//! # Versions
//!
//! A version is made of a file's modification time, its inode and its size. The time is given to
//! each commit by the driver, to the nanosecond, and never twice: so no two commits share a version,
//! a rename keeps it, and it survives a restart. A file that another program wrote has the version that
//! its own time makes; one that is changed in place within one nanosecond, or whose time is set back,
//! to the same size, would not be noticed. After a restart no time is given again that an earlier
//! process gave, even if the system's clock was set back meanwhile, unless that happened while it ran.
//!
//! # Threads, descriptors, memory
//!
//! What may wait for a disk runs on the blocking threads of the runtime that opened the root; what the
//! kernel has at hand is read and looked up in place, without one.
//!
//! - A **thread** at work has at most five descriptors open; how many threads there are is the
//!   runtime's setting (`max_blocking_threads`, 512 unless set).
//! - A **writer** holds no descriptor and no thread while it is idle, and at most 1 MiB that was
//!   accepted and not handed over, apart from the piece accepted last; as much again may be on its way.
//! - A **reader** holds one descriptor, and at most two pieces of 256 KiB, one ahead of its consumer
//!   (64 KiB, and none ahead, of what the kernel has at hand).
//!   Its file stays whole, whatever becomes of the name.
//! - A **listing** reads names in windows of 8 MiB (about 100,000 names of 64 bytes), sorted. For the
//!   next page it keeps those of at most four directories, as long as the directory does not change;
//!   those that nobody has asked for in ten seconds go with the next listing. A **walk** holds a
//!   window for each directory that it is in.
//!
//! One process opens a root at a time, apart from those that only read it. Operations on one path wait for each other without a thread;
//! those on a whole directory (its deletion or rename) for all that change anything, for as long as
//! a rename takes. The deletion of a directory first reads the names in it, while others work on; a
//! rename to a longer path does so while they wait.
//!
//! The driver runs on Linux. On other systems, this crate has [`Durability`] alone.

#[cfg(target_os = "linux")]
mod blocking;
#[cfg(target_os = "linux")]
mod buffers;
#[cfg(target_os = "linux")]
mod builder;
#[cfg(target_os = "linux")]
mod change;
#[cfg(target_os = "linux")]
mod clock;
#[cfg(target_os = "linux")]
mod dirs;
#[cfg(target_os = "linux")]
mod driver;
mod durability;
#[cfg(target_os = "linux")]
mod error;
#[cfg(target_os = "linux")]
mod filesystem;
#[cfg(target_os = "linux")]
mod list;
#[cfg(target_os = "linux")]
mod locks;
#[cfg(target_os = "linux")]
mod mounts;
#[cfg(target_os = "linux")]
mod names;
#[cfg(target_os = "linux")]
mod place;
#[cfg(target_os = "linux")]
mod publish;
#[cfg(target_os = "linux")]
mod reader;
#[cfg(target_os = "linux")]
mod record;
#[cfg(target_os = "linux")]
mod recovery;
#[cfg(target_os = "linux")]
mod reserved;
#[cfg(target_os = "linux")]
mod root;
#[cfg(target_os = "linux")]
mod settings;
#[cfg(target_os = "linux")]
mod staging;
#[cfg(target_os = "linux")]
mod store;
#[cfg(target_os = "linux")]
mod syncs;
#[cfg(target_os = "linux")]
mod sys;
#[cfg(all(test, target_os = "linux"))]
mod tests;
#[cfg(target_os = "linux")]
mod trash;
#[cfg(target_os = "linux")]
mod upload;
#[cfg(target_os = "linux")]
mod walk;
#[cfg(target_os = "linux")]
mod windows;
#[cfg(target_os = "linux")]
mod write;

pub use crate::durability::{Durability, ParseDurabilityError};
#[cfg(target_os = "linux")]
pub use crate::{builder::FilesystemBuilder, filesystem::Filesystem};
