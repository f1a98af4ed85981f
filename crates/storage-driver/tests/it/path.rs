//! `Path`: clause 1 of the contract.

use std::collections::HashSet;

use proptest::prelude::*;
use storage_driver::{ErrorKind, ParsePathError, Path};

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

/// Paths of few and similar components, so that random ones often share a prefix.
fn any_path() -> impl Strategy<Value = Path> {
    let component = prop_oneof!["[-._ab0Z]{1,3}".prop_filter("dots", |c| c != "." && c != ".."),];
    proptest::collection::vec(component, 0..5)
        .prop_map(|components| path(&format!("/{}", components.join("/"))))
}

#[test]
fn every_valid_example_is_parsed_as_it_is() {
    let examples = "/ /a /2 /aa /a.a /0-9/abcdefg /abcdefg/z.75 /abc/1.2.3.4.5-6_zyx/123.z/4 \
                    /docker/docker-registry /123.abc /abc./abc /.abc /a--b /a-.b /_.abc \
                    /Docker/docker-registry /Abc/Cba /... /a..b /..a";
    for text in examples.split_whitespace() {
        assert_eq!(path(text).as_str(), text);
    }
}

#[test]
fn every_invalid_example_is_refused() {
    let examples = [
        "",
        "abc",
        "123.abc",
        "//bcd",
        "/abc_123/",
        "/a//b",
        "/.",
        "/..",
        "/a/../b",
        "/a/./b",
        "/a b",
        "/a%2fb",
        "/ä",
        "/a\\b",
        "/a\0",
        "/a\n",
        "//",
        "/ ",
        "/a:b",
        "/a@b",
        "/a`b",
        "/a[b",
        "/a{b",
    ];
    for text in examples {
        assert!(Path::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn every_byte_is_judged_alone() {
    for byte in 0..=0x7f_u8 {
        let text = format!("/a{}a", char::from(byte));
        let allowed = byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
        assert_eq!(Path::parse(&text).is_ok(), allowed, "0x{byte:02x}");
    }
}

#[test]
fn a_text_that_does_not_begin_with_a_slash_is_not_absolute() {
    assert_eq!(Path::parse(""), Err(ParsePathError::NotAbsolute));
    assert_eq!(Path::parse("a/b"), Err(ParsePathError::NotAbsolute));
}

#[test]
fn an_empty_component_is_named() {
    for text in ["//", "//a", "/a//b", "/a/"] {
        assert_eq!(Path::parse(text), Err(ParsePathError::EmptyComponent), "{text}");
    }
}

#[test]
fn dots_are_named() {
    for text in ["/.", "/..", "/a/.", "/a/../b", "/./a"] {
        assert_eq!(Path::parse(text), Err(ParsePathError::Dots), "{text}");
    }
}

#[test]
fn the_first_byte_that_is_not_allowed_is_named_with_its_position() {
    assert_eq!(Path::parse("/ab c d"), Err(ParsePathError::Byte { byte: b' ', position: 3 }));
    assert_eq!(Path::parse("/ä"), Err(ParsePathError::Byte { byte: 0xc3, position: 1 }));
}

#[test]
fn a_component_has_at_most_255_bytes() {
    assert_eq!(path(&format!("/{}", "x".repeat(255))).name().unwrap().len(), 255);
    assert_eq!(
        Path::parse(format!("/a/{}", "x".repeat(256))),
        Err(ParsePathError::ComponentTooLong { length: 256 })
    );
}

#[test]
fn a_path_has_at_most_4096_bytes() {
    let longest = "/abcdefg".repeat(512);
    assert_eq!(longest.len(), 4096);
    assert_eq!(path(&longest).as_str(), longest);
    assert_eq!(Path::parse(longest + "x"), Err(ParsePathError::TooLong { length: 4097 }));
}

#[test]
fn each_parse_error_describes_the_mistake() {
    let text = |text: &str| Path::parse(text).unwrap_err().to_string();
    assert_eq!(text("a"), "a path begins with '/'");
    assert_eq!(text("/a/"), "a component is empty");
    assert_eq!(text("/.."), "'.' and '..' are not components");
    assert_eq!(text("/a b"), "byte 0x20 at 2 is not one of A-Z a-z 0-9 . _ -");
    assert_eq!(text(&"/x".repeat(3000)), "the path has 6000 bytes, more than 4096");
    let long = format!("/{}", "x".repeat(300));
    assert_eq!(text(&long), "a component has 300 bytes, more than 255");
}

#[test]
fn paths_order_component_by_component() {
    let ordered = ["/", "/a", "/a/z", "/a/z/-", "/a-b", "/a-b/c", "/a.b", "/a0", "/aa", "/b"];
    for pair in ordered.windows(2) {
        assert!(path(pair[0]) < path(pair[1]), "{pair:?}");
    }
}

#[test]
fn the_root_is_the_whole_store() {
    let root = Path::root();
    assert!(root.is_root());
    assert!(!path("/a").is_root());
    assert_eq!(root, path("/"));
    assert_eq!(root.name(), None);
    assert_eq!(root.parent(), None);
    assert_eq!(root.components().count(), 0);
    assert!(path("/a/b").starts_with(&root));
    assert!(root.starts_with(&root));
    assert!(!root.starts_with(&path("/a")));
}

#[test]
fn require_not_root_refuses_only_the_root() {
    let error = Path::root().require_not_root().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidPath);
    assert_eq!(error.path(), Some(&Path::root()));
    assert!(path("/a").require_not_root().is_ok());
}

#[test]
fn the_parent_of_a_first_component_is_the_root() {
    assert_eq!(path("/a").parent(), Some(Path::root()));
    assert_eq!(path("/a/b/c").parent(), Some(path("/a/b")));
}

#[test]
fn components_are_given_from_either_end() {
    let path = path("/a/b/c");
    assert_eq!(path.components().collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(path.components().rev().collect::<Vec<_>>(), ["c", "b", "a"]);
}

#[test]
fn a_sibling_of_the_same_prefix_is_not_below() {
    assert!(!path("/ab").starts_with(&path("/a")));
    assert!(!path("/a.b").starts_with(&path("/a")));
    assert_eq!(path("/ab/c").strip_prefix(&path("/a")), None);
    assert_eq!(path("/a").strip_prefix(&path("/a/b")), None);
}

#[test]
fn strip_prefix_returns_the_rest_without_a_slash() {
    assert_eq!(path("/a/b/c").strip_prefix(&path("/a")), Some("b/c"));
    assert_eq!(path("/a/b/c").strip_prefix(&Path::root()), Some("a/b/c"));
    assert_eq!(path("/a").strip_prefix(&path("/a")), Some(""));
    assert_eq!(Path::root().strip_prefix(&Path::root()), Some(""));
}

#[test]
fn join_takes_several_components() {
    assert_eq!(path("/a").join("b/c").unwrap(), path("/a/b/c"));
    assert_eq!(Path::root().join("a").unwrap(), path("/a"));
}

#[test]
fn join_refuses_empty_text_and_outer_slashes() {
    for base in ["/", "/a"] {
        for relative in ["", "/", "/b", "b/", "b//c"] {
            let joined = path(base).join(relative);
            assert_eq!(joined, Err(ParsePathError::EmptyComponent), "{base} + {relative:?}");
        }
    }
}

#[test]
fn join_counts_positions_in_the_joined_text() {
    let wrong = Err(ParsePathError::Byte { byte: b' ', position: 1 });
    assert_eq!(path("/abc").join("x y"), wrong);
    assert_eq!(Path::root().join("x y"), wrong);
    assert_eq!(path("/abc").join(".."), Err(ParsePathError::Dots));
}

#[test]
fn join_counts_the_whole_length() {
    let base = path(&"/abcdefg".repeat(511));
    assert_eq!(base.join("abcdefg").unwrap().as_str().len(), 4096);
    assert_eq!(base.join("abcdefgh"), Err(ParsePathError::TooLong { length: 4097 }));
}

#[test]
fn a_path_converts_to_text_and_back() {
    let path = path("/a/b");
    assert_eq!(path.to_string(), "/a/b");
    assert_eq!(format!("{path:>6}|{path:<6}"), "  /a/b|/a/b  ");
    assert_eq!(format!("{path:?}"), "\"/a/b\"");
    assert_eq!(String::from(path.clone()), "/a/b");
    assert_eq!(AsRef::<str>::as_ref(&path), "/a/b");
    assert_eq!(AsRef::<Path>::as_ref(&path), &path);
    assert_eq!("/a/b".parse::<Path>().unwrap(), path);
    assert_eq!(Path::try_from("/a/b").unwrap(), path);
    assert_eq!(Path::try_from(String::from("/a/b")).unwrap(), path);
    assert!(Path::try_from("a").is_err());
}

#[test]
fn a_clone_shares_the_text() {
    let path = path("/a/b");
    assert_eq!(path.clone().as_str().as_ptr(), path.as_str().as_ptr());
}

#[test]
fn equal_paths_are_one_key() {
    assert_eq!(HashSet::from([path("/a"), path("/a"), path("/b")]).len(), 2);
}

#[cfg(feature = "serde")]
mod serde {
    use super::*;

    #[test]
    fn a_path_is_serialized_as_a_string() {
        assert_eq!(serde_json::to_string(&path("/a/b")).unwrap(), r#""/a/b""#);
        assert_eq!(serde_json::from_str::<Path>(r#""/a/b""#).unwrap(), path("/a/b"));
    }

    #[test]
    fn an_invalid_path_is_not_deserialized() {
        let error = serde_json::from_str::<Path>(r#""/a/../b""#).unwrap_err();
        assert!(error.to_string().starts_with("'.' and '..' are not components"), "{error}");
    }
}

proptest! {
    #[test]
    fn the_order_is_that_of_the_components(a in any_path(), b in any_path()) {
        prop_assert_eq!(a.cmp(&b), a.components().cmp(b.components()));
        prop_assert_eq!(a.partial_cmp(&b), Some(a.cmp(&b)));
    }

    #[test]
    fn a_subtree_is_together_in_the_order(a in any_path(), b in any_path(), dir in any_path()) {
        // Whatever lies between two paths below a directory is below it too.
        let (first, last) = (dir.join("a").unwrap(), dir.join("b").unwrap());
        for path in [a, b] {
            if first <= path && path <= last {
                prop_assert!(path.starts_with(&dir));
            }
        }
    }

    #[test]
    fn parent_and_name_join_to_the_path(path in any_path()) {
        match (path.parent(), path.name()) {
            (Some(parent), Some(name)) => prop_assert_eq!(parent.join(name), Ok(path.clone())),
            (None, None) => prop_assert!(path.is_root()),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn starts_with_compares_whole_components(path in any_path(), base in any_path()) {
        let base_components: Vec<_> = base.components().collect();
        let is_below = path.components().take(base_components.len()).eq(base_components);
        prop_assert_eq!(path.starts_with(&base), is_below);
        prop_assert_eq!(path.strip_prefix(&base).is_some(), is_below);
    }

    #[test]
    fn strip_prefix_undoes_join(base in any_path(), below in any_path()) {
        prop_assume!(!below.is_root());
        let relative = &below.as_str()[1..];
        let joined = base.join(relative).unwrap();
        prop_assert_eq!(joined.strip_prefix(&base), Some(relative));
        prop_assert!(joined.starts_with(&base) && joined > base);
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        if let Ok(path) = Path::parse(&text) {
            prop_assert_eq!(path.as_str(), text);
        }
    }
}
