//! Random names: 16 random bytes in 22 characters.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// The length of a nonce in bytes.
pub(crate) const LENGTH: usize = 22;

/// A fresh nonce. Its characters are `A-Z a-z 0-9 - _`.
pub(crate) fn fresh() -> String {
    URL_SAFE_NO_PAD.encode(uuid::Uuid::new_v4().as_bytes())
}
