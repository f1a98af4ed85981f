//! Files and directories, and the store as a whole.

use super::*;

#[test]
fn one_of_three_puts_if_absent() {
    check(|| {
        let store = InMemory::new();
        let put = |text: &'static str| {
            let store = store.clone();
            let absent = Precondition::IfAbsent;
            run(move || now(store.put_content(&path("/dir/a"), text.into(), absent)).map(|_| text))
        };
        let results = [put("one"), put("two"), put("three")].map(join);
        let winners: Vec<_> = results.iter().flatten().collect();
        assert_eq!(winners.len(), 1);
        assert_eq!(read(&store, "/dir/a").unwrap(), *winners[0]);
        for result in results.iter().filter(|result| result.is_err()) {
            assert_eq!(error_kind(result), Some(ErrorKind::PreconditionFailed));
        }
        nothing_is_held(store);
    });
}

#[test]
fn one_of_a_put_a_commit_and_a_copy_of_a_version() {
    check(|| {
        let store = InMemory::new();
        put(&store, "/b", "copied");
        let version: Version = put(&store, "/a", "old").version;
        let condition = || Precondition::IfVersion(version.clone());
        let writer = uploading(&store, "/u", "committed");
        let (putter, copier) = (store.clone(), store.clone());
        let (first, second, third) = (condition(), condition(), condition());
        let threads = [
            run(move || now(putter.put_content(&path("/a"), "put".into(), first))),
            run(move || now(writer.commit_to(&path("/a"), second))),
            run(move || now(copier.copy(&path("/b"), &path("/a"), third))),
        ];
        let won = threads.map(join).map(|result| result.is_ok());
        let content = read(&store, "/a").unwrap();
        assert_eq!(won, ["put", "committed", "copied"].map(|text| content == text));
        assert_eq!(uploads(&store).is_empty(), won[1]);
        nothing_is_held(store);
    });
}

#[test]
fn a_directory_is_renamed_at_one_moment() {
    check(|| {
        let store = InMemory::new();
        put(&store, "/a/one", "x");
        let (renamer, putter, lister) = (store.clone(), store.clone(), store.clone());
        let rename = run(move || now(renamer.rename_dir(&path("/a"), &path("/b"))));
        let put = run(move || drop(put(&putter, "/a/two", "x")));
        let seen = run(move || {
            let page = now(lister.list(&Path::root(), ListOptions::new())).unwrap();
            (page.items.len(), walk(&lister))
        });
        join(rename).unwrap();
        join(put);
        let (listed, walked) = join(seen);
        assert!((1..=2).contains(&listed));
        let ones = walked.iter().filter(|at| at.ends_with("/one")).count();
        assert_eq!(ones, 1, "{walked:?}");
        let left = walk(&store);
        let moved = ["/b", "/b/one", "/b/two"];
        let put_later = ["/a", "/a/two", "/b", "/b/one"];
        assert!(left == moved || left == put_later, "{left:?}");
        nothing_is_held(store);
    });
}

#[test]
fn a_shutdown_during_every_operation() {
    check(|| {
        let store = InMemory::new();
        put(&store, "/a", "old");
        let mut writer = uploading(&store, "/u", "x");
        let reader = now(store.reader(&path("/a"), ReadRange::Full)).unwrap();
        let (closer, user, other) = (store.clone(), store.clone(), store.clone());
        let shutdown = run(move || {
            now(closer.shutdown()).unwrap();
            let after = now(closer.stat(&Path::root()));
            assert_eq!(error_kind(&after), Some(ErrorKind::Unavailable));
        });
        let write = run(move || {
            let written = now(writer.write_bytes("y"));
            vec![error_kind(&written), error_kind(&now(writer.commit()))]
        });
        let call = run(move || {
            vec![
                error_kind(&now(user.put(&path("/b"), "x"))),
                error_kind(&now(user.touch(&path("/a"), Precondition::None))),
                error_kind(&now(user.append(&path("/a"))).map(drop)),
                error_kind(&now(other.cancel_upload(&path("/a")))),
                error_kind(&delete(&user, "/a")),
            ]
        });
        join(shutdown);
        for kinds in [join(write), join(call)] {
            let closed = Some(ErrorKind::Unavailable);
            let cut = kinds.iter().position(|kind| *kind == closed).unwrap_or(kinds.len());
            assert!(kinds[..cut].iter().all(|kind| kind.is_none()), "{kinds:?}");
            assert!(kinds[cut..].iter().all(|kind| *kind == closed), "{kinds:?}");
        }
        let read = now(reader.into_content(u64::MAX)).unwrap();
        assert_eq!(read.into_bytes(), "old");
        assert_eq!(store.usage().held(), 0);
    });
}

#[test]
fn a_fork_and_a_put() {
    check(|| {
        let store = InMemory::new();
        put(&store, "/dir/a", "old");
        let (forker, putter) = (store.clone(), store.clone());
        let fork = run(move || forker.fork());
        let puts = run(move || {
            put(&putter, "/dir/a", "new");
            put(&putter, "/dir/b", "new");
        });
        let fork = join(fork);
        join(puts);
        let seen = (read(&fork, "/dir/a").unwrap(), read(&fork, "/dir/b"));
        assert!(seen.0 == "new" || seen.1.is_none(), "the second is not without the first");
        let writer = run(move || drop(put(&fork, "/dir/c", "forked")));
        put(&store, "/dir/c", "stored");
        join(writer);
        assert_eq!(read(&store, "/dir/c").unwrap(), "stored");
        nothing_is_held(store);
    });
}

#[test]
fn a_reader_is_opened_while_the_file_is_replaced() {
    check(|| {
        let store = InMemory::new();
        put(&store, "/a", vec![1; 20_000]);
        let (reader, putter) = (store.clone(), store.clone());
        let read = run(move || {
            let reader = now(reader.reader(&path("/a"), ReadRange::Full)).unwrap();
            let size = reader.metadata().size;
            let bytes = now(reader.into_content(u64::MAX)).unwrap().into_bytes();
            assert_eq!(bytes.len() as u64, size);
            bytes
        });
        let replace = run(move || {
            put(&putter, "/a", vec![2; 10_000]);
            now(appending(&putter, "/a", vec![2; 5000]).commit()).unwrap();
        });
        let bytes = join(read);
        join(replace);
        let same = |byte| bytes.iter().all(|b| *b == byte);
        let one = (bytes.len() == 20_000 && same(1))
            || ([10_000, 15_000].contains(&bytes.len()) && same(2));
        assert!(one, "a mix of {} bytes", bytes.len());
        drop(bytes);
        nothing_is_held(store);
    });
}
