//! The storage layer under a container or artifact registry: one trait, and a contract that every backend
//! keeps.
//!
//! ```
//! use storage_driver::{Path, Precondition, ReadRange, Result, StorageDriver, StorageDriverExt};
//!
//! async fn publish(driver: &dyn StorageDriver) -> Result<()> {
//!     let upload = Path::parse("/uploads/8f1c")?;
//!     let blob = Path::parse("/blobs/sha256/aa/data")?;
//!
//!     // Nothing of an upload is visible until it is committed.
//!     let mut writer = driver.create(&upload).await?;
//!     writer.write_bytes("some bytes, ").await?;
//!     writer.suspend().await?;
//!
//!     // Another task, or another process, continues it.
//!     let mut writer = driver.resume(&upload).await?;
//!     writer.write_bytes("and more").await?;
//!     writer.commit_to(&blob, Precondition::IfAbsent).await?;
//!
//!     let tail = driver.get_range(&blob, ReadRange::Suffix(4), 1024).await?;
//!     assert_eq!(tail.into_bytes(), "more");
//!     Ok(())
//! }
//! ```
//!
//! # The types
//!
//! | for | types |
//! |---|---|
//! | every caller | [`StorageDriver`], [`StorageDriverExt`], [`Path`], [`Error`] and [`ErrorKind`] |
//! | whole content | [`Payload`] (bytes in parts), [`Content`] (with [`Metadata`]), [`Precondition`], [`Version`] |
//! | streams | [`Reader`], [`ReadRange`], [`Writer`], [`WriterOptions`] |
//! | the namespace | [`Stat`], [`Entry`], [`Page`], [`Pages`], [`Walk`], [`UploadInfo`] |
//! | choosing a driver | [`Capabilities`], [`Health`] |
//! | operating a store | [`SweepOptions`], [`SweepReport`] |
//! | implementing a driver | [`WriteSession`], [`WalkSource`], the module `blocking` |
//! | changing a driver | [`Layer`] |
//!
//! # What holds
//!
//! - Every driver keeps the [`contract`]. The conformance suite tests a driver against it, clause by clause:
//!   `cargo test -p storage-driver-conformance`.
//! - An upload is invisible until it is committed, in one step, and can be resumed until then (clauses 5.1, 5.4).
//! - A dropped future leaves an operation done or not done (9.1).
//! - The crate needs no runtime, except with the feature `blocking`: from tokio it uses only the I/O traits.
//!   `cargo tree -p storage-driver -e normal` shows its seven direct dependencies.
//!
//! [`cookbook`] has recipes, [`compare`] compares with `object_store`, OpenDAL and distribution's drivers.
//!
//! # Features
//!
//! - `blocking`: the module `blocking`, for drivers over a blocking API. Needs a tokio runtime.
//! - `serde`: `Serialize` and `Deserialize` for the types that callers store or print: [`Path`], [`Version`],
//!   [`Metadata`], [`Stat`], [`Entry`], [`UploadInfo`], [`ReadRange`], [`Operation`], [`Capabilities`].
//!
//! # Public dependencies
//!
//! The API uses types and traits of `async-trait`, `bytes`, `futures-core`, `futures-sink` and tokio's `io` module.
//! They are re-exported, so that an implementation can use the same versions.
//!
//! # Origin
//!
//! The storage drivers of CNCF distribution and of GitLab's container registry (the interface, and a decade of
//! bug reports), Apache `object_store`, and OpenDAL.

#[cfg(feature = "blocking")]
pub mod blocking;
mod capabilities;
#[doc = include_str!("../COMPARE.md")]
pub mod compare {}
mod content;
pub mod contract;
#[doc = include_str!("../COOKBOOK.md")]
pub mod cookbook {}
mod copy;
mod driver;
mod error;
mod ext;
mod health;
mod layer;
mod list;
mod metadata;
mod operation;
mod pages;
mod path;
pub mod payload;
mod range;
mod reader;
mod redirect;
mod sweep;
mod upload_info;
mod version;
mod walk;
mod writer;

#[doc(no_inline)]
pub use {async_trait::async_trait, bytes, futures_core, futures_sink, tokio};

pub use capabilities::Capabilities;
pub use content::Content;
pub use driver::StorageDriver;
pub use error::{Error, ErrorKind, Result};
pub use ext::StorageDriverExt;
pub use health::Health;
pub use layer::Layer;
pub use list::{ListOptions, Page};
pub use metadata::{Entry, Metadata, Stat};
pub use operation::Operation;
pub use pages::Pages;
pub use path::{ParsePathError, Path};
#[doc(inline)]
pub use payload::Payload;
pub use range::ReadRange;
pub use reader::Reader;
pub use redirect::RedirectMethod;
pub use sweep::{SweepOptions, SweepReport};
pub use upload_info::UploadInfo;
pub use version::{Precondition, Version};
pub use walk::{Walk, WalkOptions, WalkSource};
pub use writer::{WriteMode, WriteSession, Writer, WriterOptions};
