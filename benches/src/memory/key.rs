//! Names of objects, as a registry has them.

use std::fmt::Write as _;

/// The directory that every key is below, without the slash before it and after it.
pub const ABOVE: &str = "docker/registry/v2/blobs/sha256";

/// The name of the object with this number: 104 bytes, the same in every run, and in no order.
///
/// `docker/registry/v2/blobs/sha256/ab/<64 hexadecimal digits, of which the first are ab>/data`
pub fn key(number: u64) -> String {
    let mut hash = String::with_capacity(64);
    for part in 0..4 {
        write!(hash, "{:016x}", mix(number * 4 + part)).expect("a string takes it");
    }
    format!("{ABOVE}/{}/{hash}/data", &hash[..2])
}

/// The splitmix64 step.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[test]
fn a_key_has_104_bytes() {
    assert_eq!(key(0).len(), 104);
    assert_ne!(key(0), key(1));
}
