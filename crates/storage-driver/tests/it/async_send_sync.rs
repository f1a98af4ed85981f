//! What can be sent to and shared with another thread: checked by the compiler.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream::Empty;
use storage_driver::{
    Capabilities, Content, Entry, Error, Health, ListOptions, Metadata, Page, Pages,
    ParsePathError, Path, Payload, Precondition, ReadRange, Reader, Result, Stat, StorageDriver,
    StorageDriverExt, UploadInfo, Version, Walk, WalkOptions, Writer, WriterOptions,
    payload::{IntoIter, Iter},
};

fn send<T: Send + ?Sized>() {}
fn sync<T: Sync + ?Sized>() {}
fn unpin<T: Unpin + ?Sized>() {}
fn send_value<T: Send>(_: &T) {}

macro_rules! assert_all {
    ($($bound:ident),+: $($type:ty),+ $(,)?) => {{
        macro_rules! each { ($b:ident) => { $($b::<$type>();)+ } }
        $(each!($bound);)+
    }};
}

#[test]
fn values_can_be_sent_shared_and_moved() {
    assert_all!(send, sync, unpin:
        Capabilities, Content, Entry, Error, Health, IntoIter, Iter<'static>, ListOptions, Metadata,
        Page<Entry>,
        ParsePathError, Path, Payload, Precondition, ReadRange, Stat, UploadInfo, Version, WalkOptions,
        WriterOptions,
    );
}

#[test]
fn streams_can_be_sent_and_moved() {
    assert_all!(send, unpin: Reader, Writer, Walk<'static>, Pages<'static, Entry>);
}

#[test]
fn a_driver_can_be_sent_and_shared() {
    assert_all!(send, sync: dyn StorageDriver, Arc<dyn StorageDriver>, Box<dyn StorageDriver>);
}

/// Never called: that it compiles is the test.
#[expect(dead_code, reason = "the compiler is the one who reads it")]
async fn every_future_can_be_sent(
    driver: &dyn StorageDriver,
    path: &Path,
    mut reader: Reader,
    mut writer: Writer,
    source: Empty<Result<Bytes>>,
) {
    send_value(&driver.get_bytes(path, 1));
    send_value(&driver.put(path, "abc"));
    send_value(&driver.delete_many(&[]));
    send_value(&driver.exists(path));
    send_value(&reader.copy_to(tokio::io::sink()));
    send_value(&reader.into_content(1));
    send_value(&writer.write_bytes("abc"));
    send_value(&writer.write_stream(source));
    send_value(&writer.write_from(tokio::io::empty()));
    send_value(&writer.sync());
    send_value(&writer.commit_to(path, Precondition::None));
}
