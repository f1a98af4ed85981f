//! [`Digest`]: what content is called; [`Hasher`]: how that is found out, with pauses.

use std::fmt;

use sha2::{
    Sha256, Sha512,
    digest::{
        Digest as _,
        common::hazmat::{SerializableState, SerializedState},
    },
};

use crate::error::{Code, Error};

/// An algorithm that content can be named by.
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

    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == text)
            .ok_or_else(|| invalid("digests are by sha256 or sha512"))
    }
}

/// The digest of some content, such as `sha256:` and 64 lower-case hexadecimal digits.
///
/// Its bytes rather than its text, so that a set of millions, as a collection holds, stays small.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Digest {
    algorithm: Algorithm,
    /// Behind the bytes of the algorithm, zeroes.
    bytes: [u8; 64],
}

impl Digest {
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let (algorithm, hex) = text
            .split_once(':')
            .ok_or_else(|| invalid("a digest is an algorithm, a colon and hexadecimal digits"))?;
        Self::from_hex(Algorithm::parse(algorithm)?, hex)
    }

    pub(crate) fn from_hex(algorithm: Algorithm, hex: &str) -> Result<Self, Error> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let mut bytes = [0; 64];
        let wrong = || {
            invalid(
                "the digest has other than so many lower-case hexadecimal digits as its algorithm gives",
            )
        };
        if hex.len() != 2 * algorithm.bytes() {
            return Err(wrong());
        }
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            let &[high, low] = pair else { return Err(wrong()) };
            *byte = digit(high).ok_or_else(wrong)? << 4 | digit(low).ok_or_else(wrong)?;
        }
        Ok(Self { algorithm, bytes })
    }

    /// The digest of content that is at hand.
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

fn invalid(text: &'static str) -> Error {
    Error::new(Code::DigestInvalid, text)
}

/// A digest in the making, which can be saved and restored.
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

    /// The state, as `sha2` writes it. [`restore`](Self::restore) takes it back.
    pub(crate) fn save(&self) -> Vec<u8> {
        match self {
            Self::Sha256(hasher) => hasher.serialize().to_vec(),
            Self::Sha512(hasher) => hasher.serialize().to_vec(),
        }
    }

    /// The hasher that was saved; `None` if this is no saved state.
    pub(crate) fn restore(algorithm: Algorithm, saved: &[u8]) -> Option<Self> {
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
    fn what_is_no_digest_is_refused() {
        let (zeroes, upper) = (format!("sha256:{}", "0".repeat(63)), "A".repeat(64));
        let upper = format!("sha256:{upper}");
        let md5 = format!("md5:{}", "0".repeat(32));
        for invalid in ["", ":", "sha256", "sha256:", &zeroes, &upper, &md5, &format!("{zeroes}00")]
        {
            assert!(Digest::parse(invalid).is_err(), "{invalid}");
        }
    }

    #[test]
    fn a_saved_state_goes_on_where_it_was() {
        for algorithm in Algorithm::ALL {
            for cut in [0, 1, 63, 64, 65, 127, 128, 129, 1000] {
                let content: Vec<u8> = (0..=250).cycle().take(2000).collect();
                let mut hasher = Hasher::new(algorithm);
                hasher.update(&content[..cut]);
                let mut restored = Hasher::restore(algorithm, &hasher.save()).unwrap();
                restored.update(&content[cut..]);
                assert_eq!(restored.digest(), Digest::of(algorithm, &content));
            }
        }
    }

    #[test]
    fn what_is_no_state_is_not_restored() {
        for saved in [&b""[..], b"x", &[0xff; 105], &[0; 1000]] {
            assert!(Hasher::restore(Algorithm::Sha256, saved).is_none());
        }
    }
}
