//! Manifests of a repository: push, pull, delete.

use std::time::Instant;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use storage_driver::{Payload, Precondition, StorageDriverExt};

use super::{
    CONCURRENCY, Store,
    accept::Accept,
    conditions::Conditions,
    manifest::{DOCKER_LIST, Manifest, OCI_INDEX, Referred},
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
    /// Stores a manifest, and has `tags` name it, if `conditions` hold of what `reference` names.
    pub(crate) async fn put_manifest(
        &self,
        name: &Name,
        reference: &Reference,
        tags: &[Tag],
        content_type: Option<&str>,
        conditions: &Conditions,
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
        let unconditional = Conditions::default();
        let (mut of_link, of_tag) = match reference {
            Reference::Digest(_) => (conditions, &unconditional),
            Reference::Tag(_) => (&unconditional, conditions),
        };
        let mut has_tagged = false;
        loop {
            let since = Instant::now();
            let held = || since.elapsed() < self.options.grace / 2;
            self.require(name, &references).await?;

            let _shared = self.locks.push(name).await;
            if self.options.immutable_tags {
                for tag in tags {
                    self.require_free(name, tag, &digest).await?;
                }
            }
            self.put_manifest_blob(&digest, content.clone()).await?;
            let revision = Reference::Digest(digest);
            let link = self.put_link_if(name, &revision, &digest, of_link).await?;
            of_link = &unconditional;
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
            // A conditional change is made once, so that it does not undo a later one of another client.
            if !has_tagged || of_tag.is_none() {
                for tag in tags {
                    self.put_tag(name, tag, &digest, of_tag).await?;
                }
                has_tagged = true;
            }
            match held() {
                true => return Ok(Pushed { digest, subject }),
                false => match self.hold_manifest(name, &digest).await {
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
                    Referred::Blob(digest) => (digest, self.blob(name, digest).await.map(drop)),
                    Referred::Manifest(_) if self.options.sparse_indexes => return Ok(()),
                    Referred::Manifest(digest) => (digest, self.hold_manifest(name, digest).await),
                };
                found.map_err(|error| match error.code() {
                    Code::BlobUnknown | Code::ManifestUnknown => missing(digest),
                    _ => error,
                })
            })
            .await
    }

    /// Makes sure that a manifest is in the repository, and stays for whoever is told so: its content
    /// as a blob does, and its link, which a collection of untagged manifests takes.
    pub(crate) async fn hold_manifest(&self, name: &Name, digest: &Digest) -> Result<()> {
        for path in [layout::revision(name, digest), layout::blob(digest)] {
            match self.file(&path).await? {
                Some(file) if self.hold(&file).await? => {}
                _ => return Err(unknown(digest)),
            }
        }
        Ok(())
    }

    async fn put_manifest_blob(&self, digest: &Digest, content: Bytes) -> Result<()> {
        let path = layout::blob(digest);
        loop {
            // The same content, if there is any: it stays as it is, which spares a write.
            if let Some(file) = self.file(&path).await?
                && self.hold(&file).await?
            {
                return Ok(());
            }
            let precondition = match self.capabilities.conditional_put {
                true => Precondition::IfAbsent,
                false => Precondition::None,
            };
            let content = Payload::from(content.clone());
            match self.driver.put_content(&path, content, precondition).await {
                Ok(_) => return Ok(()),
                Err(error) if error.is_precondition_failed() => {}
                Err(error) => return Err(error.into()),
            }
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

    /// The content of a manifest, whatever repository it is in; `None` where there is none.
    ///
    /// One that was taken under another limit, or by another registry, is served all the same, up to
    /// four times the limit.
    pub(crate) async fn manifest_content(&self, digest: &Digest) -> Result<Option<Bytes>> {
        let limit = self.options.max_manifest_size.saturating_mul(4);
        match self.driver.get_content(&layout::blob(digest), limit).await {
            Ok(content) => Ok(Some(content.into_bytes())),
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

    /// Deletes a manifest, and every tag that names it, if `conditions` hold.
    pub(crate) async fn delete_manifest(
        &self,
        name: &Name,
        digest: &Digest,
        conditions: &Conditions,
    ) -> Result<()> {
        let _alone = self.locks.delete(name).await;
        if self.file(&layout::revision(name, digest)).await?.is_none() {
            return Err(unknown(digest));
        }
        // The content of a digest never changes, so there is no update to lose in between.
        conditions.check(Some(digest))?;
        // The revision last: a deletion that is cut off can be asked for again.
        self.delete_tags_of(name, digest).await?;
        if let Some(content) = self.manifest_content(digest).await?
            && let Ok(Some(subject)) = Manifest::parse(&content).and_then(|it| it.subject())
        {
            let referrer = layout::referrer(name, &subject, digest);
            self.driver.delete_many(&[referrer]).await?;
        }
        match self.driver.delete(&layout::revision_dir(name, digest), Precondition::None).await {
            Err(error) if !error.is_not_found() => Err(error.into()),
            _ => Ok(()),
        }
    }

    async fn delete_tags_of(&self, name: &Name, digest: &Digest) -> Result<()> {
        let mut tags = self.all_tags(name).map_ok(|tag| async move {
            let names_it = self.link(&layout::current(name, &tag)).await? == Some(*digest);
            Ok::<_, Error>(names_it.then(|| layout::tag(name, &tag)))
        });
        let mut tags = tags.by_ref().try_buffer_unordered(CONCURRENCY);
        while let Some(found) = tags.try_next().await? {
            if let Some(tag) = found {
                self.driver.delete_many(&[tag]).await?;
            }
        }
        Ok(())
    }
}

pub(super) fn unknown(what: impl std::fmt::Display) -> Error {
    Error::new(Code::ManifestUnknown, format_args!("no manifest {what} in this repository"))
}
