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
///
/// It can have several secrets: the first one signs, and tokens of all are accepted. So a secret is replaced while several
/// processes run: add the new one as the last, then make it the first, then remove the old one, and restart the processes
/// one by one after each step.
#[derive(Clone)]
pub struct TokenKey {
    /// The first one signs.
    secrets: Vec<Hmac<Sha256>>,
}

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
    /// A secret in it is too short.
    #[error("{}: a secret is shorter than {} bytes", path.display(), TokenKey::MIN_SECRET)]
    Short {
        /// The file.
        path: PathBuf,
    },
}

impl TokenKey {
    /// The smallest size of a secret, in bytes.
    pub const MIN_SECRET: usize = 32;

    /// A random key. Its tokens are invalid after the process ends.
    pub fn random() -> Self {
        let mut secret = [0; 64];
        for part in secret.chunks_exact_mut(16) {
            part.copy_from_slice(Uuid::new_v4().as_bytes());
        }
        Self { secrets: vec![hmac(&secret)] }
    }

    /// The key that is derived from the content of a file: each line of a text is a secret, and bytes that are not
    /// printable ASCII are one secret. White space at the end of each, such as editors add, is ignored.
    ///
    /// # Errors
    ///
    /// A [`TokenKeyError`]: a secret has less than [`MIN_SECRET`](Self::MIN_SECRET) bytes, or the file cannot be read.
    pub async fn read(path: impl Into<PathBuf>) -> Result<Self, TokenKeyError> {
        let path = path.into();
        let work = path.clone();
        spawn_blocking(move || Self::read_now(&work)).await.unwrap_or_else(|error| {
            // The runtime ends.
            Err(TokenKeyError::Read { path, source: error.into() })
        })
    }

    fn read_now(path: &Path) -> Result<Self, TokenKeyError> {
        let content = std::fs::read(path)
            .map_err(|source| TokenKeyError::Read { path: path.to_owned(), source })?;
        let secrets = secrets(&content);
        if secrets.iter().any(|secret| secret.len() < Self::MIN_SECRET) {
            return Err(TokenKeyError::Short { path: path.to_owned() });
        }
        Ok(Self { secrets: secrets.into_iter().map(hmac).collect() })
    }

    /// Keys for [`RegistryBuilder::cursor_keys`](crate::RegistryBuilder::cursor_keys), one for each secret.
    pub fn cursor_keys(&self) -> impl Iterator<Item = [u8; 32]> + '_ {
        self.secrets.iter().map(|secret| mac(secret, "cursor", b"").finalize().into_bytes().into())
    }

    /// `content`, readable, with its signature.
    pub(super) fn seal(&self, content: &[u8]) -> String {
        let content = URL_SAFE_NO_PAD.encode(content);
        let signature = mac(&self.secrets[0], "token", content.as_bytes()).finalize().into_bytes();
        format!("{content}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The content of a token that was [sealed](Self::seal) with this key.
    pub(super) fn open(&self, sealed: &str) -> Option<Vec<u8>> {
        let (content, signature) = sealed.split_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let is_signed_by =
            |secret| mac(secret, "token", content.as_bytes()).verify_slice(&signature).is_ok();
        if !self.secrets.iter().any(is_signed_by) {
            return None;
        }
        URL_SAFE_NO_PAD.decode(content).ok()
    }

    /// A text that identifies `content` without revealing it.
    pub(super) fn stamp(&self, content: &str) -> String {
        stamp(&self.secrets[0], content)
    }

    /// Whether `text` is a [stamp](Self::stamp) of `content`.
    pub(super) fn is_stamp(&self, text: &str, content: &str) -> bool {
        self.secrets.iter().any(|secret| stamp(secret, content) == text)
    }
}

fn hmac(secret: &[u8]) -> Hmac<Sha256> {
    // The block size of HMAC-SHA-256.
    Hmac::new(&Sha512::digest(secret))
}

/// The code for one `purpose` is invalid for another.
fn mac(secret: &Hmac<Sha256>, purpose: &str, content: &[u8]) -> Hmac<Sha256> {
    secret.clone().chain_update(purpose).chain_update([0]).chain_update(content)
}

fn stamp(secret: &Hmac<Sha256>, content: &str) -> String {
    URL_SAFE_NO_PAD.encode(mac(secret, "stamp", content.as_bytes()).finalize().into_bytes())
}

/// The secrets in a file: the lines of a text, or all of it. At least one, which may be empty.
fn secrets(content: &[u8]) -> Vec<&[u8]> {
    let is_text = content.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    let lines = content.split(|byte| is_text && *byte == b'\n').map(<[u8]>::trim_ascii_end);
    let secrets: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    if secrets.is_empty() { vec![b""] } else { secrets }
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
        assert!(error.to_string().ends_with(": a secret is shorter than 32 bytes"), "{error}");
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

    #[tokio::test]
    async fn each_line_of_a_text_is_a_secret_and_the_first_one_signs() {
        let (old, new) = ("o".repeat(32), "n".repeat(32));
        let both = read(format!("{new}\n\n{old}\n").as_bytes()).await.unwrap();
        let (old, new) = (read(old.as_bytes()).await.unwrap(), read(new.as_bytes()).await.unwrap());
        assert!(both.open(&old.seal(b"a")).is_some() && both.open(&new.seal(b"a")).is_some());
        assert!(new.open(&both.seal(b"a")).is_some() && old.open(&both.seal(b"a")).is_none());
        assert!(both.is_stamp(&old.stamp("a"), "a") && !both.is_stamp(&old.stamp("a"), "b"));
        assert_eq!(both.cursor_keys().nth(1), old.cursor_keys().next());
    }

    #[tokio::test]
    async fn bytes_that_are_no_text_are_one_secret() {
        let binary = [&[0xff; 20][..], b"\n", &[7; 20]].concat();
        assert_eq!(read(&binary).await.unwrap().secrets.len(), 1);
    }

    #[tokio::test]
    async fn every_line_has_to_be_long_enough() {
        let text = format!("{}\nshort\n", "x".repeat(32));
        assert!(matches!(read(text.as_bytes()).await, Err(TokenKeyError::Short { .. })));
    }
}
