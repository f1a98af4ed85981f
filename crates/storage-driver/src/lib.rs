//! The storage layer under a container or artifact registry: a contract that every backend keeps.
//!
//! A [`StorageDriver`] stores files at [`Path`]s. Content is read whole ([`Content`]) or streamed
//! ([`Reader`]), put whole, or uploaded through a resumable [`Writer`], of which nothing is visible
//! until it is committed. The [`contract`] states what every driver promises, clause by clause; the
//! `conformance` crate tests a driver against it; the `inmemory` crate is a driver.
//! [`compare`] says how this differs from `object_store`, OpenDAL and distribution's drivers.
//!
//! ```
//! use storage_driver::{Path, Precondition, ReadRange, Result, StorageDriver, StorageDriverExt};
//!
//! async fn publish(driver: &dyn StorageDriver) -> Result<()> {
//!     let session = Path::parse("/uploads/8f1c")?;
//!     let blob = Path::parse("/blobs/sha256/aa/data")?;
//!
//!     let mut writer = driver.create(&session).await?;
//!     writer.write_bytes("some bytes, ").await?;
//!     writer.write_bytes("and more").await?;
//!     writer.commit_to(&blob, Precondition::IfAbsent).await?;
//!
//!     let tail = driver.get_range(&blob, ReadRange::Suffix(4), 1024).await?;
//!     assert_eq!(tail.into_bytes(), "more");
//!     Ok(())
//! }
//! ```
//!
//! Where it comes from: the storage drivers of CNCF distribution and of GitLab's container registry
//! (the interface, and a decade of bug reports), Apache `object_store`, and OpenDAL.
//!
//! # Features
//!
//! - `serde`: [`Path`] and [`Version`] as strings.
//!
//! The crate needs no runtime: of tokio it uses the I/O traits alone.

mod capabilities;
#[doc = include_str!("../COMPARE.md")]
pub mod compare {}
mod content;
pub mod contract;
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
mod upload_info;
mod version;
mod walk;
mod writer;

pub use capabilities::Capabilities;
pub use content::Content;
pub use driver::{RedirectMethod, StorageDriver};
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
pub use upload_info::UploadInfo;
pub use version::{Precondition, Version};
pub use walk::{Walk, WalkOptions, WalkSource};
pub use writer::{WriteMode, WriteSession, Writer, WriterOptions};
