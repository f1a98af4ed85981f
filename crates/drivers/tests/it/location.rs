//! Which texts name a store, and how one is written.

use proptest::prelude::*;
use storage_driver_url::{Durability, Location, ParseLocationError as Error, Root};

fn parse(text: &str) -> Result<Location, Error> {
    text.parse()
}

fn in_memory(capacity: Option<u64>) -> Location {
    Location::InMemory { capacity }
}

fn file(root: &str, durability: Durability) -> Location {
    Location::File { root: Root::new(root).unwrap(), durability, read_only: false }
}

fn read_only(root: &str, durability: Durability) -> Location {
    Location::File { root: Root::new(root).unwrap(), durability, read_only: true }
}

/// A test per text that names a store, with the store, and how it is written.
macro_rules! accepted {
    ($($name:ident: $text:literal => $location:expr, $written:literal;)*) => {$(
        #[test]
        fn $name() {
            let location = parse($text).unwrap();
            assert_eq!(location, $location);
            assert_eq!(location.to_string(), $written);
        }
    )*};
}

accepted! {
    memory_has_no_bound_unless_it_is_given: "inmemory:" => in_memory(None), "inmemory:";
    a_query_may_be_empty: "inmemory:?" => in_memory(None), "inmemory:";
    a_capacity_takes_units:
        "inmemory:?capacity=1GiB" => in_memory(Some(1 << 30)), "inmemory:?capacity=1GiB";
    a_capacity_may_be_in_bytes:
        "inmemory:?capacity=4096" => in_memory(Some(4096)), "inmemory:?capacity=4KiB";
    a_capacity_is_written_exactly:
        "inmemory:?capacity=1MB" => in_memory(Some(1_000_000)), "inmemory:?capacity=1000000";
    a_capacity_may_be_nothing:
        "inmemory:?capacity=0" => in_memory(Some(0)), "inmemory:?capacity=0";
    a_directory_is_fully_durable_unless_it_is_said:
        "file:///srv/registry" => file("/srv/registry", Durability::Full), "file:///srv/registry";
    full_durability_can_be_said:
        "file:///srv?durability=full" => file("/srv", Durability::Full), "file:///srv";
    data_may_be_durable_alone:
        "file:///srv?durability=data" => file("/srv", Durability::Data), "file:///srv?durability=data";
    nothing_may_be_durable:
        "file:///srv?durability=none" => file("/srv", Durability::None), "file:///srv?durability=none";
    a_store_can_be_opened_read_only:
        "file:///srv?read_only=true" => read_only("/srv", Durability::Full), "file:///srv?read_only=true";
    a_store_is_writable_when_it_says_so:
        "file:///srv?read_only=false" => file("/srv", Durability::Full), "file:///srv";
    both_keys_of_a_file_url_can_be_given_in_any_order:
        "file:///srv?read_only=true&durability=none" => read_only("/srv", Durability::None),
        "file:///srv?durability=none&read_only=true";
    the_whole_file_system_is_a_directory: "file:///" => file("/", Durability::Full), "file:///";
    this_machine_may_be_named:
        "file://localhost/srv" => file("/srv", Durability::Full), "file:///srv";
    an_absolute_path_may_follow_the_scheme:
        "file:/srv" => file("/srv", Durability::Full), "file:///srv";
    a_scheme_may_be_in_capitals: "FILE:///Srv" => file("/Srv", Durability::Full), "file:///Srv";
    escapes_in_a_path_are_decoded:
        "file:///a%20b%2fc%23%3F%25" => file("/a b/c#?%", Durability::Full), "file:///a%20b/c%23%3F%25";
    what_needs_no_escape_may_be_as_it_is:
        "file:///a b:c@d+e&f=g" => file("/a b:c@d+e&f=g", Durability::Full), "file:///a%20b:c@d+e&f=g";
    other_scripts_are_encoded: "file:///ä" => file("/ä", Durability::Full), "file:///%C3%A4";
    a_second_slash_stays: "file:////srv" => file("//srv", Durability::Full), "file:////srv";
}

/// A test per text that names no store, with the words that say why.
macro_rules! rejected {
    ($($name:ident: $text:expr, $error:pat, $words:literal;)*) => {$(
        #[test]
        fn $name() {
            let error = parse($text).unwrap_err();
            assert!(matches!(error, $error), "{error:?}");
            let text = error.to_string();
            assert!(text.contains($words) && !text.contains(char::is_control), "{text}");
        }
    )*};
}

rejected! {
    nothing_is_no_store: "", Error::NoScheme, "`inmemory:`, `file:///absolute/directory`";
    a_plain_path_is_no_store: "/srv/registry", Error::NoScheme, "no scheme";
    a_path_with_a_colon_is_no_store: "./a:b", Error::NoScheme, "no scheme";
    a_scheme_needs_its_colon: "inmemory", Error::NoScheme, "no scheme";
    another_scheme_is_unknown:
        "ftp://host/a", Error::UnknownScheme { .. }, "unknown scheme `ftp`; a store is `inmemory:`";
    a_host_has_no_place_in_memory: "inmemory://", Error::InMemoryPath { .. }, "`//` after";
    a_path_has_no_place_in_memory: "inmemory:a", Error::InMemoryPath { .. }, "`a` after";
    another_machine_is_refused:
        "file://server/share", Error::Host { .. }, "host `server`: files are on this machine";
    a_directory_with_two_slashes_is_taken_for_a_host:
        "file://srv", Error::Host { .. }, "`file:///srv`";
    a_relative_path_is_refused: "file:srv", Error::NotAbsolute { .. }, "`srv` is not absolute";
    no_path_is_refused: "file:", Error::NotAbsolute { .. }, "is not absolute";
    a_host_without_a_path_is_refused: "file://localhost", Error::NotAbsolute { .. }, "not absolute";
    a_query_is_no_path: "file:?durability=full", Error::NotAbsolute { .. }, "not absolute";
    an_escape_needs_two_digits: "file:///a%2", Error::Escape { position: 9 }, "byte 9";
    an_escape_needs_hexadecimal_digits:
        "file://localhost/%zz", Error::Escape { position: 17 }, "`%` itself is `%25`";
    an_escape_is_no_part_of_a_character: "file:///%é", Error::Escape { position: 8 }, "byte 8";
    a_nul_byte_is_refused: "file:///a%00b", Error::Nul, "NUL";
    the_end_of_a_line_is_refused: "file:///srv\n", Error::Control { position: 11 }, "byte 11";
    a_fragment_is_refused: "file:///srv#one", Error::Fragment, "write `#` as `%23`";
    a_fragment_after_a_query_is_refused: "inmemory:?capacity=1#", Error::Fragment, "`#`";
    a_key_of_the_other_scheme_is_refused:
        "inmemory:?durability=full", Error::UnknownKey { .. },
        "unknown key `durability`; `inmemory:` knows `capacity`";
    an_unknown_key_is_refused:
        "file:///srv?mode=600", Error::UnknownKey { .. }, "`file:` knows `durability`";
    an_empty_key_is_refused: "file:///srv?durability=full&", Error::UnknownKey { .. }, "key ``";
    a_key_is_in_small_letters: "inmemory:?Capacity=1", Error::UnknownKey { .. }, "`Capacity`";
    a_repeated_key_is_refused:
        "inmemory:?capacity=1&capacity=1", Error::RepeatedKey { .. }, "`capacity` is given twice";
    a_key_without_a_value_is_refused:
        "file:///srv?durability", Error::Value { .. }, "`durability=`: a durability is `full`";
    an_unknown_durability_is_refused:
        "file:///srv?durability=most", Error::Value { .. }, "`full`, `data` or `none`";
    read_only_is_true_or_false: "file:///srv?read_only=yes", Error::Value { .. }, "`true` or `false`";
    a_repeated_key_of_a_file_url_is_refused:
        "file:///srv?read_only=true&durability=data&read_only=true", Error::RepeatedKey { .. },
        "`read_only` is given twice";
    an_unknown_key_among_known_ones_is_refused:
        "file:///srv?read_only=true&mode=600", Error::UnknownKey { .. }, "`read_only`";
    a_capacity_without_digits_is_refused:
        "inmemory:?capacity=much", Error::Value { .. }, "`capacity=much`: not a size";
    a_negative_capacity_is_refused: "inmemory:?capacity=-1", Error::Value { .. }, "not a size";
    a_capacity_past_64_bits_is_refused:
        "inmemory:?capacity=16777216TiB", Error::Value { .. }, "more than 64 bits hold";
}

#[cfg(unix)]
#[test]
fn a_directory_may_have_any_bytes_in_its_name() {
    use std::os::unix::ffi::OsStrExt;

    let location = parse("file:///%ff").unwrap();
    let Location::File { root, .. } = &location else { panic!("{location}") };
    assert_eq!(root.as_path().as_os_str().as_bytes(), b"/\xff");
    assert_eq!(location.to_string(), "file:///%FF");
}

#[test]
fn a_root_is_absolute() {
    for relative in ["", "srv", "./srv", "~"] {
        assert!(matches!(Root::new(relative), Err(Error::NotAbsolute { .. })), "{relative}");
    }
}

fn any_durability() -> impl Strategy<Value = Durability> {
    prop::sample::select(vec![Durability::Full, Durability::Data, Durability::None])
}

fn any_location() -> impl Strategy<Value = Location> {
    prop_oneof![
        any::<Option<u64>>().prop_map(in_memory),
        (0..u64::MAX >> 40, 0..40).prop_map(|(size, shift)| in_memory(Some(size << shift))),
        ("/[^\0]*", any_durability()).prop_map(|(root, durability)| file(&root, durability)),
        ("/[^\0]*", any_durability()).prop_map(|(root, durability)| read_only(&root, durability)),
    ]
}

/// Texts that come close to being a URL.
fn near_urls() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "file:",
        "inmemory:",
        "s3:",
        "az:",
        "bucket",
        "endpoint",
        "https://host",
        "@",
        "/",
        "//",
        "localhost",
        "?",
        "&",
        "=",
        "#",
        "%",
        "%2",
        "%20",
        "%ff",
        "%00",
        "capacity",
        "durability",
        "read_only",
        "true",
        "full",
        "data",
        "1",
        "KiB",
        "é",
        "\n",
        ":",
        "..",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_is_written_is_parsed_as_the_same(location in any_location()) {
        prop_assert_eq!(parse(&location.to_string()), Ok(location));
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = parse(&text);
    }

    #[test]
    fn what_is_parsed_is_written_so_that_it_is_parsed_again(text in near_urls()) {
        if let Ok(location) = parse(&text) {
            prop_assert_eq!(parse(&location.to_string()), Ok(location));
        }
    }
}
