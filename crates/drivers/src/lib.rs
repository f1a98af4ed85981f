//! Opens a storage driver from a URL, such as the value of a flag or of a line of configuration.
//!
//! | URL | driver |
//! |---|---|
//! | `inmemory:` | [`inmemory`], without a limit on its memory |
//! | `inmemory:?capacity=1GiB` | the same, with a limit on its memory: a [`ByteSize`] |
//! | `file:///srv/registry` | `filesystem` on this directory, which is made if it is not there; Linux only |
//! | `file:///srv/registry?durability=data` | the same, with another [`Durability`] than `full` |
//! | `s3://bucket/prefix?endpoint=https://host&region=eu-central-1` | a bucket of S3, or of a server that speaks its protocol; feature `bucket`, experimental |
//! | `gs://bucket/prefix`, `az://container/prefix?account=name` | a bucket of Google Cloud Storage, a container of Azure; feature `bucket`, experimental |
//! | `s3://bucket?memory=256MiB`, and `gs://`, `az://` | the same; all uploads and downloads together hold so much memory, 64 MiB unless given: a [`ByteSize`] |
//! | `s3://bucket?read_only=true`, and `gs://`, `az://` | the same, only read: nothing is written to the bucket |
//! | `bucket:memory` | a bucket in this process, for trying things; feature `bucket` |
//! | `file:///srv/registry?read_only=true` | the same, only read: no file is made, no lock is taken, the directory must exist |
//!
//! ```
//! # tokio_test::block_on(async {
//! use storage_driver_url::Location;
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
//! Credentials for a bucket come from the environment, as the `from_env` of `object_store`'s builders finds them:
//! `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, `GOOGLE_APPLICATION_CREDENTIALS`, `AZURE_STORAGE_ACCOUNT_KEY`, or
//! the metadata service of the cloud. A URL with credentials in it is refused.
//!
//! Settings that are not in the URL have the driver's default. For the methods of one driver, such as
//! [`InMemory::usage`](inmemory::InMemory::usage), call [`Location::open_in_memory`].

mod bucket;
mod byte_size;
mod error;
mod location;
mod parse;
mod root;

pub use crate::{
    bucket::{BucketLocation, Service},
    byte_size::{ByteSize, ParseByteSizeError},
    error::ParseLocationError,
    location::Location,
    root::Root,
};
pub use storage_driver_filesystem::{Durability, ParseDurabilityError};
