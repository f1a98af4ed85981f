//! Random names: 16 random bytes in 22 characters.

use std::cell::Cell;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// The length of a nonce in bytes.
pub(crate) const LENGTH: usize = 22;

thread_local! {
    /// The state of this thread's generator, if a test has set one.
    static STATE: Cell<Option<u64>> = const { Cell::new(None) };
}

/// A fresh nonce. Its characters are `A-Z a-z 0-9 - _`.
pub(crate) fn fresh() -> String {
    URL_SAFE_NO_PAD.encode(random())
}

/// 16 random bytes.
pub(crate) fn random() -> [u8; 16] {
    match STATE.get() {
        None => *uuid::Uuid::new_v4().as_bytes(),
        Some(state) => {
            STATE.set(Some(state.wrapping_add(2)));
            let halves = [mix(state), mix(state.wrapping_add(1))].map(u64::to_be_bytes);
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&halves[0]);
            bytes[8..].copy_from_slice(&halves[1]);
            bytes
        }
    }
}

/// Makes the nonces of this thread repeatable.
pub(crate) fn seed(seed: u64) {
    STATE.set(Some(mix(seed)));
}

/// SplitMix64: different for different states.
fn mix(state: u64) -> u64 {
    let z = state.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
