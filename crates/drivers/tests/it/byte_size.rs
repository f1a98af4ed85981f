//! What is a number of bytes.

use proptest::prelude::*;
use storage_driver_url::{ByteSize, ParseByteSizeError as Error};

#[test]
fn units_are_of_both_kinds() {
    let sizes = [
        ("7", 7),
        ("7B", 7),
        ("2kb", 2_000),
        ("2 KiB", 2_048),
        ("3MB", 3_000_000),
        ("3mib", 3 << 20),
        ("5GB", 5_000_000_000),
        ("5GiB", 5 << 30),
        ("1TB", 1_000_000_000_000),
        ("1TiB", 1 << 40),
    ];
    for (text, bytes) in sizes {
        assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
    }
}

#[test]
fn what_has_no_number_or_no_known_unit_is_no_size() {
    for text in ["", "GiB", "-1", "+1", "1.5GiB", "5Quux", " 1", "1e3", "0x10"] {
        assert_eq!(text.parse::<ByteSize>(), Err(Error::NotASize), "{text}");
    }
}

#[test]
fn more_than_64_bits_are_refused() {
    for text in ["18446744073709551616", "16777216TiB"] {
        assert_eq!(text.parse::<ByteSize>(), Err(Error::TooLarge), "{text}");
    }
}

proptest! {
    #[test]
    fn a_size_is_written_exactly(bytes in any::<u64>(), shift in 0..64) {
        let size = ByteSize(bytes >> shift << (shift / 2));
        prop_assert_eq!(size.to_string().parse(), Ok(size));
    }
}
