//! The contract: what every [`StorageDriver`](crate::StorageDriver) promises, clause by clause.
//!
//! This module contains documentation only. A clause has a number and an anchor, so that
//! `storage_driver::contract#5.7` is a link. The conformance suite has at least one named test for every
//! clause that a test can show. The reason for a clause follows it in italics where it is not obvious;
//! "peers" are CNCF distribution, GitLab's container registry, `object_store` and OpenDAL.
//!
//! The words: a *file* is committed content at a path. An *upload* is content that is being written and is
//! not committed. A *writer* is the handle on an upload. To *keep* data is to store it so that a later writer
//! can resume the upload. To *publish* is to make an upload visible as a file, which is what a *commit*
//! does. To *fence* a writer is to make all of its later operations fail.
//!
//! # 1. Paths
//!
//! A [`Path`](crate::Path) names a file, a directory or an upload.
//!
//! - <a id="1.1"></a>**1.1** A path is absolute: a sequence of components, each preceded by `/`. A component is
//!   1 to 255 bytes of `A-Z a-z 0-9 . _ -`. The whole path is at most 4,096 bytes. A driver with a smaller
//!   [`max_path_bytes`](crate::Capabilities::max_path_bytes) returns `InvalidPath` for longer paths.
//! - <a id="1.2"></a>**1.2** `.` and `..` are not components. *A peer's pattern accepts `/..`, and its file
//!   system driver then leaves its root.*
//! - <a id="1.3"></a>**1.3** The root, `/`, names the whole store. `stat`, `list`, `walk`, `uploads` and
//!   `cancel_uploads` accept it; every other operation returns `InvalidPath`.
//! - <a id="1.4"></a>**1.4** A path is parsed once, into a type that holds only valid paths. Drivers do not check
//!   the syntax again.
//! - <a id="1.5"></a>**1.5** Paths are ordered component by component: `/a`, `/a/z`, `/a-b`, `/a.b`. A walk visits
//!   them in this order.
//!
//! # 2. The namespace
//!
//! - <a id="2.1"></a>**2.1** A file is committed content of zero or more bytes, with a size, a modification time and
//!   a [`Version`](crate::Version): an opaque token that differs whenever the content differs. Under
//!   [`unique_versions`](crate::Capabilities::unique_versions), no two commits in the store share a version. A
//!   rename keeps the version, a copy gets a new one.
//! - <a id="2.2"></a>**2.2** A directory is implied: it exists exactly while a committed file lies below it. The root
//!   always exists. No operation shows an empty directory. *Peers differ from backend to backend.*
//! - <a id="2.3"></a>**2.3** No path is both a file and a directory. A commit at a path that is a directory, or below
//!   a path that is a file, returns `PathConflict` and changes nothing. Where a driver cannot detect this
//!   ([`rejects_conflicts`](crate::Capabilities::rejects_conflicts) not claimed), `stat` reports the file.
//! - <a id="2.4"></a>**2.4** Uploads are not in the namespace: `stat`, `list`, `walk`, `get_content` and `reader` see
//!   committed content only. *Peers show half-written files.*
//!
//! # 3. Whole content
//!
//! - <a id="3.1"></a>**3.1** [`put_content`](crate::StorageDriver::put_content) stores any content, and it is read
//!   back byte for byte: empty content, content that is not UTF-8, content of any size.
//! - <a id="3.2"></a>**3.2** [`get_content`](crate::StorageDriver::get_content) returns a
//!   [`Content`](crate::Content): the metadata that `stat` reports and the bytes in one or more parts, so that no
//!   contiguous allocation is needed. Content longer than the caller's limit fails with `ContentTooLarge` before
//!   any of it is allocated or moved. [`get_range`](crate::StorageDriver::get_range) does the same for a range.
//! - <a id="3.3"></a>**3.3** `put_content` is atomic: a reader sees the old content or the new content, never a mix, a
//!   prefix or nothing. A failed put leaves the old content. A put replaces the whole file.
//! - <a id="3.4"></a>**3.4** A put takes a [`Precondition`](crate::Precondition). If it does not hold, the put returns
//!   `PreconditionFailed` and changes nothing. `IfVersion` does not hold where there is no file. Of any number of
//!   concurrent `IfAbsent` puts, exactly one succeeds.
//!
//! # 4. Reading
//!
//! - <a id="4.1"></a>**4.1** [`reader`](crate::StorageDriver::reader) takes a [`ReadRange`](crate::ReadRange): the
//!   whole file, from an offset, a bounded range, or the last N bytes. An end past the content is clipped, as in
//!   HTTP. An offset equal to the size gives an empty stream; an offset past it, and a range whose start is past its
//!   own end, return `InvalidOffset`. The last 0 bytes are empty; more bytes than there are give the whole file.
//! - <a id="4.2"></a>**4.2** A [`Reader`](crate::Reader) reports the file that it reads (size, version, time) and how
//!   many bytes are left.
//! - <a id="4.3"></a>**4.3** A reader is a snapshot: it returns the content as it was when the reader was opened,
//!   whatever is put, renamed, appended or deleted meanwhile. A driver that cannot hold that fails the read with
//!   `ContentChanged`; it never returns a mix.
//! - <a id="4.4"></a>**4.4** A reader is a `Stream` of non-empty `Bytes`, and implements `AsyncRead` and
//!   `AsyncBufRead`. After its end it stays ended. After an error the stream stays ended and reads repeat the error.
//!   A stream that ends before its length is an error, never an early end.
//! - <a id="4.5"></a>**4.5** Readers of one file neither slow nor affect each other, and no reader waits for a writer.
//! - <a id="4.6"></a>**4.6** Reading a directory returns `IsADirectory`. Reading a path with nothing at it, or a path
//!   below a file, returns `PathNotFound`.
//!
//! # 5. Writing
//!
//! ```text
//! writer(path, Create | Resume | Append) ── write* ─┬─ commit ──────────────▶ visible at path
//!         ▲                                         ├─ commit_to(dest, if) ─▶ visible at dest
//!         └── Resume ◀── kept ◀── suspend, drop ────┤
//!                                                   └─ cancel ──────────────▶ removed
//! ```
//!
//! - <a id="5.1"></a>**5.1** Written data becomes visible on commit, all at once, and not before. Old content stays
//!   readable until then.
//! - <a id="5.2"></a>**5.2** `commit`, `commit_to`, `cancel` and `suspend` consume the [`Writer`](crate::Writer). Code
//!   that uses the writer afterwards does not compile.
//! - <a id="5.3"></a>**5.3** `Create` starts empty. It discards an earlier upload at the path and leaves the committed
//!   content.
//! - <a id="5.4"></a>**5.4** `Resume` continues the upload at the path, any number of times; `size` then reports what
//!   was kept. Without an upload it returns `PathNotFound`.
//! - <a id="5.5"></a>**5.5** `Append` extends committed content: the upload starts as that content, which stays visible
//!   until the commit. A commit to the same path implies `IfVersion` of the version that it started from. Without
//!   a file it returns `PathNotFound`, with an upload in progress `UploadInProgress`. A driver may share the old
//!   content or copy it, at the latest on commit.
//! - <a id="5.6"></a>**5.6** An opening that states an offset which is not where the upload stands returns
//!   `OffsetMismatch` with the true size and changes nothing; an open writer continues. *Peers: "upload
//!   resumed at wrong offset".*
//! - <a id="5.7"></a>**5.7** A path has one writer. Opening another fences the first: its next operation that reaches
//!   the backend, at the latest `sync`, `suspend`, `commit`, `commit_to` or `cancel`, returns `WriterFenced`; nothing
//!   that it sends joins the upload, and its cancel or drop does not affect its successor. `cancel_upload`,
//!   `delete` and `delete_dir` fence too; `rename`, `copy` and `put_content` leave uploads alone. *A client that reconnects must not
//!   wait for its dead connection.*
//! - <a id="5.8"></a>**5.8** `size` counts every accepted byte, resumed bytes included, exactly and at all times.
//! - <a id="5.9"></a>**5.9** `sync` and `suspend` keep everything accepted so far, as durably as the driver keeps
//!   committed content. A drop keeps at least what the last `sync` kept, and everything under
//!   [`keeps_on_drop`](crate::Capabilities::keeps_on_drop), where everything that a fenced writer had accepted before
//!   it was fenced is kept for its successor. Under [`durable`](crate::Capabilities::durable), kept data survives a
//!   crash of the process.
//! - <a id="5.10"></a>**5.10** A commit keeps first and publishes second. A commit that fails to publish
//!   (precondition, conflict, no room, backend) leaves the upload resumable with everything accepted. If the backend
//!   itself has lost accepted data, the writer returns an error that says so, and a resumed upload stands at what is
//!   really kept.
//! - <a id="5.11"></a>**5.11** `cancel` removes the upload and its data. The committed content at the path is
//!   untouched. A cancel is as durable as a deletion: after a power cut a cancelled upload may be back, and
//!   `uploads` then shows it. *A peer deletes the committed content.*
//! - <a id="5.12"></a>**5.12** `commit_to` publishes at another path, in one step under
//!   [`atomic_commit_to`](crate::Capabilities::atomic_commit_to), and otherwise never partially. Its precondition
//!   is on the destination. An upload at the destination, and the content at the writer's path, are left alone.
//! - <a id="5.13"></a>**5.13** A writer also implements `AsyncWrite` and `Sink<Bytes>`. There, a flush hands data to the
//!   driver and promises no durability, because callers flush often. Closing keeps everything and refuses further
//!   writes. Neither commits. A pending `poll_write` has accepted nothing.
//! - <a id="5.14"></a>**5.14** `write_bytes` waits while the driver cannot take more data. What one writer holds is bounded
//!   and documented. A dropped `write_bytes` has accepted all of its bytes or none.
//! - <a id="5.15"></a>**5.15** An opening may carry hints (size, ownership of buffers). Hints change no result.
//! - <a id="5.16"></a>**5.16** `uploads` lists the uploads at and below a path, in pages: path, time of creation, time
//!   of the last write, and the size where it is known for free. `cancel_upload` and `cancel_uploads` cancel without a
//!   writer; the latter cancels uploads that were last written at least the given time ago, so that zero means all.
//!   [`upload`](crate::StorageDriver::upload) reports one upload, always with its size and note, and never fences.
//! - <a id="5.17"></a>**5.17** An upload can have a [note](crate::Writer::set_note): up to 4 KiB of bytes that the caller
//!   sets for the data accepted so far. Data and note are kept as one: after `sync`, `suspend`, a drop or a crash, a
//!   resumed upload has the note that was set last before the moment whose data it has. `Create` and `Append` start
//!   without a note. A commit discards it. *A registry keeps the state of its digest there. A file next to the
//!   upload could be out of step with it.*
//! - <a id="5.18"></a>**5.18** [`create_upload`](crate::StorageDriver::create_upload) has the effect of opening a writer
//!   with `Create` and suspending it at once: it discards an earlier upload at the path, fences its writer, and keeps an
//!   empty upload without a note. *A registry begins an upload with one request, and receives its data with another.*
//!
//! # 6. Stat, list, walk
//!
//! - <a id="6.1"></a>**6.1** `stat` of a file reports its path, size, modification time and version; of a directory,
//!   its path and that it is a directory; of anything else, `PathNotFound`.
//! - <a id="6.2"></a>**6.2** `list` returns the direct children, files and directories, sorted by name, each with what
//!   `stat` would report where the backend knows that for free. A file returns `NotADirectory`, a path with nothing at
//!   it `PathNotFound`, an empty root an empty page.
//! - <a id="6.3"></a>**6.3** `list` takes a name to start after and a limit, so that a million children can be paged. No
//!   option is ever ignored.
//! - <a id="6.4"></a>**6.4** `walk` streams every file and directory below a path, depth first, each subtree together,
//!   the path itself left out. It can skip the directory that it just returned, and start after a path. Under
//!   [`ordered_walk`](crate::Capabilities::ordered_walk) it has the order of 1.5.
//! - <a id="6.5"></a>**6.5** `list` and `walk` return no entry twice, no entry that never existed during the call, and
//!   every entry that existed throughout. Entries that vanish meanwhile are skipped. Under
//!   [`snapshot_listing`](crate::Capabilities::snapshot_listing) they show the state at one moment.
//! - <a id="6.6"></a>**6.6** With [`names_only`](crate::ListOptions::names_only), `list` and `walk` may omit metadata,
//!   and may return a directory that turns out to be empty. *A registry lists ten thousand tags by their names.*
//! - <a id="6.7"></a>**6.7** [`file`](crate::StorageDriver::file) reports what `stat` reports of a file, and nothing for a
//!   directory, a path below a file, or a path with nothing at it. *An object store has to list what is below a path to
//!   tell a directory from nothing.*
//!
//! # 7. Rename, copy, delete, touch
//!
//! - <a id="7.1"></a>**7.1** `rename` moves a file and replaces a file at the destination, atomically under
//!   [`atomic_rename`](crate::Capabilities::atomic_rename). Its precondition is on the destination.
//! - <a id="7.2"></a>**7.2** `rename_dir` moves everything below a directory; contents and versions stay, and times under
//!   `atomic_rename`. The destination must not exist.
//! - <a id="7.3"></a>**7.3** A rename from a path with nothing at it returns `PathNotFound` with that path and leaves the
//!   destination alone. A rename onto a directory, below a file, or into itself returns `PathConflict`. A rename onto
//!   itself checks its precondition, changes nothing and succeeds. *Peers lose the tree in each of these cases.*
//! - <a id="7.4"></a>**7.4** `delete` removes a file and the upload at its path, or an upload alone; a directory returns
//!   `IsADirectory`. `delete_dir` removes a directory with everything below it, and the uploads at and below the path; a
//!   file returns `NotADirectory`. Deleting `/a` leaves `/ab`. If nothing is there, uploads included, both return
//!   `PathNotFound`, `delete` also under `IfVersion`. `IfAbsent` returns `Unsupported`. *A caller who deletes one
//!   object must not lose a tree.*
//! - <a id="7.5"></a>**7.5** `delete_many` deletes each path in order, as `delete` does, and is idempotent: a path with
//!   nothing at it is not an error. If it fails, the paths before may be deleted; under
//!   [`linearizable`](crate::Capabilities::linearizable), nothing is changed.
//! - <a id="7.6"></a>**7.6** `copy` of a file shares or copies its content, under the rules of 7.1, and leaves the
//!   source. A directory returns `IsADirectory`. A copy onto itself checks its precondition and changes nothing.
//! - <a id="7.7"></a>**7.7** `touch` gives a file a new version and modification time and leaves its content. It takes a
//!   precondition; `IfAbsent` returns `Unsupported`. *A garbage
//!   collector that deletes under `IfVersion` then never deletes content that a client was just told exists.*
//!
//! # 8. Errors
//!
//! - <a id="8.1"></a>**8.1** There is one [`Error`](crate::Error) type: a kind, the driver's name, the operation, the path,
//!   and the cause as `source`. Its text is one line and leaves the cause to `source`:
//!   `inmemory: get_content /a/b: path not found`.
//! - <a id="8.2"></a>**8.2** The kinds are those of [`ErrorKind`](crate::ErrorKind). Methods such as `is_not_found` are
//!   the conditions that callers branch on.
//! - <a id="8.3"></a>**8.3** An error that is converted to [`std::io::Error`] and back is the same error. An `io::Error`
//!   that becomes an `Error` keeps its kind and stays reachable as the source.
//! - <a id="8.4"></a>**8.4** Errors from readers and writers in mid-stream carry the same context.
//! - <a id="8.5"></a>**8.5** No input causes a panic, and no error is swallowed. An error about a driver's own files
//!   is never `PathNotFound`.
//! - <a id="8.6"></a>**8.6** Where several errors apply, an operation returns the first of: `InvalidPath`, `Unsupported`,
//!   `PathNotFound` (of the source), `IsADirectory` or `NotADirectory`, `UploadInProgress`, `PathConflict`,
//!   `PreconditionFailed`, `OffsetMismatch`, `StorageFull`.
//!
//! # 9. Cancellation and concurrency
//!
//! - <a id="9.1"></a>**9.1** A future may be dropped at any await point. An operation on one path then takes effect once
//!   or never. It may take effect after the drop, but before the next operation on that path, or on a directory above
//!   it, through the same driver. An operation on many paths may stop between paths, unless it claims to be atomic.
//!   Nothing leaks: leftovers can be listed or are removed.
//! - <a id="9.2"></a>**9.2** Under [`linearizable`](crate::Capabilities::linearizable), all operations are linearizable,
//!   those on several paths included.
//! - <a id="9.3"></a>**9.3** No lock that blocks a thread is held across an await. No operation takes longer because an
//!   unrelated file is large.
//! - <a id="9.4"></a>**9.4** `shutdown` waits for background work and releases locks. Afterwards every operation returns
//!   `Unavailable`.
//! - <a id="9.5"></a>**9.5** [`sweep`](crate::StorageDriver::sweep) removes what operations have left behind: data that
//!   nothing names any more, and what operations that were cut off have stored. It never removes what an operation can
//!   see or resume: files, and uploads in progress with all that was accepted. It can run at any time, any number of
//!   times at once. A reader that was opened earlier than the grace ago may fail with `ContentChanged` (4.3). A driver
//!   that leaves nothing behind has nothing to sweep.
//!
//! # 10. Capabilities
//!
//! - <a id="10.1"></a>**10.1** A driver reports what it can do in one [`Capabilities`](crate::Capabilities) value. An
//!   *operation* that is not claimed returns `Unsupported` and has no effect. A *guarantee* that is not claimed leaves the
//!   weaker wording of its clause, which the suite tests.
//! - <a id="10.2"></a>**10.2** The suite tests both what a driver claims and what it does not claim, and reports how many
//!   behaviours it tested and how many it left out.
//! - <a id="10.3"></a>**10.3** `redirect_url` returns a URL that a client can use directly, or `None` for this path.
//! - <a id="10.4"></a>**10.4** `health` reports cheaply whether the store can be read and written, and why not. A full
//!   store can be read. A store that works and is not safe to use as it is has warnings.
//! - <a id="10.5"></a>**10.5** Capabilities do not contradict each other: `linearizable` implies `atomic_rename`,
//!   `atomic_commit_to` and `snapshot_listing`. The suite refuses a driver whose capabilities do.
