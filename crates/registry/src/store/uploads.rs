//! Uploads in progress: begin, receive, finish, look up, cancel.
//!
//! A driver does not show uploaded content before it is committed, so the digest is computed as the bytes
//! pass. Its state is the note of the upload ([`Writer::set_note`](storage_driver::Writer::set_note)), which
//! the driver keeps together with the data: a request that continues an upload finds a note that belongs to
//! exactly the data that was kept.
//!
//! A note is missing, or of another algorithm, in rare cases: the client finishes with a digest of another
//! algorithm than it announced, or another registry began the upload. The upload is then finished by committing
//! it at its own path, which is visible to no client, and reading it.
//!
//! In that case the upload is *staged*: it is a file, and no longer in progress for the driver. A client
//! does not notice. It can look up the upload, finish it, and even send more, until the file is renamed to
//! the blob's path.
//!
//! # Many nodes
//!
//! Everything that a request needs to know of an upload is in the store, so that each request can go to another node. The
//! memory of a node has only `UploadSessions`, by which a request learns at once that a later one of the same node
//! continues its upload, and `OpenUploads`, a count for the limit. Without them, the driver's fence ends the earlier request
//! at its next sync, and the limit holds from the next count on.

pub(super) mod hashed;
mod lease;
pub(super) mod open_uploads;
mod publish;
mod requests;
pub(super) mod sessions;
pub(super) mod stale;
mod upload;

pub(crate) use self::upload::{Chunk, Upload, UploadError, UploadStatus};
