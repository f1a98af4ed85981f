//! How a [`Location`] is parsed.

use std::{ffi::OsString, fmt, str::FromStr};

use percent_encoding::percent_decode_str;
use storage_driver::Path;

use crate::{
    BucketLocation, ByteSize, Location, ParseLocationError as Error, Root, Service,
    bucket::{Endpoint, is_word},
};

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
        let parse: fn(Parts<'_>) -> Result<Location, Error> = match &*scheme {
            "inmemory" => in_memory,
            "file" => file,
            "s3" => |parts: Parts<'_>| bucket(Service::S3, parts),
            "gs" => |parts: Parts<'_>| bucket(Service::Gcs, parts),
            "az" => |parts: Parts<'_>| bucket(Service::Azure, parts),
            "bucket" => bucket_in_memory,
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
    let mut query = Query { scheme: "inmemory", known: "`capacity`", pairs: pairs(query) };
    let capacity = query.take::<ByteSize>("capacity")?;
    query.end()?;
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
    let known = "`durability` and `read_only`";
    let mut query = Query { scheme: "file", known, pairs: pairs(query) };
    let durability = query.take("durability")?.unwrap_or_default();
    let read_only = query.take("read_only")?.unwrap_or_default();
    query.end()?;
    Ok(Location::File { root, durability, read_only })
}

/// Parameters that would hold credentials have one of these in their names.
const SECRETS: [&str; 7] = ["key", "secret", "token", "sas", "sig", "password", "credential"];

fn bucket(service: Service, Parts { path, query, .. }: Parts<'_>) -> Result<Location, Error> {
    let scheme = service.scheme();
    let pairs = pairs(query);
    // First of all, so that no other error repeats them.
    if path.contains('@') {
        return Err(Error::Credentials { place: "`user@`".to_owned() });
    }
    for (key, value) in &pairs {
        let lower = key.to_ascii_lowercase();
        if SECRETS.iter().any(|secret| lower.contains(secret)) || value.contains('@') {
            return Err(Error::Credentials { place: format!("parameter `{key}`") });
        }
    }
    let path = path.strip_prefix("//").ok_or(Error::BucketName { scheme })?;
    let (name, prefix) = path.split_once('/').unwrap_or((path, ""));
    if !is_word(name) {
        return Err(Error::BucketName { scheme });
    }
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    let prefix = Path::parse(format!("/{prefix}"))
        .map_err(|why| Error::Prefix { prefix: prefix.to_owned(), why })?;
    let known = match service {
        Service::S3 => "`endpoint`, `memory`, `read_only` and `region`",
        Service::Gcs => "`endpoint`, `memory` and `read_only`",
        Service::Azure => "`account`, `endpoint`, `memory` and `read_only`",
    };
    let mut query = Query { scheme, known, pairs };
    let endpoint: Option<Endpoint> = query.take("endpoint")?;
    let memory = query.take::<ByteSize>("memory")?;
    let read_only = query.take("read_only")?.unwrap_or_default();
    let region = if service == Service::S3 { query.take("region")? } else { None };
    let account = if service == Service::Azure { query.take("account")? } else { None };
    query.end()?;
    let bucket = name.to_owned();
    Ok(Location::Bucket(BucketLocation {
        service,
        bucket,
        prefix,
        endpoint,
        region,
        account,
        memory,
        read_only,
    }))
}

fn bucket_in_memory(Parts { path, query, .. }: Parts<'_>) -> Result<Location, Error> {
    match (path, query) {
        ("memory", "") => Ok(Location::BucketInMemory),
        _ => Err(Error::BucketMemory),
    }
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

/// The pairs of a query that were not taken yet.
struct Query<'a> {
    scheme: &'static str,
    /// The keys that the scheme knows, as a text for people.
    known: &'static str,
    pairs: Vec<(&'a str, &'a str)>,
}

fn pairs(query: &str) -> Vec<(&str, &str)> {
    let pairs = query.split('&').filter(|_| !query.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect()
}

impl Query<'_> {
    /// The value of a key, if it is given.
    fn take<T: FromStr<Err: fmt::Display>>(
        &mut self,
        key: &'static str,
    ) -> Result<Option<T>, Error> {
        let mut values = self.pairs.extract_if(.., |(found, _)| *found == key);
        let Some((_, value)) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(Error::RepeatedKey { key });
        }
        value.parse().map(Some).map_err(|why: T::Err| Error::Value {
            key,
            value: value.to_owned(),
            why: why.to_string(),
        })
    }

    /// Fails if there is a key that was not taken.
    fn end(self) -> Result<(), Error> {
        let Self { scheme, known, pairs } = self;
        match pairs.first() {
            Some((key, _)) => Err(Error::UnknownKey { scheme, key: (*key).to_owned(), known }),
            None => Ok(()),
        }
    }
}
