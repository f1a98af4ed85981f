//! The content of a registry on a driver, without HTTP. [`Store`] is its type, [`Error`] the type of its errors.
//!
//! A module imports only modules that are listed above it:
//!
//! ```text
//! error    source    files    media_type    json    keyed    throttle   clock
//! budget   cache     manifest  conditions   uploads::{sessions, open_uploads}
//! base                                       the type `Store`: links, and content that is held
//! blobs    catalog
//! uploads::{lease, publish, requests, stale}
//! manifests
//! pull     tags      referrers
//! conditional        push
//! deletions
//! collect
//! ```

mod base;
mod blobs;
mod budget;
mod cache;
mod catalog;
mod clock;
pub(crate) mod collect;
mod conditional;
pub(crate) mod conditions;
mod deletions;
mod error;
mod files;
mod json;
mod keyed;
pub(crate) mod manifest;
mod manifests;
mod media_type;
mod pull;
mod push;
mod referrers;
mod source;
mod tags;
mod throttle;
mod uploads;

pub(crate) use self::{
    base::Store,
    budget::Reservation,
    error::{Error, Result},
    pull::Pull,
    referrers::Referrers,
    source::{Source, SourceError},
    uploads::{Chunk, Upload, UploadError, UploadStatus},
};
