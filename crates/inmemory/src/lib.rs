//! A storage driver in memory: linearizable, with exact accounting of memory.
//!
//! ```
//! # tokio_test::block_on(async {
//! use inmemory::InMemory;
//! use storage_driver::{Path, StorageDriverExt};
//!
//! let driver = InMemory::builder().capacity(256 << 20).build();
//! let path = Path::parse("/blobs/one")?;
//!
//! let mut writer = driver.create(&path).await?;
//! writer.write_bytes("not visible ").await?;
//! writer.write_bytes("before the commit").await?;
//! assert!(!driver.exists(&path).await?);
//! writer.commit().await?;
//!
//! assert_eq!(driver.get_bytes(&path, 1024).await?, "not visible before the commit");
//! assert_eq!(driver.usage().committed, 29);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! | type | what it is |
//! |---|---|
//! | [`InMemory`] | the driver; a clone is a handle to the same store, a [fork](InMemory::fork) a copy in constant time |
//! | [`InMemoryBuilder`] | its settings: name, capacity, pool, size of a segment, clock |
//! | [`Usage`] | the memory that it holds, by owner |
//!
//! Content is a sequence of segments, so that no blob, however large, needs one contiguous allocation or is
//! copied when it grows. Reads copy nothing. Readers, copies, appends and forks share segments. Memory has a
//! [capacity](InMemoryBuilder::capacity), and [`InMemory::usage`] reports what holds it.
//!
//! # Memory
//!
//! No allocation, for content or for any index over it, is larger than one
//! [segment](InMemoryBuilder::segment_size), whatever the size of a blob. Content of up to 4 KiB that is put as a
//! whole takes one slot of a slab for name, metadata and content (`cargo test -p inmemory --test memory`).
//!
//! A `Bytes` of at least 16 KiB that is written is **adopted**, without a copy, if it keeps hardly more memory
//! alive than it has bytes: if it is the only reference to its buffer and at most one part in 64 of that is
//! unused, or if the caller declares its buffers
//! [exclusive](storage_driver::WriterOptions::exclusive_buffers). Any other buffer is **copied** into segments: a
//! small slice of a big buffer never pins the buffer, and tiny pieces are packed. Bytes that are held are never
//! moved or changed again (`cargo test -p inmemory --test it adoption`).
//!
//! A commit moves references: its time does not depend on the size. An append shares the content of the file,
//! except for a last commit of up to 64 KiB, which the first write copies so that many small appends stay
//! compact.
//!
//! A note counts with its length, as content of its upload. `set_note` with no room for it fails with
//! `StorageFull` and leaves the old note; a note of the same length as the old one needs no room.
//!
//! Small files, and buffers of less than 256 KiB, are in slabs: pieces of 1 MiB that are mapped from the system and cut
//! into slots of one size. Larger buffers are mapped one by one. A put of at least 256 KiB is held in such buffers, and so
//! is an upload, except for its first 256 KiB, whose buffers grow from 4 KiB. An upload of at most 4 KiB takes as
//! much as a put of it. Adopted buffers are the allocator's, and so are the inner nodes of directories, and handles.
//!
//! Freed memory is kept for a moment, because memory that is used again is written several times faster than new
//! memory. What nothing needs for 0.4 s goes back to the system, at most a second after it was freed. A thread does
//! this, because it must happen also if no operation follows, and because unmapping a gigabyte would make an operation
//! wait for a tenth of a second. There is one for all stores of the process, which runs only while memory waits.
//! [`InMemory::trim`] gives memory back at once, and [`InMemoryBuilder::pool`] bounds what waits.
//!
//! A slab whose slots are all free goes back as a whole, and otherwise each page of it that holds nothing, once fewer than a
//! sixteenth of the free slots of that size change in 0.4 s: while many objects are deleted, their slabs wait. So a file of
//! a few bytes that is left of many can keep a page of 4 KiB, and never more than the pages that it touches
//! (`cargo test -p inmemory --test resident`). [`InMemory::usage`] counts content and index exactly in use, what
//! waits as [`pooled`](Usage::pooled), and free slots as [`slack`](Usage::slack).
//!
//! A reader holds the segments of its range that it has not returned yet, and no others.
//!
//! # Concurrency
//!
//! All operations are linearizable. Each takes effect in one short critical section, in which references
//! move, and at most 4 KiB of content, of a small file that is renamed, copied or touched. No lock is held across
//! an await, or while memory is freed. No runtime is needed.
//!
//! A writer never waits for room: a full store is an error, and the writer can continue when there is room. It
//! buffers nothing: the store counts the bytes as soon as `write_bytes` has accepted them.
//!
//! # Work in one poll
//!
//! No operation does more than about a millisecond of work in one poll, or under the store's lock; then it
//! wakes its task and returns `Pending`. *n* is the number of entries that the operation works on:
//!
//! | operation | work under the lock | longest poll |
//! |---|---|---|
//! | `stat`, `reader`, `touch`, `rename`, `copy`, `append` | O(log n) | O(log n) |
//! | `resume`, `upload`, `set_note` | O(log n) | O(log n), and 4 KiB of note copied; they wait while a writer of the upload copies the data of one `write_bytes` |
//! | `fork` | O(1) | O(1) |
//! | `get_content`, `get_range` | O(log n) | 1,000 segments |
//! | `put_content` | O(log n) | 1 MiB copied |
//! | `Writer::write_bytes` | none | a copy of the data of this call; the writer yields after each 1 MiB |
//! | `commit`, `cancel`, `cancel_upload`, `create` | O(log n) | 4,096 steps of freeing |
//! | `delete`, `delete_dir` | O(log n) | 4,096 steps of freeing |
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
//! A step frees 1 KiB of a segment, a quarter of a file, or a sixteenth of an upload, and takes about 0.1 µs. A
//! poll can exceed its steps by one segment (`cargo test -p inmemory --lib work`). Memory that a drop leaves is
//! reclaimed in parts of that size by later operations of the store and its forks, including `usage`, and before
//! the store refuses content for lack of room. Two drops free everything at once: the drop of the last handle of a
//! store and its forks, unless [`shutdown`](storage_driver::StorageDriver::shutdown) was called before, and the
//! drop of a `Content` or of `Bytes` that are the last to hold their segments.
//!
//! Measured with 100,000 files and uploads, or a directory of 1,000,000 files, no poll takes more than 2 ms of
//! CPU time (`cargo run --release -p benches --bin polls`). Two costs are not bounded by the store. A page or
//! content of many items is one vector, whose growth may copy the items that it has. And an allocator may put
//! off work: glibc merges and sorts freed blocks at a later call, all of them at once, which can take
//! 15 ms after 100,000 uploads are freed. The store allocates once after each part that it frees, so that glibc does
//! this work in parts too. It cannot do so for the arenas of other threads.
//!
//! A `delete_many` of more than 128 paths, `cancel_uploads`, and a `rename_dir` that has to measure are prepared in
//! parts and take effect at one moment. Operations that change the store do such parts first while one is under
//! way; reads do not wait. An operation that fails or is dropped before that moment changes nothing, and the
//! memory of its preparation is reclaimed like that of a drop. A page of more than 1,000 uploads shows the size
//! and last write of the later ones as they are when the page reaches them.
//!
//! # Limits
//!
//! Content is kept as long as the store: it is not `durable`. `list` and `walk` with
//! [`names_only`](storage_driver::ListOptions::names_only) leave out the metadata of files.

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
mod slab;
mod state;
mod store;
mod sync;
mod time;
mod tree;
mod upload;
mod uploads;
mod usage;
mod walk;
mod watcher;
mod work;

pub use builder::InMemoryBuilder;
pub use driver::InMemory;
pub use usage::Usage;
