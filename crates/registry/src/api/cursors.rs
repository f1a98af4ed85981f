//! [`Cursors`]: positions in the catalog that reveal no name.

use std::fmt::Write;

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, Generate, Key, KeyInit},
};

use super::error::{Code, Error, Result};
use crate::name::Name;

/// Encrypts positions in the catalog.
///
/// The position after a page is the name of its last repository. A page that ends because the scan was
/// long ends at a repository that the client may not see, and the link must not reveal that name.
pub(crate) struct Cursors {
    /// The first one encrypts.
    keys: Vec<XChaCha20Poly1305>,
}

/// Prefix of an encrypted position. No name starts with it.
const SEALED: char = '~';

/// The size of a nonce, in bytes.
const NONCE: usize = 24;

impl Cursors {
    /// With these keys, or with a new one if there are none: positions that another process encrypted, or that are
    /// from before a restart, are then refused.
    pub(crate) fn new(keys: &[[u8; 32]]) -> Self {
        let random = || vec![XChaCha20Poly1305::new(&Key::<XChaCha20Poly1305>::generate())];
        let given: Vec<_> = keys.iter().map(|key| XChaCha20Poly1305::new(key.into())).collect();
        Self { keys: if given.is_empty() { random() } else { given } }
    }

    pub(super) fn seal(&self, name: &Name) -> Result<String> {
        // Padded, so that the length of the name is not revealed either.
        let mut padded = name.as_str().as_bytes().to_vec();
        padded.resize(Name::MAX_BYTES, 0);
        let nonce = XNonce::generate();
        let sealed = self.keys[0].encrypt(&nonce, &*padded);
        let sealed = sealed.map_err(|error| Error::new(Code::Unknown, error))?;
        let mut text = String::from(SEALED);
        for byte in nonce.iter().chain(&sealed) {
            let _ = write!(text, "{byte:02x}");
        }
        Ok(text)
    }

    /// Parses `last`: a name or an encrypted position.
    pub(super) fn parse(&self, text: &str) -> Result<Name> {
        let Some(sealed) = text.strip_prefix(SEALED) else { return Ok(Name::parse(text)?) };
        self.open(sealed).ok_or_else(|| {
            Error::new(Code::NameInvalid, "this `last` is invalid; begin with the first page")
        })
    }

    fn open(&self, sealed: &str) -> Option<Name> {
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let bytes = sealed.as_bytes().chunks(2).map(|pair| match pair {
            [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
            _ => None,
        });
        let bytes: Vec<u8> = bytes.collect::<Option<_>>()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE)?;
        let nonce = XNonce::try_from(nonce).ok()?;
        let padded = self.keys.iter().find_map(|key| key.decrypt(&nonce, sealed).ok())?;
        let name = std::str::from_utf8(&padded).ok()?;
        Name::parse(name.trim_end_matches('\0')).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_position_is_opened_and_reveals_no_name() {
        let (cursors, name) = (Cursors::new(&[]), Name::parse("team/secret").unwrap());
        let sealed = cursors.seal(&name).unwrap();
        assert_eq!(cursors.parse(&sealed).unwrap(), name);
        assert_eq!(sealed.len(), cursors.seal(&Name::parse("a").unwrap()).unwrap().len());
        assert_ne!(cursors.seal(&name).unwrap(), sealed);
    }

    #[test]
    fn a_position_that_was_sealed_elsewhere_or_changed_is_refused() {
        let (cursors, name) = (Cursors::new(&[]), Name::parse("a").unwrap());
        let sealed = cursors.seal(&name).unwrap();
        let cut = &sealed[..sealed.len() - 1];
        for text in ["~", "~0", "~zz", "~\u{e4}", cut, &format!("{sealed}00")] {
            assert!(cursors.parse(text).is_err(), "{text}");
        }
        assert!(Cursors::new(&[]).parse(&sealed).is_err());
    }

    #[test]
    fn a_position_is_opened_wherever_its_key_is_known() {
        let (old, new, name) = ([1; 32], [2; 32], Name::parse("a").unwrap());
        let sealed = Cursors::new(&[old]).seal(&name).unwrap();
        assert_eq!(Cursors::new(&[old]).parse(&sealed).unwrap(), name);
        assert_eq!(Cursors::new(&[new, old]).parse(&sealed).unwrap(), name);
        assert!(Cursors::new(&[new]).parse(&sealed).is_err());
        let sealed = Cursors::new(&[new, old]).seal(&name).unwrap();
        assert_eq!(Cursors::new(&[new]).parse(&sealed).unwrap(), name);
    }
}
