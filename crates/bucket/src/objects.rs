//! [`Objects`]: the bucket as keys with conditions, below one prefix.

pub(crate) mod decide;
mod delete;
mod list;
mod multiparts;
mod publish;

use std::{
    ops::Range,
    sync::atomic::{AtomicBool, Ordering},
    time::SystemTime,
};

use bytes::Bytes;
use futures::StreamExt;
use object_store::{
    Attribute, Attributes, GetOptions, GetRange, GetResult, ObjectStore, ObjectStoreExt, PutMode,
    PutOptions, PutPayload, UpdateVersion, path::Path as Key,
};
use serde::{Deserialize, Serialize};
use storage_driver::Result;

use crate::{
    clients::Clients,
    envelope::{self, Envelope, Kind, Sealed},
    error::{corrupted, explain, is_absent, status},
};

pub(crate) use decide::{Begun, Decision, Expect, Removal};
pub(crate) use list::{Item, Items, Listing};
pub(crate) use publish::{Published, State};

/// How much of an object one look reads: enough for the header of most records, and for the note of an upload.
const LOOK: u64 = 16 << 10;
/// How often a deletion is tried.
const DELETIONS: u32 = 4;
/// The largest envelope that is read whole.
const MAX_ENVELOPE: u64 = 64 << 20;

/// The identity of one state of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tag {
    /// Without quotes.
    #[serde(rename = "e", skip_serializing_if = "Option::is_none", default)]
    etag: Option<String>,
    /// The generation, on Google Cloud Storage.
    #[serde(rename = "v", skip_serializing_if = "Option::is_none", default)]
    version: Option<String>,
}

impl Tag {
    fn new(etag: Option<String>, version: Option<String>) -> Self {
        let etag = etag.map(|etag| etag.trim_matches('"').to_owned());
        Self { etag: etag.filter(|etag| !etag.is_empty()), version }
    }

    /// As text, for the version of an object that is no record.
    pub(crate) fn text(&self) -> String {
        self.version.clone().or_else(|| self.etag.clone()).unwrap_or_default()
    }
}

/// An object, as far as it was read.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) tag: Tag,
    pub(crate) size: u64,
    pub(crate) modified: SystemTime,
    /// `None` if it is an object of someone else.
    pub(crate) envelope: Option<Envelope>,
}

impl Found {
    pub(crate) fn is(&self, kind: Kind) -> bool {
        self.envelope.as_ref().is_some_and(|envelope| envelope.kind == kind)
    }
}

/// The objects of a bucket below a prefix.
#[derive(Debug)]
pub(crate) struct Objects {
    clients: Clients,
    /// Empty, or with a slash at its end.
    root: String,
    quoted: AtomicBool,
    deletes_conditionally: AtomicBool,
    deletes_tell: AtomicBool,
    keeps_directories: AtomicBool,
}

impl Objects {
    pub(crate) fn new(clients: Clients, root: String) -> Self {
        Self {
            clients,
            root,
            quoted: AtomicBool::new(true),
            deletes_conditionally: AtomicBool::new(true),
            deletes_tell: AtomicBool::new(false),
            keeps_directories: AtomicBool::new(false),
        }
    }

    /// Whether the ETag in `If-Match` has its quotes.
    pub(crate) fn set_quoted(&self, quoted: bool) {
        self.quoted.store(quoted, Ordering::Relaxed);
    }

    /// Whether a DELETE can carry a condition. Otherwise tombstones stand for absence.
    pub(crate) fn deletes_conditionally(&self) -> bool {
        self.deletes_conditionally.load(Ordering::Relaxed)
    }

    pub(crate) fn set_deletes_conditionally(&self, value: bool) {
        self.deletes_conditionally.store(value, Ordering::Relaxed);
    }

    /// Whether a conditional DELETE of nothing fails, so that of two deletions one is known to be the first.
    pub(crate) fn deletes_tell(&self) -> bool {
        self.deletes_conditionally() && self.deletes_tell.load(Ordering::Relaxed)
    }

    pub(crate) fn set_deletes_tell(&self, value: bool) {
        self.deletes_tell.store(value, Ordering::Relaxed);
    }

    /// Whether a listing by directory can show a directory in which nothing is: one of tombstones, or one that the
    /// server has kept when the last object in it was removed.
    pub(crate) fn shows_empty_directories(&self) -> bool {
        !self.deletes_conditionally() || self.keeps_directories.load(Ordering::Relaxed)
    }

    pub(crate) fn set_keeps_directories(&self, value: bool) {
        self.keeps_directories.store(value, Ordering::Relaxed);
    }

    pub(crate) fn clients(&self) -> &Clients {
        &self.clients
    }

    /// The key of the engine. All keys of the driver are valid ones.
    pub(crate) fn key(&self, key: &str) -> Result<Key> {
        self.engine_key(key).map_err(|error| corrupted(key, error))
    }

    fn engine_key(&self, key: &str) -> object_store::Result<Key> {
        Ok(Key::parse(format!("{}{key}", self.root))?)
    }

    fn etag(&self, tag: &Tag) -> Option<String> {
        let quoted = self.quoted.load(Ordering::Relaxed);
        tag.etag.as_ref().map(|etag| if quoted { format!("\"{etag}\"") } else { etag.clone() })
    }

    fn mode(&self, expect: &Expect) -> PutMode {
        match expect {
            Expect::Absent => PutMode::Create,
            Expect::Tag(tag) => self.update(tag),
        }
    }

    /// A put that replaces exactly the state `tag`.
    pub(crate) fn update(&self, tag: &Tag) -> PutMode {
        let version = tag.version.clone();
        PutMode::Update(UpdateVersion { e_tag: self.etag(tag), version })
    }

    /// The options of a put of an object of the driver's own.
    pub(crate) fn options(&self) -> PutOptions {
        ours()
    }

    /// Reads the beginning of an object, or all of a small one. `None` if there is none.
    pub(crate) async fn look(&self, key: &str) -> Result<Option<Found>> {
        let mut length = LOOK;
        loop {
            let Some(got) = self.get(key, Some(0..length), None).await? else { return Ok(None) };
            let (found, bytes) = collect(got, key).await?;
            match opened(&bytes) {
                Some(Err(needed)) if (needed as u64) <= MAX_ENVELOPE && needed as u64 > length => {
                    length = needed as u64;
                }
                Some(Ok(envelope)) => return Ok(Some(Found { envelope: Some(envelope), ..found })),
                _ => return Ok(Some(found)),
            }
        }
    }

    /// Reads an envelope whole. An object that is none is returned without its content.
    pub(crate) async fn fetch(&self, key: &str) -> Result<Option<Found>> {
        match self.open(key).await? {
            None => Ok(None),
            Some(Opened::Envelope(found)) => Ok(Some(found)),
            Some(Opened::Foreign(found, _)) => Ok(Some(found)),
        }
    }

    /// Starts to read an object; an envelope is read whole.
    pub(crate) async fn open(&self, key: &str) -> Result<Option<Opened>> {
        let Some(got) = self.get(key, None, None).await? else { return Ok(None) };
        let ours = content_type(&got.attributes) == Some(envelope::CONTENT_TYPE);
        if !ours || got.meta.size > MAX_ENVELOPE {
            let found = found_of(&got);
            return Ok(Some(Opened::Foreign(found, got)));
        }
        let (found, bytes) = collect(got, key).await?;
        match opened(&bytes) {
            Some(Ok(envelope)) => {
                Ok(Some(Opened::Envelope(Found { envelope: Some(envelope), ..found })))
            }
            // The type alone does not make a record.
            _ => match self.get(key, None, Some(&found.tag)).await? {
                None => Ok(None),
                Some(got) => Ok(Some(Opened::Foreign(found, got))),
            },
        }
    }

    /// A GET; `None` if there is no object. A range of an empty object gives the empty object.
    pub(crate) async fn get(
        &self,
        key: &str,
        range: Option<Range<u64>>,
        tag: Option<&Tag>,
    ) -> Result<Option<GetResult>> {
        let location = self.key(key)?;
        let mut options = GetOptions {
            range: range.clone().map(GetRange::Bounded),
            if_match: tag.and_then(|tag| self.etag(tag)),
            ..GetOptions::default()
        };
        match self.clients.reads.get_opts(&location, options.clone()).await {
            Ok(got) => Ok(Some(got)),
            Err(error) if is_absent(&error) => Ok(None),
            // The range of an empty object is past its end.
            Err(error) if range.is_some() && status(&error) == Some(416) => {
                options.range = None;
                match self.clients.reads.get_opts(&location, options).await {
                    Ok(got) => Ok(Some(got)),
                    Err(error) if is_absent(&error) => Ok(None),
                    Err(error) => Err(explain(error)),
                }
            }
            Err(object_store::Error::Precondition { source, .. }) => {
                Err(storage_driver::Error::new(storage_driver::ErrorKind::ContentChanged)
                    .with_source(source))
            }
            Err(error) => Err(explain(error)),
        }
    }

    /// Stores an object under a key that nothing else uses.
    pub(crate) async fn put_fresh(&self, key: &str, payload: PutPayload) -> Result<()> {
        let location = self.key(key)?;
        self.clients.bulk.put(&location, payload).await.map_err(explain)?;
        Ok(())
    }

    /// Stores an object that decides nothing.
    pub(crate) async fn put_hint(&self, key: &str, sealed: Sealed) -> Result<()> {
        let location = self.key(key)?;
        let put = self.clients.bulk.put_opts(&location, sealed.bytes, ours());
        put.await.map_err(explain)?;
        Ok(())
    }

    /// Removes an object that nothing can write any more.
    pub(crate) async fn delete_final(&self, key: &str) -> Result<()> {
        let location = &self.key(key)?;
        // The engine repeats no DELETE that has got lost.
        decide::repeat(DELETIONS, |_| async move {
            match self.clients.bulk.delete(location).await {
                Err(error) if !is_absent(&error) => Err(explain(error)),
                _ => Ok(()),
            }
        })
        .await
    }

    /// Copies an object by the server, for objects of someone else that become records. After a failure, `to` may
    /// be written later and with other content: use another key.
    pub(crate) async fn copy(&self, from: &str, to: &str) -> Result<()> {
        let (from, to) = (self.key(from)?, self.key(to)?);
        self.clients.copies.copy(&from, &to).await.map_err(explain)
    }

    /// The metadata of an object.
    pub(crate) async fn size(&self, key: &str) -> Result<Option<u64>> {
        match self.clients.reads.head(&self.key(key)?).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(explain(error)),
        }
    }
}

/// An object that was opened for reading.
pub(crate) enum Opened {
    Envelope(Found),
    Foreign(Found, GetResult),
}

fn ours() -> PutOptions {
    let mut attributes = Attributes::new();
    attributes.insert(Attribute::ContentType, envelope::CONTENT_TYPE.into());
    PutOptions { attributes, ..PutOptions::default() }
}

fn content_type(attributes: &Attributes) -> Option<&str> {
    attributes.get(&Attribute::ContentType).map(AsRef::as_ref)
}

fn opened(bytes: &Bytes) -> Option<std::result::Result<Envelope, usize>> {
    Envelope::open(bytes)
}

fn found_of(got: &GetResult) -> Found {
    Found {
        tag: Tag::new(got.meta.e_tag.clone(), got.meta.version.clone()),
        size: got.meta.size,
        modified: got.meta.last_modified.into(),
        envelope: None,
    }
}

/// Reads the body of a GET. What is not ours by its type is left unread.
async fn collect(got: GetResult, key: &str) -> Result<(Found, Bytes)> {
    let found = found_of(&got);
    if content_type(&got.attributes) != Some(envelope::CONTENT_TYPE) {
        return Ok((found, Bytes::new()));
    }
    let length = got.range.end - got.range.start;
    if length > MAX_ENVELOPE {
        return Ok((found, Bytes::new()));
    }
    let mut bytes = bytes::BytesMut::with_capacity(length as usize);
    let mut stream = got.into_stream();
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk.map_err(explain)?);
    }
    if bytes.len() as u64 != length {
        let text = format!("the response ended after {} of {length} bytes", bytes.len());
        return Err(corrupted(key, text));
    }
    Ok((found, bytes.freeze()))
}
