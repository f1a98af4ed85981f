//! `broken!` and `broken_drivers!`: drivers that are the [`Reference`] except for one method, and their tests.

pub(super) use std::time::Duration;

pub(super) use async_trait::async_trait;
pub(super) use bytes::Bytes;
pub(super) use storage_driver::{
    Capabilities, Content, Entry, Error, ErrorKind, Health, Layer, ListOptions, Metadata,
    Operation, Page, Path, Payload, Precondition, ReadRange, Reader, Result, Stat, StorageDriver,
    StorageDriverExt, UploadInfo, Version, Walk, WalkOptions, WalkSource, WriteMode, WriteSession,
    Writer, WriterOptions,
};
pub(super) use storage_driver_conformance::reference::Reference;

pub(super) use super::writer::*;

/// A broken driver: a layer around the [`Reference`], with state of its own if that is given, and the
/// methods of the layer that are wrong.
macro_rules! broken {
    ($(#[$doc:meta])* $name:ident $(($($field:ident: $type:ty),+))? { $($methods:tt)* }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(super) struct $name {
            inner: Reference,
            $($($field: $type),+)?
        }

        impl Layer for $name {
            type Inner = Reference;

            fn inner(&self) -> &Reference {
                &self.inner
            }

            $($methods)*
        }
    };
}

/// A test for each broken driver: its type, the name of its test, and the behaviours that it must fail.
macro_rules! broken_drivers {
    ($($broken:ident as $test:ident: [$($name:literal),+ $(,)?];)*) => {
        $(#[test]
        fn $test() {
            super::fails::<$broken>(&[$($name),+]);
        })*

        /// Prints all the behaviours that each broken driver fails.
        #[test]
        #[ignore = "runs the whole suite on each broken driver, which takes minutes"]
        fn the_whole_suite_on_each_broken_driver() {
            $(super::fails_some::<$broken>();)*
        }
    };
}

pub(super) use {broken, broken_drivers};

pub(super) fn path(text: &str) -> Path {
    Path::parse(text).expect("a path")
}
