//! [`Hold`]: keeps the sweeper from data that a record is about to name, and [`Guard`], which is asked before each
//! write.
//!
//! A file is added to the owner of extents before its record names them. The sweeper takes nothing whose owner was
//! changed within the grace. A process that is paused in between for longer could publish a record whose data is gone,
//! so the hold is renewed before each write if it is older than a quarter of the grace.

use async_trait::async_trait;
use storage_driver::{Error, ErrorKind, Path, Result};

use super::File;
use crate::{
    backend::{Backend, file_key},
    nonce,
    objects::decide::repeat,
    owner::{self, Holder},
    record::{Body, Extent},
    time::Since,
};

/// How often a copy by the server is tried.
const COPIES: u32 = 4;

/// Asked before each write of a file: whether the caller may still write.
#[async_trait]
pub(crate) trait Guard: Send {
    /// `is_read` says that the state which the write replaces was read. It may be the state after a takeover.
    async fn check(&mut self, is_read: bool) -> Result<()>;
}

/// Extents that are kept for a holder which does not name them yet.
#[derive(Debug)]
pub(crate) struct Hold<'a> {
    backend: &'a Backend,
    ids: Vec<String>,
    holder: Holder,
    since: Since,
}

impl<'a> Hold<'a> {
    /// A hold of nothing.
    pub(crate) fn none(backend: &'a Backend, holder: Holder) -> Self {
        Self { backend, ids: Vec::new(), holder, since: Since::now() }
    }

    /// A hold of the extents of `id`, whose owner was made with this holder after `since`.
    pub(crate) fn new(backend: &'a Backend, holder: Holder, id: String, since: Since) -> Self {
        Self { backend, ids: vec![id], holder, since }
    }

    /// Renews the hold if it is old.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the data has been swept.
    pub(crate) async fn renew(&mut self) -> Result<()> {
        if self.ids.is_empty() || self.since.elapsed() < self.backend.patience() {
            return Ok(());
        }
        let since = Since::now();
        for id in &self.ids {
            let added = owner::add(&self.backend.objects, id, self.holder.clone(), None).await;
            added.map_err(|error| match error.kind() {
                ErrorKind::ContentChanged => Error::new(ErrorKind::Unavailable).with_source(error),
                _ => error,
            })?;
        }
        self.since = since;
        Ok(())
    }
}

#[async_trait]
impl Guard for Hold<'_> {
    async fn check(&mut self, _: bool) -> Result<()> {
        self.renew().await
    }
}

impl Backend {
    /// The body of `file` for a second holder.
    pub(crate) async fn share(
        &self,
        from: &Path,
        file: &File,
        holder: Holder,
    ) -> Result<(Body, Hold<'_>)> {
        if file.is_foreign() {
            return self.body_of(from, file, holder).await;
        }
        let mut hold = Hold::none(self, holder);
        for id in ids(file.record.extents()) {
            owner::add(&self.objects, id, hold.holder.clone(), None).await?;
            hold.ids.push(id.to_owned());
        }
        let (body, _) = self.body_of(from, file, hold.holder.clone()).await?;
        Ok((body, hold))
    }

    /// The body of `file` in a form that a record can have: the content of a foreign object is copied, by the server.
    pub(crate) async fn body_of(
        &self,
        path: &Path,
        file: &File,
        holder: Holder,
    ) -> Result<(Body, Hold<'_>)> {
        match &file.record.body {
            Body::Foreign => {
                let (id, since) = (nonce::fresh(), Since::now());
                owner::create(&self.objects, &id, holder.clone()).await?;
                let extent = self.copy_foreign(path, &id, file.record.size).await?;
                Ok((Body::Extents(vec![extent]), Hold::new(self, holder, id, since)))
            }
            body if file.record.is_whole() => Ok((body.clone(), Hold::none(self, holder))),
            _ => Err(Error::new(ErrorKind::Corrupted).with_source("the record is cut off")),
        }
    }

    /// Copies the content of a foreign object by the server. Each attempt has a key of its own: an abandoned
    /// one may arrive later, and copy the later content of its source.
    async fn copy_foreign(&self, path: &Path, id: &str, length: u64) -> Result<Extent> {
        let copied = repeat(COPIES, |attempt| async move {
            let extent = Extent { id: id.to_owned(), name: attempt.to_string(), length };
            self.objects.copy(&file_key(path), &extent.key()).await?;
            Ok(extent)
        });
        let extent = copied.await?;
        match self.objects.size(&extent.key()).await? == Some(length) {
            true => Ok(extent),
            false => Err(ErrorKind::ContentChanged.into()),
        }
    }

    /// Adds a holder to the owners of extents.
    pub(crate) async fn hold(&self, extents: &[Extent], holder: &Holder) -> Result<()> {
        for id in ids(extents) {
            owner::add(&self.objects, id, holder.clone(), None).await?;
        }
        Ok(())
    }
}

/// The ids of extents, each once.
pub(crate) fn ids(extents: &[Extent]) -> Vec<&str> {
    let mut ids: Vec<&str> = extents.iter().map(|extent| extent.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
