//! [`Digest`]: the name of content; [`Hasher`]: computes it, and can be saved in between.

use std::fmt;

use sha2::{
    Sha256, Sha512,
    digest::{
        Digest as _,
        common::hazmat::{SerializableState, SerializedState},
    },
};

/// The text is no digest, or its algorithm is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ParseDigestError(&'static str);

/// An algorithm of digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Algorithm {
    Sha256,
    Sha512,
}

impl Algorithm {
    pub(crate) const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, ParseDigestError> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == text)
            .ok_or_else(|| invalid("the algorithm of a digest is sha256 or sha512"))
    }
}

/// The digest of some content, such as `sha256:` and 64 lower-case hexadecimal digits.
///
/// It holds bytes instead of text, so that the millions of a garbage collection take little memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Digest {
    algorithm: Algorithm,
    /// The bytes of the algorithm, then zeroes.
    bytes: [u8; 64],
}

impl Digest {
    pub(crate) fn parse(text: &str) -> Result<Self, ParseDigestError> {
        let (algorithm, hex) = text
            .split_once(':')
            .ok_or_else(|| invalid("a digest is an algorithm, a colon and hexadecimal digits"))?;
        Self::from_hex(Algorithm::parse(algorithm)?, hex)
    }

    pub(crate) fn from_hex(algorithm: Algorithm, hex: &str) -> Result<Self, ParseDigestError> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let mut bytes = [0; 64];
        let wrong =
            || invalid("a digest is 64 (sha256) or 128 (sha512) lower-case hexadecimal digits");
        if hex.len() != 2 * algorithm.bytes() {
            return Err(wrong());
        }
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            let &[high, low] = pair else { return Err(wrong()) };
            *byte = digit(high).ok_or_else(wrong)? << 4 | digit(low).ok_or_else(wrong)?;
        }
        Ok(Self { algorithm, bytes })
    }

    /// The digest of `content`.
    pub(crate) fn of(algorithm: Algorithm, content: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(content);
        hasher.digest()
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(crate) fn hex(&self) -> String {
        let bytes = &self.bytes[..self.algorithm.bytes()];
        let mut hex = String::with_capacity(2 * bytes.len());
        for byte in bytes {
            for digit in [byte >> 4, byte & 15] {
                hex.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
            }
        }
        hex
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.as_str(), self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn invalid(text: &'static str) -> ParseDigestError {
    ParseDigestError(text)
}

/// Computes a digest. Its state can be saved and restored.
#[derive(Debug, Clone)]
pub(crate) enum Hasher {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Sha512(_) => Algorithm::Sha512,
        }
    }

    pub(crate) fn update(&mut self, content: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(content),
            Self::Sha512(hasher) => hasher.update(content),
        }
    }

    pub(crate) fn digest(&self) -> Digest {
        let mut bytes = [0; 64];
        match self.clone() {
            Self::Sha256(hasher) => bytes[..32].copy_from_slice(&hasher.finalize()),
            Self::Sha512(hasher) => bytes.copy_from_slice(&hasher.finalize()),
        }
        Digest { algorithm: self.algorithm(), bytes }
    }

    /// The state after `size` bytes, as the note of an upload.
    pub(crate) fn note(&self, size: u64) -> Vec<u8> {
        let mut note = format!("{} {size}\n", self.algorithm().as_str()).into_bytes();
        note.extend_from_slice(&self.save());
        note
    }

    /// The hasher whose state after `size` bytes is in a [note](Self::note). `None` if the note is not one, is
    /// of another algorithm, or belongs to other data.
    pub(crate) fn from_note(note: &[u8], algorithm: Algorithm, size: u64) -> Option<Self> {
        let head = format!("{} {size}\n", algorithm.as_str());
        Self::restore(algorithm, note.strip_prefix(head.as_bytes())?)
    }

    /// The state, as `sha2` writes it. [`restore`](Self::restore) reads it.
    fn save(&self) -> Vec<u8> {
        match self {
            Self::Sha256(hasher) => hasher.serialize().to_vec(),
            Self::Sha512(hasher) => hasher.serialize().to_vec(),
        }
    }

    /// The hasher that was saved; `None` if this is no saved state.
    fn restore(algorithm: Algorithm, saved: &[u8]) -> Option<Self> {
        fn restored<H: SerializableState>(saved: &[u8]) -> Option<H> {
            H::deserialize(&SerializedState::<H>::try_from(saved).ok()?).ok()
        }
        match algorithm {
            Algorithm::Sha256 => restored(saved).map(Self::Sha256),
            Algorithm::Sha512 => restored(saved).map(Self::Sha512),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_written_as_it_was_parsed() {
        for algorithm in Algorithm::ALL {
            let digest = Digest::of(algorithm, b"content");
            assert_eq!(Digest::parse(&digest.to_string()).unwrap(), digest);
        }
        let known = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(Algorithm::Sha256, b"").to_string(), known);
    }

    #[test]
    fn a_malformed_digest_is_refused() {
        let (zeroes, upper) = (format!("sha256:{}", "0".repeat(63)), "A".repeat(64));
        let upper = format!("sha256:{upper}");
        let md5 = format!("md5:{}", "0".repeat(32));
        for invalid in ["", ":", "sha256", "sha256:", &zeroes, &upper, &md5, &format!("{zeroes}00")]
        {
            assert!(Digest::parse(invalid).is_err(), "{invalid}");
        }
    }

    #[test]
    fn a_restored_hasher_continues() {
        for algorithm in Algorithm::ALL {
            for cut in [0, 1, 63, 64, 65, 127, 128, 129, 1000] {
                let content: Vec<u8> = (0..=250).cycle().take(2000).collect();
                let mut hasher = Hasher::new(algorithm);
                hasher.update(&content[..cut]);
                let note = hasher.note(cut as u64);
                let mut restored = Hasher::from_note(&note, algorithm, cut as u64).unwrap();
                restored.update(&content[cut..]);
                assert_eq!(restored.digest(), Digest::of(algorithm, &content));
            }
        }
    }

    #[test]
    fn a_note_of_other_data_is_not_restored() {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(b"hello");
        let note = hasher.note(5);
        assert!(Hasher::from_note(&note, Algorithm::Sha256, 5).is_some());
        assert!(Hasher::from_note(&note, Algorithm::Sha256, 6).is_none());
        assert!(Hasher::from_note(&note, Algorithm::Sha512, 5).is_none());
        assert!(note.len() <= storage_driver::Writer::MAX_NOTE);
    }

    #[test]
    fn a_malformed_note_is_not_restored() {
        let long = [&b"sha256 5\n"[..], &[0; 1000]].concat();
        let ones = [&b"sha256 5\n"[..], &[0xff; 105]].concat();
        for note in [&b""[..], b"x", b"sha256 5\n", b"sha256 5", &long, &ones] {
            assert!(Hasher::from_note(note, Algorithm::Sha256, 5).is_none());
        }
    }
}
