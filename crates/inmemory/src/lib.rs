//! A storage driver in memory: linearizable, with exact accounting of memory.
//!
//! Content is a sequence of segments, so that no blob, however large, needs one contiguous
//! allocation or is copied when it grows. Reads copy nothing. Readers, copies, appends and forks
//! share segments. Memory has a [capacity](Builder::capacity), and [`InMemory::usage`] says what
//! holds it.
//!
//! ```
//! # tokio_test::block_on(async {
//! use inmemory::InMemory;
//! use storage_driver::{Path, StorageDriver, StorageDriverExt};
//!
//! let store = InMemory::new();
//! let path = Path::parse("/blobs/one")?;
//!
//! let mut writer = store.create(&path).await?;
//! writer.write_bytes("nobody sees this ").await?;
//! writer.write_bytes("before the commit").await?;
//! assert!(!store.exists(&path).await?);
//! writer.commit().await?;
//!
//! assert_eq!(store.get_bytes(&path, 1024).await?.len(), 34);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! # Memory
//!
//! No allocation, for content or for any index over it, is larger than one
//! [segment](Builder::segment_size), whatever the size of a blob. Content of up to 4 KiB that is put
//! whole takes no more than its file: one allocation for name, metadata and content.
//!
//! A `Bytes` of at least 16 KiB that is written is **taken over**, without a copy, if it keeps no
//! more memory alive than it shows: if nobody else holds its buffer and at most one part in 64 of
//! that is unused, or if the caller [vouches](storage_driver::WriterOptions::exclusive_buffers) for it.
//! Anything else is **copied** into segments: a small slice of a big buffer never pins the buffer,
//! and tiny pieces are packed. What is held is never touched again.
//!
//! A commit moves references: its time does not depend on the size. An append shares what the file
//! has, but for a last commit of up to 64 KiB, which the first write copies so that many small
//! appends stay compact.
//!
//! On Linux, buffers of at least 256 KiB are mapped from the system, and go back to it when the last
//! file, upload and reader lets go of them. These hold a put of that size, and an upload except its
//! first 256 KiB, whose buffers grow from 4 KiB. Everything else goes back to the allocator: smaller
//! buffers, names, and buffers taken over from the caller. An allocator may keep freed memory for later
//! allocations, so that a process can stay as large as the small files that it once held. A store
//! that is filled again with files of the same sizes uses that memory again; a test bounds the growth at
//! 2 %. [`InMemory::usage`] counts what the store holds, not what the allocator keeps.
//!
//! A reader holds the segments of its range that it has not given yet, and no others.
//!
//! # Concurrency
//!
//! All operations are linearizable. Each takes effect in one short critical section, in which
//! references move, and at most 4 KiB of content, of a small file that is renamed, copied or touched; no
//! lock is held across an await, or while memory is freed. No runtime is needed.
//!
//! A writer never waits for room: a full store is an error, and the writer can continue when there is
//! room. It holds nothing back: what one `write_bytes` accepted is in the store's count.
//!
//! # Work in one poll
//!
//! No operation does more than about a millisecond of work in one poll, or under the store's lock;
//! then it wakes its task and returns `Pending`. With *n* for what the operation works on:
//!
//! | operation | work under the lock | longest poll |
//! |---|---|---|
//! | `stat`, `reader`, `touch`, `rename`, `copy`, `resume`, `append` | O(log n) | O(log n) |
//! | `fork` | O(1) | O(1) |
//! | `get_content`, `get_range` | O(log n) | 1,000 segments |
//! | `put_content` | O(log n) | 1 MiB copied |
//! | `Writer::write_bytes` | none | a copy of the data of this call; the writer yields after each 1 MiB |
//! | `commit`, `cancel`, `cancel_upload`, `create` | O(log n) | 4,096 steps of freeing |
//! | `delete` of a file or a directory | O(log n) | 4,096 steps of freeing |
//! | `delete_many` | 128 paths | 128 paths, 4,096 steps of freeing |
//! | `cancel_uploads` | 1,000 uploads | 1,000 uploads, 4,096 steps of freeing |
//! | `rename_dir` | O(log n); 1,000 entries if the longest path below has to be measured | the same |
//! | `list` | O(log n) | 1,000 entries |
//! | `uploads` | 1,000 uploads | 1,000 uploads |
//! | `walk` | O(log n) | one entry, and a yield after each 1,000; 4,096 steps of freeing at the end |
//! | `shutdown` | O(1) | 4,096 steps of freeing |
//! | `usage` | none | 4,096 steps of freeing |
//! | `health` | none | O(1) |
//! | drop of a future, reader, walk or handle | O(log n) | 4,096 steps of freeing |
//!
//! A step frees 1 KiB of a segment, a quarter of a file, or a sixteenth of an upload, and takes about
//! 0.1 µs. A poll can exceed its steps by one segment. What a drop leaves is freed in parts of that
//! size by later operations of the store and its forks, `usage` included, and before the store refuses
//! content for lack of room. Two drops free everything at once: that of the last handle of a store and
//! its forks, unless [`shutdown`](storage_driver::StorageDriver::shutdown) came first, and that of a
//! `Content` or of `Bytes` that are the last to hold their segments.
//!
//! Measured with 100,000 files and uploads, or a directory of 1,000,000 files, no poll takes more than
//! 2 ms of CPU time. Two costs are not bounded by the store. A page or content of many items is one
//! vector, whose growth may copy the items that it has. And an allocator may put off work: glibc's
//! merges and sorts freed blocks at a later call, all of them at once, which can take 15 ms after
//! 100,000 uploads are freed. The store allocates once after each part that it frees, so that glibc
//! does this work in parts too. It cannot do so for the arenas of other threads: a poll that frees what
//! four threads have allocated has taken 4 ms.
//!
//! A `delete_many` of more than 128 paths, `cancel_uploads`, and a `rename_dir` that has to measure are
//! prepared in parts and take effect at one moment. Operations that change the store do such parts
//! first while one is under way; reads do not wait. Dropped before that moment, they change nothing.
//! A page of more than 1,000 uploads shows the size and last write of the later ones as they are when
//! the page reaches them.
//!
//! Content is kept as long as the store: it is not `durable`.

mod blob;
mod budget;
mod buffer;
mod builder;
mod deferred_drop;
mod dir;
mod driver;
mod file;
mod job;
mod map;
mod note;
mod operations;
mod reader;
mod reclaimer;
mod rope;
mod segment;
mod segment_builder;
mod session;
mod state;
mod store;
mod sync;
mod time;
mod tree;
mod upload;
mod uploads;
mod usage;
mod walk;
mod work;

pub use builder::InMemoryBuilder;
pub use driver::InMemory;
pub use usage::Usage;
