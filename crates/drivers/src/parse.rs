//! How a [`Location`] is parsed.

use std::{ffi::OsString, fmt, str::FromStr};

use percent_encoding::percent_decode_str;

use crate::{ByteSize, Location, ParseLocationError as Error, Root};

impl FromStr for Location {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        // No message then has more than one line.
        if let Some((position, _)) = text.char_indices().find(|(_, c)| c.is_control()) {
            return Err(Error::Control { position });
        }
        let (scheme, rest) =
            text.split_once(':').filter(|(scheme, _)| is_scheme(scheme)).ok_or(Error::NoScheme)?;
        let scheme = scheme.to_ascii_lowercase();
        let parse = match &*scheme {
            "inmemory" => in_memory,
            "file" => file,
            _ => return Err(Error::UnknownScheme { scheme }),
        };
        if rest.contains('#') {
            return Err(Error::Fragment);
        }
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        parse(Parts { path, start: scheme.len() + 1, query })
    }
}

/// What follows a scheme.
struct Parts<'a> {
    path: &'a str,
    /// Where `path` stands in the text.
    start: usize,
    query: &'a str,
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn in_memory(Parts { path, query, .. }: Parts<'_>) -> Result<Location, Error> {
    if !path.is_empty() {
        return Err(Error::InMemoryPath { found: path.to_owned() });
    }
    let capacity = option::<ByteSize>("inmemory", "capacity", query)?;
    Ok(Location::InMemory { capacity: capacity.map(|size| size.0) })
}

fn file(Parts { path, start, query }: Parts<'_>) -> Result<Location, Error> {
    let (host, path, start) = match path.strip_prefix("//") {
        Some(rest) => {
            let host = rest.split('/').next().unwrap_or_default();
            (host, &rest[host.len()..], start + 2 + host.len())
        }
        None => ("", path, start),
    };
    if !host.is_empty() && !host.eq_ignore_ascii_case("localhost") {
        return Err(Error::Host { host: host.to_owned() });
    }
    let root = Root::new(decode(path, start)?)?;
    let durability = option("file", "durability", query)?.unwrap_or_default();
    Ok(Location::File { root, durability })
}

/// The name that a path of a URL stands for, which begins at `start` of the text.
fn decode(path: &str, start: usize) -> Result<OsString, Error> {
    for (at, _) in path.match_indices('%') {
        let digits = path.as_bytes().get(at + 1..at + 3);
        if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
            return Err(Error::Escape { position: start + at });
        }
    }
    name(percent_decode_str(path).collect())
}

#[cfg(unix)]
fn name(bytes: Vec<u8>) -> Result<OsString, Error> {
    Ok(std::os::unix::ffi::OsStringExt::from_vec(bytes))
}

#[cfg(not(unix))]
fn name(bytes: Vec<u8>) -> Result<OsString, Error> {
    String::from_utf8(bytes).map(OsString::from).map_err(|_| Error::NotUtf8)
}

/// The value of `known`, the one key that the query of this scheme may have.
fn option<T: FromStr<Err: fmt::Display>>(
    scheme: &'static str,
    known: &'static str,
    query: &str,
) -> Result<Option<T>, Error> {
    let mut found = None;
    for pair in query.split('&').filter(|_| !query.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if key != known {
            return Err(Error::UnknownKey { scheme, key: key.to_owned(), known });
        }
        if found.is_some() {
            return Err(Error::RepeatedKey { key: known });
        }
        let parsed = value.parse().map_err(|why: T::Err| Error::Value {
            key: known,
            value: value.to_owned(),
            why: why.to_string(),
        });
        found = Some(parsed?);
    }
    Ok(found)
}
