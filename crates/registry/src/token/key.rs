//! [`TokenKey`]: the key that signs tokens.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256, Sha512};
use tokio::task::spawn_blocking;
use uuid::Uuid;

/// The key by which a registry recognizes its tokens, by HMAC-SHA-256.
///
/// Processes with the same key and the same htpasswd file accept each other's tokens.
#[derive(Clone)]
pub struct TokenKey(Hmac<Sha256>);

/// Why a [`TokenKey`] cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenKeyError {
    /// It cannot be read.
    #[error("{}: cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// It is too short.
    #[error("{}: shorter than {} bytes", path.display(), TokenKey::MIN_SECRET)]
    Short {
        /// The file.
        path: PathBuf,
    },
}

impl TokenKey {
    /// The smallest size of the file, in bytes.
    pub const MIN_SECRET: usize = 32;

    /// A random key. Its tokens are invalid after the process ends.
    pub fn random() -> Self {
        let mut secret = [0; 64];
        for part in secret.chunks_exact_mut(16) {
            part.copy_from_slice(Uuid::new_v4().as_bytes());
        }
        Self::of(&secret)
    }

    /// The key that is derived from the content of a file. White space at the end, such as editors add, is
    /// ignored.
    ///
    /// # Errors
    ///
    /// A [`TokenKeyError`]: the file has less than [`MIN_SECRET`](Self::MIN_SECRET) bytes, or cannot be read.
    pub async fn read(path: impl Into<PathBuf>) -> Result<Self, TokenKeyError> {
        let path = path.into();
        let work = path.clone();
        spawn_blocking(move || Self::read_now(&work)).await.unwrap_or_else(|error| {
            // The runtime ends.
            Err(TokenKeyError::Read { path, source: error.into() })
        })
    }

    fn read_now(path: &Path) -> Result<Self, TokenKeyError> {
        let secret = std::fs::read(path)
            .map_err(|source| TokenKeyError::Read { path: path.to_owned(), source })?;
        match secret.trim_ascii_end() {
            secret if secret.len() < Self::MIN_SECRET => {
                Err(TokenKeyError::Short { path: path.to_owned() })
            }
            secret => Ok(Self::of(secret)),
        }
    }

    fn of(secret: &[u8]) -> Self {
        // The block size of HMAC-SHA-256.
        Self(Hmac::new(&Sha512::digest(secret)))
    }

    /// `content`, readable, with its signature.
    pub(super) fn seal(&self, content: &[u8]) -> String {
        let content = URL_SAFE_NO_PAD.encode(content);
        let signature = self.mac("token", content.as_bytes()).finalize().into_bytes();
        format!("{content}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The content of a token that was [sealed](Self::seal) with this key.
    pub(super) fn open(&self, sealed: &str) -> Option<Vec<u8>> {
        let (content, signature) = sealed.split_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        self.mac("token", content.as_bytes()).verify_slice(&signature).ok()?;
        URL_SAFE_NO_PAD.decode(content).ok()
    }

    /// A text that identifies `secret` without revealing it.
    pub(super) fn stamp(&self, secret: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.mac("stamp", secret.as_bytes()).finalize().into_bytes())
    }

    /// The code for one `purpose` is invalid for another.
    fn mac(&self, purpose: &str, content: &[u8]) -> Hmac<Sha256> {
        self.0.clone().chain_update(purpose).chain_update([0]).chain_update(content)
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tempfile::NamedTempFile;

    use super::*;

    async fn read(content: &[u8]) -> Result<TokenKey, TokenKeyError> {
        let file = NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        TokenKey::read(file.path()).await
    }

    #[test]
    fn sealed_text_is_opened() {
        let key = TokenKey::random();
        assert_eq!(key.open(&key.seal(b"content")).unwrap(), b"content");
    }

    #[test]
    fn another_key_opens_nothing() {
        assert_eq!(TokenKey::random().open(&TokenKey::random().seal(b"content")), None);
    }

    #[test]
    fn no_byte_can_be_changed() {
        let key = TokenKey::random();
        let sealed = key.seal(b"content");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(key.open(&changed), None, "{changed}");
        }
    }

    #[test]
    fn a_signature_cannot_be_cut() {
        let key = TokenKey::random();
        let sealed = key.seal(b"content");
        for end in 0..sealed.len() {
            assert_eq!(key.open(&sealed[..end]), None, "{}", &sealed[..end]);
        }
    }

    #[test]
    fn a_stamp_is_no_signature() {
        let key = TokenKey::random();
        assert_eq!(key.open(&format!("YQ.{}", key.stamp("YQ"))), None);
    }

    #[tokio::test]
    async fn white_space_at_the_end_of_the_file_does_not_change_the_key() {
        let (one, other) = (read(&[b'x'; 32]).await.unwrap(), "x".repeat(32) + "\r\n");
        assert!(read(other.as_bytes()).await.unwrap().open(&one.seal(b"a")).is_some());
        assert!(read(&[b'y'; 32]).await.unwrap().open(&one.seal(b"a")).is_none());
    }

    #[tokio::test]
    async fn a_secret_that_is_short_is_refused() {
        let error = read(&[[b'x'; 31], [b' '; 31]].concat()).await.unwrap_err();
        assert!(error.to_string().ends_with(": shorter than 32 bytes"), "{error}");
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_is_named() {
        let path = tempfile::tempdir().unwrap().path().join("secret");
        let error = TokenKey::read(&path).await.unwrap_err();
        assert!(matches!(&error, TokenKeyError::Read { path: it, .. } if *it == path), "{error}");
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "[A-Za-z0-9_.-]{0,100}") {
            prop_assert_eq!(TokenKey::random().open(&text), None);
        }
    }
}
