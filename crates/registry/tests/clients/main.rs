//! The program with real clients: skopeo, umoci, buildah, podman, curl, Chromium, and the crate `oci-client`, on a
//! store in memory and on files.
//!
//! The tests of a client that is not installed are skipped, with a message. `REGISTRY_CLIENT_IMAGE_MIB` sets the size
//! of the large image.

mod support;

mod artifact;
mod browser;
#[cfg(feature = "bucket")]
mod bucket;
mod buildah;
mod containers;
mod download;
mod index;
#[cfg(feature = "bucket")]
mod operators;
#[cfg(feature = "bucket")]
mod outage;
mod podman;
mod skopeo;
mod transfer;
mod umoci;
mod upload;

/// A test per behaviour and store.
macro_rules! on_each_storage {
    ($($behaviour:ident),* $(,)?) => {
        mod in_memory {
            $(#[test]
            fn $behaviour() {
                super::$behaviour(crate::support::served::Storage::Memory);
            })*
        }

        mod on_files {
            $(#[test]
            fn $behaviour() {
                super::$behaviour(crate::support::served::Storage::Files);
            })*
        }
    };
}

use on_each_storage;
