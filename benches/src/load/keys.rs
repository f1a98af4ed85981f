//! [`Trace`]: requests that were recorded for one image, of which those for other images are made.

use std::{
    fmt::Write,
    hash::{DefaultHasher, Hash, Hasher},
};

use super::recorder::{Kind, Sent};

/// The repository of recorded requests.
pub(super) const REPOSITORY: &str = "recorded";

const HEX: &[u8; 16] = b"0123456789abcdef";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// So many characters of a random name are drawn. No service looks further.
const DRAWN: usize = 10;
/// The shortest random name in a key, except the first two digits of a digest.
const NAME: usize = 16;

/// A part of a key.
#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Repository,
    /// Random characters, the same wherever the recorded ones were the same.
    Random {
        recorded: u64,
        alphabet: &'static [u8],
        length: usize,
    },
}

impl Part {
    /// The part that stands for a component of a key, before the component `next`.
    fn of(component: &str, next: &str) -> Self {
        let is_hex = |text: &str| {
            text.len() >= NAME && text.bytes().all(|it| it == b'-' || HEX.contains(&it))
        };
        let random = |name: &str, alphabet, length| Self::Random {
            recorded: hashed(name),
            alphabet,
            length,
        };
        match component {
            REPOSITORY => Self::Repository,
            _ if is_hex(component) => random(component, HEX, DRAWN),
            // The first digits of the digest that follows.
            _ if !component.is_empty() && is_hex(next) && next.starts_with(component) => {
                random(next, HEX, component.len())
            }
            // A tag, or the name of data of the driver.
            _ if component.len() >= NAME => random(component, BASE64, DRAWN),
            _ => Self::Text(component.to_owned()),
        }
    }
}

/// What an action sends.
#[derive(Debug, Clone)]
pub(super) struct Trace(Vec<(Kind, Vec<Part>)>);

impl Trace {
    pub(super) fn of(sent: &[Sent]) -> Self {
        let parts = |key: &str| {
            let components: Vec<&str> = key.split('/').collect();
            let next = |at: usize| components.get(at + 1).copied().unwrap_or_default();
            components.iter().enumerate().map(|(at, it)| Part::of(it, next(at))).collect()
        };
        Self(sent.iter().map(|sent| (sent.kind, parts(&sent.key))).collect())
    }

    /// The same for the image of this number, in the repository of this number.
    pub(super) fn drawn(
        &self,
        repository: usize,
        image: u64,
    ) -> impl Iterator<Item = (Kind, String)> {
        self.0.iter().map(move |(kind, parts)| (*kind, key(parts, repository, image)))
    }
}

fn key(parts: &[Part], repository: usize, image: u64) -> String {
    let mut key = String::new();
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            key.push('/');
        }
        match part {
            Part::Text(text) => key.push_str(text),
            Part::Repository => {
                // The busiest ones are not next to each other.
                let _ = write!(key, "{:08x}", hashed(repository) as u32);
            }
            Part::Random { recorded, alphabet, length } => {
                let mut state = hashed((recorded, image));
                for _ in 0..*length {
                    key.push(char::from(alphabet[(state % alphabet.len() as u64) as usize]));
                    state /= alphabet.len() as u64;
                }
            }
        }
    }
    key
}

fn hashed(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX_DIGEST: &str = "ab35c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn drawn(keys: &[&str], image: u64) -> Vec<String> {
        let sent = keys.iter().map(|key| Sent { kind: Kind::Read, key: (*key).to_owned() });
        Trace::of(&sent.collect::<Vec<_>>()).drawn(7, image).map(|(_, key)| key).collect()
    }

    #[test]
    fn the_same_name_is_drawn_alike_in_all_keys_of_an_image() {
        let keys = [format!("blobs/sha256/ab/{HEX_DIGEST}/data"), format!("_layers/{HEX_DIGEST}")];
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let (one, two) = (drawn(&keys, 1), drawn(&keys, 2));
        let digits = one[1].strip_prefix("_layers/").unwrap();
        assert_eq!(one[0], format!("blobs/sha256/{}/{digits}/data", &digits[..2]));
        assert_ne!(one, two);
    }

    #[test]
    fn names_that_are_not_random_stay() {
        let keys = ["docker/registry/v2/repositories/recorded/_uploads", "!trash/-/"];
        let drawn = drawn(&keys, 1);
        let name = drawn[0].strip_prefix("docker/registry/v2/repositories/").unwrap();
        assert_eq!(name.split_once('/').unwrap().1, "_uploads");
        assert_eq!(drawn[1], "!trash/-/");
    }
}
