//! The order of keys, and the keys at and below a path.

use super::*;

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

#[test]
fn keys_order_as_paths_do() {
    let texts = ["/", "/a", "/a/z", "/a/z/b", "/a-z", "/a.z", "/a0", "/aa", "/A", "/_", "/b"];
    let paths: Vec<Path> = texts.iter().map(|text| Path::parse(*text).unwrap()).collect();
    for a in &paths {
        for b in &paths {
            assert_eq!(key(a).cmp(&key(b)), a.cmp(b), "{a} and {b}");
        }
    }
}

#[test]
fn keys_at_and_under_a_path_end_before_its_sibling() {
    let inside = |of: &str, other: &str| {
        let (of, other) = (path(of), key(&path(other)));
        *other >= *key(&of) && end_of(&of).is_none_or(|end| *other < *end)
    };
    for other in ["/a", "/a/b", "/a/z/z", "/a/-"] {
        assert!(inside("/a", other), "{other}");
    }
    for other in ["/a-", "/a.b", "/aa", "/A", "/b", "/a0/b"] {
        assert!(!inside("/a", other), "{other}");
    }
    assert!(end_of(&Path::root()).is_none());
}
