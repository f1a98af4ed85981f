//! Support for tests with real clients: the program, its clients, and images to push.

#![allow(dead_code, reason = "each test has need of a part of it")]

pub(crate) mod curl;
pub(crate) mod fixture;
pub(crate) mod layout;
pub(crate) mod program;
pub(crate) mod random;
pub(crate) mod served;
pub(crate) mod size;

/// The digest of `content`, as text.
pub(crate) fn digest(content: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    let hex: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
