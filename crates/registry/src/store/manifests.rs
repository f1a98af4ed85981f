//! Manifests of a repository: push, pull, delete.

use std::time::Instant;

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use storage_driver::{Metadata, Payload, Precondition, ReadRange, StorageDriverExt};

use super::{
    CONCURRENCY, Hold, Store,
    accept::Accept,
    manifest::{DOCKER_LIST, Manifest, OCI_INDEX, Referred},
    warn_unreadable,
};
use crate::{
    digest::{Algorithm, Digest},
    error::{Code, Error, Result},
    layout,
    name::{Name, Reference, Tag},
};

/// A manifest as it is served.
#[derive(Debug, Clone)]
pub(crate) struct Served {
    pub(crate) digest: Digest,
    pub(crate) media_type: String,
    pub(crate) content: Bytes,
}

/// What came of a push.
#[derive(Debug)]
pub(crate) struct Pushed {
    pub(crate) digest: Digest,
    pub(crate) subject: Option<Digest>,
}

impl Store {
    /// Stores a manifest, and has `tags` name it.
    pub(crate) async fn put_manifest(
        &self,
        name: &Name,
        reference: &Reference,
        tags: &[Tag],
        content_type: Option<&str>,
        content: Bytes,
    ) -> Result<Pushed> {
        let manifest = Manifest::check(&content, content_type)?;
        let digest = match reference {
            Reference::Tag(_) => Digest::of(Algorithm::Sha256, &content),
            Reference::Digest(expected) => {
                let digest = Digest::of(expected.algorithm(), &content);
                if digest != *expected {
                    let text = format_args!("the manifest is {digest}, not {expected}").to_string();
                    return Err(Error::new(Code::DigestInvalid, text));
                }
                digest
            }
        };
        let subject = manifest.subject()?;
        let references = manifest.references()?;
        let noted = manifest.own_type().is_none().then_some(content_type).flatten();
        loop {
            let since = Instant::now();
            let held = || since.elapsed() < self.options.grace / 2;
            self.require(name, &references).await?;

            let push = self.locks.push(name).await;
            if self.options.immutable_tags {
                for tag in tags {
                    self.require_free(name, tag, &digest).await?;
                }
            }
            self.put_manifest_blob(&digest, content.clone()).await?;
            let link = self.put_link(&layout::revision(name, &digest), &digest).await?;
            // After the link: see how a collection takes them from an untagged manifest.
            if let Some(kind) = noted {
                self.driver.put(&layout::media_type(name, &digest), kind.to_owned()).await?;
            }
            if let Some(subject) = &subject {
                self.put_link(&layout::referrer(name, subject, &digest), &digest).await?;
            }
            if !held()
                && let Err(error) = self.require(name, &references).await
            {
                if error.code() == Code::ManifestBlobUnknown {
                    // Collected in between. Nobody was told that the manifest is there.
                    let seen = Precondition::IfVersion(link.version);
                    match self.driver.delete(&link.path, seen).await {
                        Err(error) if !error.is_not_found() && !error.is_precondition_failed() => {
                            return Err(error.into());
                        }
                        _ => {}
                    }
                }
                return Err(error);
            }
            for tag in tags {
                self.put_tag(&push, name, tag, &digest).await?;
            }
            match held() {
                true => return Ok(Pushed { digest, subject }),
                false => match self.held_manifest(name, &digest, Hold::Required).await {
                    Ok(()) => return Ok(Pushed { digest, subject }),
                    Err(error) if error.code() == Code::ManifestUnknown => {}
                    Err(error) => return Err(error),
                },
            }
        }
    }

    /// Makes sure that what a manifest refers to is in the repository, and stays.
    async fn require(&self, name: &Name, references: &[Referred]) -> Result<()> {
        let missing = |digest: &Digest| {
            let text = format!("the manifest refers to {digest}, which is not in this repository");
            Error::new(Code::ManifestBlobUnknown, text)
        };
        stream::iter(references.iter().map(Ok))
            .try_for_each_concurrent(CONCURRENCY, |referred| async move {
                let (digest, found) = match referred {
                    Referred::Blob(digest) => {
                        (digest, self.held_blob(name, digest, Hold::Required).await.map(drop))
                    }
                    Referred::Manifest(_) if self.options.sparse_indexes => return Ok(()),
                    Referred::Manifest(digest) => {
                        (digest, self.held_manifest(name, digest, Hold::Required).await)
                    }
                };
                found.map_err(|error| match error.code() {
                    Code::BlobUnknown | Code::ManifestUnknown => missing(digest),
                    _ => error,
                })
            })
            .await
    }

    /// Makes sure that a manifest is in the repository, for a client that is told so: see
    /// [`Store::hold`].
    pub(crate) async fn hold_manifest(&self, name: &Name, digest: &Digest) -> Result<()> {
        self.held_manifest(name, digest, Hold::IfPossible).await
    }

    /// As [`hold_manifest`](Self::hold_manifest). A collection takes the content, as of a blob, and the
    /// link, of an untagged manifest.
    async fn held_manifest(&self, name: &Name, digest: &Digest, hold: Hold) -> Result<()> {
        if let Some(link) = self.file(&layout::revision(name, digest)).await?
            && self.hold(&link, hold).await?
            && let Some(content) = self.content(digest).await?
            && self.hold(&content, hold).await?
        {
            return Ok(());
        }
        Err(unknown(digest))
    }

    /// Stores the content of a manifest. The same content stays as it is, which spares a write; damaged
    /// content is replaced.
    async fn put_manifest_blob(&self, digest: &Digest, content: Bytes) -> Result<()> {
        let path = layout::blob(digest);
        loop {
            let precondition = match self.file(&path).await? {
                Some(file) if self.has_content(&file, &content).await? => {
                    match self.hold(&file, Hold::Required).await? {
                        true => return Ok(()),
                        false => continue,
                    }
                }
                Some(damaged) => {
                    tracing::warn!(%path, "this manifest is damaged and is replaced");
                    self.if_version(damaged.version)
                }
                None if self.capabilities.conditional_put => Precondition::IfAbsent,
                None => Precondition::None,
            };
            let content = Payload::from(content.clone());
            match self.driver.put_content(&path, content, precondition).await {
                Ok(_) => return Ok(()),
                Err(error) if error.is_precondition_failed() => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Whether a file has this content. A file that cannot be read has not.
    async fn has_content(&self, file: &Metadata, content: &[u8]) -> Result<bool> {
        if file.size != content.len() as u64 {
            return Ok(false);
        }
        let compare: storage_driver::Result<bool> = async {
            let mut reader = self.driver.reader(&file.path, ReadRange::default()).await?;
            let mut rest = content;
            while let Some(chunk) = reader.try_next().await? {
                match rest.strip_prefix(&*chunk) {
                    Some(more) => rest = more,
                    None => return Ok(false),
                }
            }
            Ok(rest.is_empty())
        }
        .await;
        match compare {
            Err(error) if error.is_retryable() => Err(error.into()),
            compared => Ok(compared.unwrap_or(false)),
        }
    }

    /// Finds a manifest for a client that takes `accept`.
    pub(crate) async fn manifest(
        &self,
        name: &Name,
        reference: &Reference,
        accept: &Accept,
    ) -> Result<Served> {
        let digest = match reference {
            Reference::Digest(digest) => *digest,
            Reference::Tag(tag) => match self.link(&layout::current(name, tag)).await? {
                Some(digest) => digest,
                None => return Err(unknown(tag)),
            },
        };
        let served = self.manifest_of(name, &digest).await?;
        if accept.takes(&served.media_type) {
            return Ok(served);
        }
        if let (Reference::Tag(_), DOCKER_LIST | OCI_INDEX) = (reference, &*served.media_type)
            && let Some(child) = Manifest::parse(&served.content)?.default_child()
        {
            let child = self.manifest_of(name, &child).await?;
            if accept.takes(&child.media_type) {
                return Ok(child);
            }
        }
        let text = format!("the manifest is of type {}, which is not in Accept", served.media_type);
        Err(Error::new(Code::ManifestUnknown, text))
    }

    /// A manifest of the repository by its digest.
    pub(crate) async fn manifest_of(&self, name: &Name, digest: &Digest) -> Result<Served> {
        if self.file(&layout::revision(name, digest)).await?.is_none() {
            return Err(unknown(digest));
        }
        let content = self.manifest_content(digest).await?.ok_or_else(|| unknown(digest))?;
        let own = Manifest::parse(&content).ok().and_then(|it| it.own_type().map(str::to_owned));
        let media_type = match own {
            Some(own) => own,
            None => self.noted_type(name, digest).await?,
        };
        Ok(Served { digest: *digest, media_type, content })
    }

    /// The content of a manifest, whatever repository it is in; `None` where there is none, or damaged
    /// content: clients that are told that a manifest is missing push it again.
    ///
    /// One that was taken under another limit, or by another registry, is served all the same, up to
    /// four times the limit.
    pub(crate) async fn manifest_content(&self, digest: &Digest) -> Result<Option<Bytes>> {
        let limit = self.options.max_manifest_size.saturating_mul(4);
        let path = layout::blob(digest);
        match self.driver.get_content(&path, limit).await {
            Ok(content) => {
                let content = content.into_bytes();
                if Digest::of(digest.algorithm(), &content) == *digest {
                    return Ok(Some(content));
                }
                tracing::warn!(%path, "this manifest is damaged and is treated as missing");
                Ok(None)
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn noted_type(&self, name: &Name, digest: &Digest) -> Result<String> {
        match self.driver.get_bytes(&layout::media_type(name, digest), 1024).await {
            Ok(noted) => Ok(String::from_utf8_lossy(&noted).into_owned()),
            Err(error) if error.is_not_found() => Ok("application/json".to_owned()),
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes a manifest, and every tag that names it.
    ///
    /// With a driver that has preconditions, tags are found and deleted while others push: a tag that
    /// moves meanwhile stays. Pushes only wait for the deletion of the manifest itself.
    pub(crate) async fn delete_manifest(&self, name: &Name, digest: &Digest) -> Result<()> {
        if self.file(&layout::revision(name, digest)).await?.is_none() {
            return Err(unknown(digest));
        }
        let mut deletion = self.locks.delete(name);
        let has_preconditions = self.capabilities.conditional_put;
        if has_preconditions {
            self.delete_or_refuse(name, self.all_tags(name), digest).await?;
        }
        let subject = match self.manifest_content(digest).await {
            Ok(content) => content
                .and_then(|content| Manifest::parse(&content).and_then(|it| it.subject()).ok())
                .flatten(),
            Err(error) if error.is_retryable() => return Err(error),
            Err(error) => {
                warn_unreadable(&layout::blob(digest), &error.into_cause());
                None
            }
        };

        let set_meanwhile = deletion.exclude().await;
        let tags = match has_preconditions {
            true => stream::iter(set_meanwhile.into_iter().map(Ok)).left_stream(),
            false => self.all_tags(name).right_stream(),
        };
        self.delete_or_refuse(name, tags, digest).await?;
        // The revision last: a deletion that is cut off can be asked for again.
        if let Some(subject) = subject {
            let referrer = layout::referrer(name, &subject, digest);
            self.driver.delete_many(&[referrer]).await?;
        }
        match self.driver.delete(&layout::revision_dir(name, digest), Precondition::None).await {
            Err(error) if !error.is_not_found() => Err(error.into()),
            _ => Ok(()),
        }
    }

    async fn delete_or_refuse(
        &self,
        name: &Name,
        tags: impl Stream<Item = Result<Tag>> + Send,
        digest: &Digest,
    ) -> Result<()> {
        match self.options.immutable_tags {
            true => self.require_untagged(name, tags, digest).await,
            false => self.delete_tags_of(name, tags, digest).await,
        }
    }
}

pub(super) fn unknown(what: impl std::fmt::Display) -> Error {
    Error::new(Code::ManifestUnknown, format_args!("no manifest {what} in this repository"))
}
