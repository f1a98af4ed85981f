//! A storage driver on a directory of a file system, that loses nothing at `kill -9` or a power cut.
//!
//! Committed content is a plain file at its path below the root, in the layout of CNCF distribution's
//! filesystem driver: this driver opens a tree that distribution wrote, and distribution opens a tree that this
//! driver wrote.
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
//!     ├── lock                         locked (`flock`) while the root is open; states the layout
//!     ├── staging/                     content of a put or a copy that is not published yet
//!     ├── uploads/
//!     │   ├── 18eabe7de13e2930.data    an upload in progress, invisible until it is committed
//!     │   └── 18eabe7de13e2930.record  its path, its start, how much of it is kept, and its note
//!     └── trash/                       deleted files, until a thread has removed them
//! ```
//!
//! The driver uses only these names. Other entries of the root (names that are not path components, symbolic
//! links, devices, empty directories) are neither shown nor changed, and are reported in the log once
//! ([`tracing`]); a deletion of a directory leaves them where they are, a rename of one moves them along. No
//! path is resolved out of the root or through a symbolic link (`openat2` with `RESOLVE_BENEATH`;
//! component by component if the kernel is older than 5.6). A symbolic link to a directory or to nothing among
//! the first four levels of the root (and the first 1,024 entries) keeps the root from opening: its content
//! would be missing from the store. The error names the link. Mount that directory there instead. So does
//! anything else in the place of the driver's own directories and lock.
//!
//! # Several file systems
//!
//! A directory of the root may be a mount point, such as `docker/registry/v2/blobs` on a disk of its
//! own; the driver's own directory in the root may not. Between two mounts nothing can be renamed, so
//! the driver keeps a `~storage-driver` directory on each of them, with a lock, staging and trash,
//! and makes content on the mount on which it publishes it. Then:
//!
//! - `put_content` and `copy` cost the same as on one file system. A commit of an upload to a path on a
//!   mount **copies** the data, before it takes any lock, and then publishes the copy: both file
//!   systems need room for it until the commit returns.
//! - Each file is still published whole or not at all, and as durably. A crash in the middle of such
//!   a commit may leave the upload behind although it was published.
//! - `rename` and `rename_dir` are `Unsupported`, within one file system too, and the
//!   [capabilities](storage_driver::Capabilities) say so.
//! - The deletion of a directory that holds a mount point removes file after file, and leaves the
//!   mount points.
//!
//! Mounts are read from `/proc/self/mountinfo` when the root is opened. If a file system is mounted or
//! unmounted below the root after that, `health` fails, and so do operations there, with
//! `Unavailable` and the path; open the root again.
//!
//! # Read-only roots
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
//! | `delete` | that the name is gone; the disk space is freed in the background |
//! | `sync`, `suspend` | all accepted data, and the record that states it |
//! | `cancel`, a `create` that discards | nothing: after a power cut, a cancelled upload may be back as it was kept, and `uploads` lists it |
//! | a drop of a writer | what `suspend` keeps, as soon as a thread has done it |
//!
//! [`Durability`] states what its other values mean. With any of them, a crash of the process alone undoes nothing
//! that was acknowledged. All of this relies on the file system: a synced file or directory
//! is safe, and a rename is done or not (ext4, XFS, Btrfs, F2FS).
//!
//! A sync that fails is never repeated as if it had not failed: the operation fails, and is undone
//! if possible. For the data of an upload that is not possible: data that was accepted after the last keep
//! is discarded, each call of the writer returns that error, and `Resume` continues after the kept data.
//!
//! # When another program changes the driver's files
//!
//! Before data of an upload is extended, kept or published, its file is checked: its inode and its size.
//! If another program has removed, replaced or cut it, the writer fails with `Corrupted`,
//! which names the file and how many bytes are left; nothing of it is published, and `Resume` continues
//! after the rest of the kept data. Bytes that another program has appended are cut off. Content that was
//! changed in place is not noticed. A record that was removed is written again at the next keep. A
//! record that cannot be read when the root is opened is discarded with its upload, and the
//! log reports it. Other uploads and files are not affected.
//!
//! If the root itself was removed, renamed, replaced or unmounted, operations that would return `PathNotFound`
//! fail with `Unavailable`, whose cause is the place of the root, and so does `health`.
//!
//! # Failures
//!
//! A full disk, a quota, a read-only mount, too many open files and I/O errors are errors of their
//! kinds, change nothing, and end with their cause; a writer holds its accepted data and tries
//! again at the next call.
//!
//! # What an append costs
//!
//! Opening a writer to append copies the present content into the upload. On a file system
//! that shares blocks between files (Btrfs, XFS made with `reflink=1`) that takes the same short time
//! at any size, and no space. On others (ext4, tmpfs) each append reads and writes all of the content,
//! inside the kernel: a file that grows to N bytes in k appends of equal size writes N × (k + 1) / 2
//! bytes in all, and while an append is in progress the content is on the disk twice. Write a
//! large file in one upload, which may be resumed any number of times at no such cost.
//!
//! # Shutdown
//!
//! `shutdown` waits for operations in progress and keeps the accepted data of open writers. It does not
//! wait until the trash is empty: the disk space of files that were deleted last is freed after the root is opened
//! next.
//!
//! # Versions
//!
//! A version consists of a file's modification time, its inode and its size. The driver gives each commit its own
//! time, to the nanosecond: no two commits share a version, a rename keeps it, and it survives a restart. A file
//! that another program wrote has a version too. A change of it in place is not noticed if it keeps the size and
//! the time. After a restart no time is used again, even if the system's clock was set back meanwhile, unless it was
//! set back while the process ran.
//!
//! # Threads, descriptors, memory
//!
//! Work that may wait for a disk runs on the blocking threads of the runtime that opened the root. Cached bytes and
//! names are read without a thread. In a root on a tmpfs, a put of at most 64 KiB, a deletion, a rename and a touch of a
//! file need no thread either.
//!
//! - A working **thread** has at most five open descriptors. The runtime sets the number of threads
//!   (`max_blocking_threads`, 512 by default).
//! - An idle **writer** holds no descriptor and no thread. A writer holds at most 1 MiB in its queue, apart
//!   from the piece accepted last; a thread may be writing as much again.
//! - A **reader** holds one descriptor, and at most two pieces of 256 KiB, one ahead of its consumer
//!   (of cached bytes, one piece of 64 KiB). It reads the same file to the end, also if the file is renamed, replaced
//!   or deleted.
//! - A **listing** reads names in windows of 8 MiB (about 100,000 names of 64 bytes), sorted. Windows of 200 names or
//!   more are kept for the next listings and walks, as long as the directory does not change: of at most four
//!   directories, with 8 MiB of names together, or the one that was read last. Those that were not used for ten
//!   seconds are dropped when the next large directory is read. A **walk** holds a window for each directory on its path.
//!
//! One process opens a root at a time; others may open it [read-only](FilesystemBuilder::read_only). Operations on one
//! path wait for each other without a thread. The deletion or rename of a directory waits for all other changes, and
//! they wait for it, as long as a rename takes. The deletion of a directory first reads the names in it while other
//! changes continue; a rename to a longer path does so while they wait.
//!
//! The driver runs on Linux. On other systems, this crate has [`Durability`] alone.

#[cfg(target_os = "linux")]
mod builder;
#[cfg(target_os = "linux")]
mod clock;
#[cfg(target_os = "linux")]
mod driver;
mod durability;
#[cfg(target_os = "linux")]
mod error;
#[cfg(target_os = "linux")]
mod filesystem;
#[cfg(target_os = "linux")]
mod recovery;
#[cfg(target_os = "linux")]
mod root;
#[cfg(target_os = "linux")]
mod settings;
#[cfg(target_os = "linux")]
mod store;
#[cfg(target_os = "linux")]
mod sys;
#[cfg(all(test, target_os = "linux"))]
mod tests;
#[cfg(target_os = "linux")]
mod upload;

pub use crate::durability::{Durability, ParseDurabilityError};
#[cfg(target_os = "linux")]
pub use crate::{builder::FilesystemBuilder, filesystem::Filesystem};
