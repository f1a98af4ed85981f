//! Opens a storage driver from a URL, so that a flag or a line of configuration says where content
//! is kept.
//!
//! | URL | driver |
//! |---|---|
//! | `inmemory:` | [`inmemory`], with no bound on its memory |
//! | `inmemory:?capacity=1GiB` | the same, which holds so many bytes at most: a [`ByteSize`] |
//! | `file:///srv/registry` | `filesystem` on this directory, which is made if it is not there; Linux only |
//! | `file:///srv/registry?durability=data` | the same, with another [`Durability`] than `full` |
//! | `file:///srv/registry?read_only=true` | the same, only read: no file is made, no lock is taken, the directory must exist |
//!
//! ```
//! # tokio_test::block_on(async {
//! use drivers::Location;
//! use storage_driver::{Path, StorageDriverExt};
//!
//! let location: Location = "inmemory:?capacity=64MiB".parse()?;
//! let driver = location.open().await?;
//!
//! let path = Path::parse("/blobs/one")?;
//! driver.put(&path, "content").await?;
//! assert!(driver.exists(&path).await?);
//! assert_eq!(location.to_string(), "inmemory:?capacity=64MiB");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! What a URL does not say has the default of the driver. What is special to one driver, such as
//! [`InMemory::usage`](inmemory::InMemory::usage), is for those who match on the [`Location`] and
//! build that driver themselves.

mod byte_size;
mod durability;
mod error;
mod location;
mod parse;
mod root;

pub use crate::{
    byte_size::{ByteSize, ParseByteSizeError},
    durability::{Durability, ParseDurabilityError},
    error::ParseLocationError,
    location::Location,
    root::Root,
};
