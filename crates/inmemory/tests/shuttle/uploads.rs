//! Uploads: their owners, and how they end.

use super::*;

#[test]
fn two_creators_fence_each_other() {
    check(|| {
        let store = InMemory::new();
        let upload = |digit: &'static str| {
            let store = store.clone();
            run(move || {
                let mut writer = now(store.create(&path("/a"))).unwrap();
                for _ in 0..2 {
                    now(writer.write_bytes(digit))?;
                }
                now(writer.commit())
            })
        };
        let (one, two) = (upload("1"), upload("2"));
        let (one, two) = (join(one), join(two));
        for result in [&one, &two] {
            assert!(matches!(error_kind(result), None | Some(ErrorKind::WriterFenced)));
        }
        let content = read(&store, "/a").expect("the later of the two was not fenced");
        let expected = match (&one, &two) {
            (Ok(one), Ok(two)) if one.version > two.version => "11",
            (Ok(_), Err(_)) => "11",
            _ => "22",
        };
        assert_eq!(content, expected);
        assert!(uploads(&store).is_empty());
        nothing_is_held(store);
    });
}

#[test]
fn two_resumers_fence_each_other() {
    check(|| {
        let store = InMemory::new();
        drop(uploading(&store, "/a", "0"));
        let resume = |digit: &'static str| {
            let store = store.clone();
            run(move || {
                let mut writer = now(store.resume(&path("/a")))?;
                now(writer.write_bytes(digit))?;
                // Whether it was written, independent of the commit.
                Ok(now(writer.commit()))
            })
        };
        let (one, two) = (resume("1"), resume("2"));
        let (one, two): (Result<_>, Result<_>) = (join(one), join(two));
        assert!(matches!(one, Ok(Ok(_))) || matches!(two, Ok(Ok(_))), "the later is not fenced");
        let content = read(&store, "/a").unwrap();
        let wrote = |digit| content.contains(digit);
        assert_eq!((wrote('0'), wrote('1'), wrote('2')), (true, one.is_ok(), two.is_ok()));
        assert_eq!(content.len(), 1 + usize::from(one.is_ok()) + usize::from(two.is_ok()));
        nothing_is_held(store);
    });
}

#[test]
fn data_of_a_fenced_writer_does_not_join_the_upload() {
    check(|| {
        let store = InMemory::new();
        let mut old = uploading(&store, "/a", "0");
        let (resumer, writer) = (store.clone(), run(move || now(old.write_bytes("old"))));
        let resumed = run(move || {
            let mut new = now(resumer.resume(&path("/a"))).unwrap();
            let size = new.size();
            now(new.write_bytes("new")).unwrap();
            now(new.commit()).unwrap();
            size
        });
        let (size, written) = (join(resumed), join(writer));
        let expected = if written.is_ok() { "0oldnew" } else { "0new" };
        assert_eq!(size, expected.len() as u64 - 3);
        assert_eq!(read(&store, "/a").unwrap(), expected);
        nothing_is_held(store);
    });
}

#[test]
fn a_commit_and_a_delete() {
    check(|| {
        let store = InMemory::new();
        put(&store, "/dir/a", "old");
        let writer = uploading(&store, "/dir/a", "new");
        let commit = run(move || now(writer.commit()));
        let other = store.clone();
        let deleted = run(move || delete_dir(&other, "/dir"));
        join(deleted).unwrap();
        let commit = join(commit);
        assert!(matches!(error_kind(&commit), None | Some(ErrorKind::WriterFenced)));
        // Deleted after the commit, or with the upload.
        assert!(walk(&store).is_empty() && uploads(&store).is_empty());
        nothing_is_held(store);
    });
}

#[test]
fn a_commit_and_a_cancel_of_the_upload() {
    check(|| {
        let store = InMemory::new();
        put(&store, "/a", "old");
        let writer = uploading(&store, "/a", "new");
        let commit = run(move || now(writer.commit()));
        let other = store.clone();
        let cancel = run(move || now(other.cancel_upload(&path("/a"))));
        let (commit, cancel) = (join(commit), join(cancel));
        let expected = match (error_kind(&commit), error_kind(&cancel)) {
            (None, Some(ErrorKind::PathNotFound)) => "new",
            (Some(ErrorKind::WriterFenced), None) => "old",
            kinds => panic!("{kinds:?}"),
        };
        assert_eq!(read(&store, "/a").unwrap(), expected);
        assert!(uploads(&store).is_empty());
        nothing_is_held(store);
    });
}

#[test]
fn a_commit_and_a_create() {
    check(|| {
        let store = InMemory::new();
        let writer = uploading(&store, "/a", "new");
        let commit = run(move || now(writer.commit()));
        let other = store.clone();
        let create = run(move || drop(now(other.create(&path("/a"))).unwrap()));
        let commit = join(commit);
        join(create);
        match error_kind(&commit) {
            None => assert_eq!(read(&store, "/a").unwrap(), "new"),
            Some(ErrorKind::WriterFenced) => assert_eq!(read(&store, "/a"), None),
            kind => panic!("{kind:?}"),
        }
        assert_eq!(uploads(&store), ["/a"]);
        nothing_is_held(store);
    });
}

#[test]
fn a_commit_and_a_resume() {
    check(|| {
        let store = InMemory::new();
        let writer = uploading(&store, "/a", "new");
        let commit = run(move || now(writer.commit()));
        let other = store.clone();
        let resume = run(move || now(other.resume(&path("/a"))));
        let (commit, resume) = (join(commit), join(resume));
        match (error_kind(&commit), error_kind(&resume)) {
            (None, Some(ErrorKind::PathNotFound)) => assert!(uploads(&store).is_empty()),
            (Some(ErrorKind::WriterFenced), None) => assert_eq!(uploads(&store), ["/a"]),
            kinds => panic!("{kinds:?}"),
        }
        drop(resume);
        nothing_is_held(store);
    });
}

#[test]
fn a_resume_while_the_upload_is_replaced() {
    check(|| {
        let store = InMemory::new();
        drop(uploading(&store, "/a", "first"));
        let other = store.clone();
        let replace = run(move || {
            now(other.cancel_upload(&path("/a"))).unwrap();
            let mut writer = now(other.create(&path("/a"))).unwrap();
            // Fenced, if the other thread resumes this one.
            let _ = now(writer.write_bytes("second one"));
        });
        let other = store.clone();
        let resume = run(move || now(other.resume(&path("/a"))).map(|writer| writer.size()));
        join(replace);
        match join(resume) {
            // Of the second at any moment after it was created.
            Ok(size) => assert!([5, 0, 10].contains(&size), "{size} bytes"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::PathNotFound),
        }
        nothing_is_held(store);
    });
}

#[test]
fn two_cancels() {
    check(|| {
        let store = InMemory::new();
        let writer = uploading(&store, "/a", "x");
        let cancel = run(move || now(writer.cancel()));
        let other = store.clone();
        let delete = run(move || delete(&other, "/a"));
        assert!(join(cancel).is_ok() != join(delete).is_ok(), "one has cancelled it");
        nothing_is_held(store);
    });
}

#[test]
fn a_write_and_a_cancel_of_the_upload() {
    check(|| {
        let store = InMemory::new();
        let mut writer = uploading(&store, "/a", vec![7; 20_000]);
        let other = store.clone();
        let write =
            run(move || (now(writer.write_bytes(vec![7; 20_000])), now(writer.write_bytes("x"))));
        let cancel = run(move || {
            now(other.cancel_upload(&path("/a"))).unwrap();
            assert_eq!(other.usage().uploads, 0, "nothing joins it after that");
        });
        join(cancel);
        let (first, second) = join(write);
        assert!(first.is_ok() || second.is_err(), "once fenced, always fenced");
        nothing_is_held(store);
    });
}

#[test]
fn uploads_are_listed_while_they_grow() {
    check(|| {
        let store = InMemory::new();
        let mut writer = uploading(&store, "/a", "12");
        let lister = store.clone();
        let write = run(move || {
            now(writer.write_bytes("345")).unwrap();
            now(writer.commit()).unwrap();
        });
        let list = run(move || {
            let page = now(lister.uploads(&Path::root(), ListOptions::new())).unwrap();
            page.items.iter().map(|upload| upload.size).collect::<Vec<_>>()
        });
        join(write);
        let sizes = join(list);
        assert!(sizes.iter().all(|size| [Some(2), Some(5)].contains(size)) && sizes.len() <= 1);
        nothing_is_held(store);
    });
}

#[test]
fn an_append_and_a_touch() {
    check(|| {
        let store = InMemory::new();
        put(&store, "/a", "old");
        let writer = appending(&store, "/a", " and new");
        let commit = run(move || now(writer.commit()));
        let other = store.clone();
        let touch = run(move || now(other.touch(&path("/a"), Precondition::None)).unwrap());
        let (commit, touched) = (join(commit), join(touch));
        let now = now(store.stat(&path("/a"))).unwrap().into_file().unwrap();
        match error_kind(&commit) {
            None => {
                assert_eq!(read(&store, "/a").unwrap(), "old and new");
                assert_eq!(now.version, touched.version, "touched after the commit");
            }
            Some(ErrorKind::PreconditionFailed) => {
                assert_eq!(read(&store, "/a").unwrap(), "old");
                assert_eq!(uploads(&store), ["/a"]);
            }
            kind => panic!("{kind:?}"),
        }
        nothing_is_held(store);
    });
}

#[test]
fn two_appends() {
    check(|| {
        let store = InMemory::new();
        put(&store, "/a", "0");
        let append = |digit: &'static str| {
            let store = store.clone();
            run(move || {
                let mut writer = now(store.append(&path("/a")))?;
                now(writer.write_bytes(digit))?;
                now(writer.commit())
            })
        };
        let threads = [append("1"), append("2")];
        let results = threads.map(join);
        for result in &results {
            assert!(matches!(error_kind(result), None | Some(ErrorKind::UploadInProgress)));
        }
        let succeeded = results.iter().filter(|result| result.is_ok()).count();
        assert!(succeeded > 0);
        assert_eq!(read(&store, "/a").unwrap().len(), 1 + succeeded);
        nothing_is_held(store);
    });
}

#[test]
fn a_note_is_shown_with_the_data_it_belongs_to() {
    check(|| {
        let store = InMemory::new();
        let mut writer = now(store.create(&path("/a"))).unwrap();
        let viewer = store.clone();
        let write = run(move || {
            for note in ["1", "2"] {
                now(writer.write_bytes("x")).unwrap();
                writer.set_note(note).unwrap();
            }
        });
        let view = run(move || {
            let upload = now(viewer.upload(&path("/a"))).unwrap().unwrap();
            (upload.size.unwrap(), upload.note.unwrap())
        });
        join(write);
        let (size, note) = join(view);
        let seen = (size, std::str::from_utf8(&note).unwrap());
        assert!([(0, ""), (1, ""), (1, "1"), (2, "1"), (2, "2")].contains(&seen), "{seen:?}");
        nothing_is_held(store);
    });
}

#[test]
fn a_note_and_a_resume() {
    check(|| {
        let store = InMemory::new();
        let mut fenced = uploading(&store, "/a", "x");
        fenced.set_note("old").unwrap();
        let resumer = store.clone();
        let set = run(move || fenced.set_note("new"));
        let resume = run(move || {
            let mut writer = now(resumer.resume(&path("/a"))).unwrap();
            let note = writer.note().clone();
            writer.set_note("mine").unwrap();
            note
        });
        let (set, note) = (join(set), join(resume));
        assert!(matches!(error_kind(&set), None | Some(ErrorKind::WriterFenced)));
        assert_eq!(note, if set.is_ok() { "new" } else { "old" });
        let upload = now(store.upload(&path("/a"))).unwrap().unwrap();
        assert_eq!(upload.note.unwrap(), "mine");
        nothing_is_held(store);
    });
}

#[test]
fn a_note_and_a_cancel_of_the_upload() {
    check(|| {
        let store = InMemory::new();
        let mut writer = uploading(&store, "/a", "x");
        let other = store.clone();
        let set = run(move || {
            let set = writer.set_note("note");
            assert!(matches!(error_kind(&set), None | Some(ErrorKind::WriterFenced)));
            writer
        });
        let cancel = run(move || {
            now(other.cancel_upload(&path("/a"))).unwrap();
            assert_eq!(other.usage().uploads, 0, "no note joins it after that");
        });
        join(cancel);
        // The writer that is fenced holds nothing.
        let writer = join(set);
        assert_eq!(store.usage().uploads, 0);
        drop(writer);
        nothing_is_held(store);
    });
}

#[test]
fn the_state_of_an_upload_and_a_commit() {
    check(|| {
        let store = InMemory::new();
        let mut writer = uploading(&store, "/a", "123");
        writer.set_note("note").unwrap();
        let viewer = store.clone();
        let commit = run(move || now(writer.commit()).unwrap());
        let view = run(move || now(viewer.upload(&path("/a"))).unwrap());
        join(commit);
        if let Some(upload) = join(view) {
            assert_eq!((upload.size, upload.note), (Some(3), Some(Bytes::from("note"))));
        }
        assert_eq!(now(store.upload(&path("/a"))).unwrap(), None);
        nothing_is_held(store);
    });
}
