//! `Stat`, `Entry`, `UploadInfo` and `Health`: what is known of a file, a directory, an upload, a store.

use std::time::{Duration, SystemTime};

use storage_driver::{Entry, Error, ErrorKind, Health, Metadata, Path, Stat, UploadInfo, Version};

fn path() -> Path {
    Path::parse("/a/b").unwrap()
}

fn metadata() -> Metadata {
    Metadata::new(path(), 7, SystemTime::UNIX_EPOCH, Version::from(1))
}

#[test]
fn a_stat_of_a_file_is_its_metadata() {
    let stat = Stat::File(metadata());
    assert!(stat.is_file() && !stat.is_dir());
    assert_eq!(stat.path(), &path());
    assert_eq!(stat.into_file().unwrap(), metadata());
}

#[test]
fn a_stat_of_a_directory_is_no_file() {
    let stat = Stat::Directory(path());
    assert!(stat.is_dir() && !stat.is_file());
    assert_eq!(stat.path(), &path());
    let error = stat.into_file().unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::IsADirectory, Some(&path())));
}

#[test]
fn an_entry_of_a_file_has_metadata_where_it_is_free() {
    let (known, bare) = (Entry::file(metadata()), Entry::bare_file(path()));
    for entry in [&known, &bare] {
        assert!(entry.is_file() && !entry.is_dir());
        assert_eq!((entry.path(), entry.name()), (&path(), "b"));
    }
    assert_eq!(known.metadata(), Some(&metadata()));
    assert_eq!(bare.metadata(), None);
}

#[test]
fn an_entry_of_a_directory_has_no_metadata() {
    let entry = Entry::directory(path());
    assert!(entry.is_dir() && !entry.is_file());
    assert_eq!((entry.path(), entry.name()), (&path(), "b"));
    assert_eq!(entry.metadata(), None);
}

#[test]
fn a_stat_turns_into_an_entry() {
    assert_eq!(Entry::from(Stat::File(metadata())), Entry::file(metadata()));
    assert_eq!(Entry::from(Stat::Directory(path())), Entry::directory(path()));
}

#[test]
fn an_upload_has_the_fields_it_was_made_with() {
    let started = SystemTime::UNIX_EPOCH;
    let written = started + Duration::from_secs(1);
    let upload = UploadInfo::new(path(), started, written, Some(7));
    assert_eq!((upload.created, upload.modified, upload.size), (started, written, Some(7)));
    assert_eq!(AsRef::<Path>::as_ref(&upload), &path());
}

#[test]
fn a_store_is_healthy_if_it_can_be_read_and_written() {
    let failed = || Err(Error::new(ErrorKind::Unavailable));
    assert!(Health::ok().is_healthy());
    assert!(!Health::new(Ok(()), failed()).is_healthy());
    assert!(!Health::new(failed(), Ok(())).is_healthy());
}

#[test]
fn an_unavailable_store_has_one_error_for_both() {
    let health = Health::unavailable(Error::new(ErrorKind::Timeout));
    assert!(!health.is_healthy());
    assert_eq!(health.read.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(health.write.unwrap_err().kind(), ErrorKind::Timeout);
}

#[cfg(feature = "serde")]
mod serde {
    use storage_driver::{Capabilities, Operation, ReadRange, UploadInfo};

    use super::*;

    fn comes_back<T>(value: T, json: &str)
    where
        T: ::serde::Serialize + ::serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
    {
        let text = serde_json::to_string(&value).unwrap();
        assert!(text.contains(json), "{text}");
        assert_eq!(serde_json::from_str::<T>(&text).unwrap(), value);
    }

    #[test]
    fn stored_and_printed_types_can_be_serialized() {
        let path = Path::parse("/a/b").unwrap();
        let now = SystemTime::UNIX_EPOCH;
        let metadata = Metadata::new(path.clone(), 7, now, Version::from(1));
        comes_back(metadata.clone(), r#""path":"/a/b","size":7"#);
        comes_back(Stat::File(metadata.clone()), r#"{"file":{"#);
        comes_back(Stat::Directory(path.clone()), r#"{"directory":"/a/b"}"#);
        comes_back(Entry::file(metadata), r#"{"file":{"#);
        comes_back(Entry::bare_file(path.clone()), r#"{"bare_file":"/a/b"}"#);
        comes_back(UploadInfo::new(path, now, now, Some(7)).with_note("x".into()), r#""size":7"#);
        comes_back(Operation::GetContent, r#""get_content""#);
        comes_back(ReadRange::Suffix(7), r#"{"suffix":7}"#);
        comes_back(Capabilities::none(), r#""append":false"#);
    }
}
