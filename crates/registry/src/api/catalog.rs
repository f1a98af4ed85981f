//! The catalog: the repositories that the sender of a request may pull from, a page at a time.

use std::fmt::Write;

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, Generate, Key, KeyInit},
};
use http::request::Parts;

use super::Api;
use crate::{
    access::Action,
    error::{Code, Error, Result},
    name::Name,
};

/// How many repositories one request scans. A page that is not full by then ends, and the next page
/// continues from there.
const MAX_SCANNED: usize = 10_000;

/// A page of the catalog.
pub(crate) struct Repositories {
    pub(crate) names: Vec<Name>,
    /// The value of `last` for the next page, if there may be one.
    pub(crate) next: Option<String>,
}

impl Api {
    /// At most `limit` repositories that come after `last` and that the sender may pull from.
    pub(crate) async fn repositories(
        &self,
        parts: &Parts,
        last: Option<&str>,
        limit: usize,
    ) -> Result<Repositories> {
        self.admit(parts, None, Action::Catalog).await?;
        let last = last.filter(|last| !last.is_empty());
        let mut last = last.map(|last| self.cursors.parse(last)).transpose()?;
        let mut names = Vec::new();
        if limit == 0 {
            return Ok(Repositories { names, next: None });
        }
        // One more than the page has, to know whether another follows.
        let (mut scanned, mut size) = (0, limit + 1);
        loop {
            let page = self.store.catalog(last.as_ref(), size).await?;
            scanned += page.items.len();
            last = page.items.last().cloned().or(last);
            names.extend(self.visible(parts, page.items).await?);
            if names.len() > limit {
                names.truncate(limit);
                let next = names.last().map(Name::to_string);
                return Ok(Repositories { names, next });
            }
            if !page.more || scanned >= MAX_SCANNED {
                let next = last.filter(|_| page.more).map(|last| self.cursors.seal(&last));
                return Ok(Repositories { names, next: next.transpose()? });
            }
            size = (size * 2).min(MAX_SCANNED - scanned);
        }
    }

    async fn visible(&self, parts: &Parts, names: Vec<Name>) -> Result<Vec<Name>> {
        let Some(authorize) = &self.authorize else { return Ok(names) };
        let asked: Vec<&str> = names.iter().map(Name::as_str).collect();
        let allowed = authorize.may_pull(parts, &asked).await?;
        let names = names.into_iter().zip(allowed);
        Ok(names.filter_map(|(name, allowed)| allowed.then_some(name)).collect())
    }
}

/// Encrypts positions in the catalog.
///
/// The position after a page is the name of its last repository. A page that ends because the scan was
/// long ends at a repository that the client may not see, and the link must not reveal that name.
pub(super) struct Cursors(XChaCha20Poly1305);

/// Prefix of an encrypted position. No name starts with it.
const SEALED: char = '~';

/// The size of a nonce, in bytes.
const NONCE: usize = 24;

impl Cursors {
    /// Makes a new key: positions that another process encrypted, or that are from before a restart, are
    /// refused.
    pub(super) fn new() -> Self {
        Self(XChaCha20Poly1305::new(&Key::<XChaCha20Poly1305>::generate()))
    }

    fn seal(&self, name: &Name) -> Result<String> {
        // Padded, so that the length of the name is not revealed either.
        let mut padded = name.as_str().as_bytes().to_vec();
        padded.resize(Name::MAX_BYTES, 0);
        let nonce = XNonce::generate();
        let sealed = self.0.encrypt(&nonce, &*padded);
        let sealed = sealed.map_err(|error| Error::new(Code::Unknown, error))?;
        let mut text = String::from(SEALED);
        for byte in nonce.iter().chain(&sealed) {
            let _ = write!(text, "{byte:02x}");
        }
        Ok(text)
    }

    /// Parses `last`: a name or an encrypted position.
    fn parse(&self, text: &str) -> Result<Name> {
        let Some(sealed) = text.strip_prefix(SEALED) else { return Name::parse(text) };
        self.open(sealed).ok_or_else(|| {
            Error::new(
                Code::NameInvalid,
                "this `last` is not understood; begin with the first page",
            )
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
        let padded = self.0.decrypt(&XNonce::try_from(nonce).ok()?, sealed).ok()?;
        let name = std::str::from_utf8(&padded).ok()?;
        Name::parse(name.trim_end_matches('\0')).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_position_is_opened_and_tells_no_name() {
        let (cursors, name) = (Cursors::new(), Name::parse("team/secret").unwrap());
        let sealed = cursors.seal(&name).unwrap();
        assert_eq!(cursors.parse(&sealed).unwrap(), name);
        assert_eq!(sealed.len(), cursors.seal(&Name::parse("a").unwrap()).unwrap().len());
        assert_ne!(cursors.seal(&name).unwrap(), sealed);
    }

    #[test]
    fn a_position_that_was_sealed_elsewhere_or_changed_is_refused() {
        let (cursors, name) = (Cursors::new(), Name::parse("a").unwrap());
        let sealed = cursors.seal(&name).unwrap();
        let cut = &sealed[..sealed.len() - 1];
        for text in ["~", "~0", "~zz", "~\u{e4}", cut, &format!("{sealed}00")] {
            assert!(cursors.parse(text).is_err(), "{text}");
        }
        assert!(Cursors::new().parse(&sealed).is_err());
    }
}
