//! Notes: bytes that are kept with the data of an upload.

use bytes::Bytes;
use futures::executor::block_on;
use inmemory::InMemory;
use storage_driver::{ErrorKind, Precondition, StorageDriver, StorageDriverExt, Writer};

use crate::support::{KIB, in_use, kind, path, put};

#[test]
fn a_resumed_writer_has_the_note() {
    block_on(async {
        let (store, at) = (InMemory::new(), path("/a"));
        let mut writer = store.create(&at).await.unwrap();
        writer.write_bytes("123").await.unwrap();
        writer.set_note("three").unwrap();
        // Kept on a drop.
        drop(writer);
        let mut writer = store.resume(&at).await.unwrap();
        assert_eq!((writer.size(), writer.note()), (3, &Bytes::from("three")));
        writer.set_note("").unwrap();
        writer.suspend().await.unwrap();
        assert_eq!(store.resume(&at).await.unwrap().note(), "");
    });
}

#[test]
fn the_note_of_a_fenced_writer_is_kept_for_its_successor() {
    block_on(async {
        let (store, at) = (InMemory::new(), path("/a"));
        let mut fenced = store.create(&at).await.unwrap();
        fenced.set_note("one").unwrap();
        let mut writer = store.resume(&at).await.unwrap();
        assert_eq!(writer.note(), "one");
        assert_eq!(kind(fenced.set_note("two")), ErrorKind::WriterFenced);
        assert_eq!(fenced.note(), "one");
        writer.sync().await.unwrap();
        assert_eq!(store.upload(&at).await.unwrap().unwrap().note, Some(Bytes::from("one")));
    });
}

#[test]
fn an_upload_that_is_created_or_appended_starts_without_a_note() {
    block_on(async {
        let (store, at) = (InMemory::new(), path("/a"));
        store.create(&at).await.unwrap().set_note("old").unwrap();
        assert_eq!(store.create(&at).await.unwrap().note(), "");
        let mut writer = store.resume(&at).await.unwrap();
        writer.set_note("committed").unwrap();
        writer.commit().await.unwrap();
        assert_eq!(store.append(&at).await.unwrap().note(), "");
        assert_eq!(store.upload(&at).await.unwrap().unwrap().note, Some(Bytes::new()));
    });
}

#[test]
fn a_note_takes_its_length_of_the_uploads() {
    block_on(async {
        let (store, at) = (InMemory::new(), path("/a"));
        let mut writer = store.create(&at).await.unwrap();
        let without = in_use(&store);
        for length in [100, Writer::MAX_NOTE, 1, 0] {
            writer.set_note(vec![7; length]).unwrap();
            let mut expected = without;
            expected.uploads += length as u64;
            assert_eq!(in_use(&store), expected);
        }
    });
}

#[test]
fn a_note_is_a_copy_that_pins_no_buffer() {
    block_on(async {
        let (store, at) = (InMemory::new(), path("/a"));
        let mut writer = store.create(&at).await.unwrap();
        let buffer = Bytes::from(vec![7; 1024 * KIB]);
        writer.set_note(buffer.slice(5..10)).unwrap();
        drop(writer);
        assert!(buffer.is_unique());
    });
}

#[test]
fn a_note_ends_with_its_upload() {
    block_on(async {
        for end in ["commit", "cancel", "cancel_upload", "delete", "delete_dir", "create", "all"] {
            let (store, at) = (InMemory::new(), path("/dir/a"));
            let mut writer = store.create(&at).await.unwrap();
            writer.set_note(vec![7; 4 * KIB]).unwrap();
            // A fenced writer holds the upload, and keeps nothing of its note.
            let fenced = writer;
            let writer = store.resume(&at).await.unwrap();
            match end {
                "commit" => drop(writer.commit().await.unwrap()),
                "cancel" => writer.cancel().await.unwrap(),
                "cancel_upload" => store.cancel_upload(&at).await.unwrap(),
                "delete" => store.delete(&at, Precondition::None).await.unwrap(),
                "delete_dir" => store.delete_dir(&path("/dir")).await.unwrap(),
                "create" => drop(store.create(&at).await.unwrap()),
                _ => store.shutdown().await.unwrap(),
            }
            assert_eq!(store.usage().uploads, 0, "{end}");
            drop(fenced);
        }
    });
}

#[test]
fn a_note_that_is_too_long_leaves_the_old_one() {
    block_on(async {
        let (store, at) = (InMemory::new(), path("/a"));
        let mut writer = store.create(&at).await.unwrap();
        writer.set_note("old").unwrap();
        let too_large = ErrorKind::ContentTooLarge { size: 4097, limit: 4096 };
        assert_eq!(kind(writer.set_note(vec![7; 4097])), too_large);
        assert_eq!(writer.note(), "old");
    });
}

#[test]
fn a_note_without_room_leaves_the_old_one_and_the_data() {
    block_on(async {
        let store = InMemory::builder().capacity(20_000).build();
        let at = path("/a");
        let mut writer = store.create(&at).await.unwrap();
        writer.write_bytes("data").await.unwrap();
        writer.set_note("old").unwrap();
        let left = store.capacity().unwrap() - store.usage().held();
        put(&store, "/b", vec![7; left as usize - 1000]).await;
        let full = kind(writer.set_note(vec![7; 4 * KIB]));
        assert!(matches!(full, ErrorKind::StorageFull { .. }), "{full:?}");
        assert_eq!(writer.note(), "old");
        // One of the same length needs no room.
        writer.set_note("new").unwrap();
        let upload = store.upload(&at).await.unwrap().unwrap();
        assert_eq!((upload.size, upload.note), (Some(4), Some(Bytes::from("new"))));
        store.delete(&path("/b"), Precondition::None).await.unwrap();
        writer.set_note(vec![7; 4 * KIB]).unwrap();
    });
}

#[test]
fn a_fork_has_no_note() {
    block_on(async {
        let (store, at) = (InMemory::new(), path("/a"));
        store.create(&at).await.unwrap().set_note("note").unwrap();
        let fork = store.fork();
        assert_eq!(fork.upload(&at).await.unwrap(), None);
        assert_eq!(store.upload(&at).await.unwrap().unwrap().note, Some(Bytes::from("note")));
    });
}
