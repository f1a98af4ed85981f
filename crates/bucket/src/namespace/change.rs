//! Replacing what is at a path: puts, commits, renames, copies, touches.

use std::sync::Arc;

use async_trait::async_trait;
use storage_driver::{Error, ErrorKind, Metadata, Path, Payload, Precondition, Result};

use super::{At, File};
use crate::{
    backend::{Backend, file_key},
    extents::{ExtentWriter, PART, Part},
    nonce,
    objects::{Decision, Expect, Removal, decide::pause},
    owner::{self, Holder},
    record::{Body, Extent, MAX_INLINE, Record},
};

/// Asked before a write that replaces a state which was read: whether the caller may still write.
#[async_trait]
pub(crate) trait Guard: Send {
    async fn check(&mut self) -> Result<()>;
}

/// A caller that may always write.
pub(crate) struct Always;

#[async_trait]
impl Guard for Always {
    async fn check(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Backend {
    /// Puts `record` at `path` if `condition` holds there, and returns its metadata.
    pub(crate) async fn replace(
        &self,
        path: &Path,
        condition: &Precondition,
        mut record: Record,
        guard: &mut dyn Guard,
    ) -> Result<Metadata> {
        let key = file_key(path);
        // Most files are new: then one request does it.
        let (mut current, mut is_read) = match condition {
            Precondition::IfVersion(_) => (self.at(path).await?, true),
            Precondition::None | Precondition::IfAbsent => (At::Nothing(None), false),
        };
        let mut attempt = 0;
        loop {
            condition.check(current.version())?;
            let expect = match &current {
                At::Nothing(None) => Expect::Absent,
                At::Nothing(Some(tag)) => Expect::Tag(tag.clone()),
                At::File(file) => {
                    self.let_go(file).await?;
                    if let Some(nonce) = &file.nonce {
                        record.follow(&file.record.history, nonce);
                    }
                    Expect::Tag(file.tag.clone())
                }
            };
            // What was read may be the state after a takeover, which such a write would replace.
            if is_read {
                guard.check().await?;
            }
            let sealed = record.seal();
            match self.objects.decide(&key, &sealed, &expect).await? {
                Decision::Won(_) => return Ok(record.metadata(path)),
                Decision::Lost(found) => {
                    current = At::of(&key, found.as_deref())?;
                    if let At::File(file) = &current
                        && file.record.history.contains(&sealed.nonce)
                    {
                        // It took effect, and was replaced before we learnt of it.
                        return Ok(record.metadata(path));
                    }
                }
            }
            is_read = true;
            attempt += 1;
            if attempt > 1 {
                pause(attempt).await;
            }
        }
    }

    pub(crate) async fn put(
        self: &Arc<Self>,
        path: &Path,
        content: Payload,
        condition: &Precondition,
    ) -> Result<Metadata> {
        let size = content.len() as u64;
        if content.len() <= MAX_INLINE {
            let record = Record::new(size, self.now(), Body::Inline(content.into_bytes()));
            return self.replace(path, condition, record, &mut Always).await;
        }
        if !condition.is_none() {
            condition.check(self.at(path).await?.version())?;
        }
        let mut writer = ExtentWriter::new(self, nonce::fresh(), Holder::file(path), None);
        let mut offset = 0;
        while content.len() - offset > PART {
            let part = content.slice(offset..offset + PART);
            writer.begin().await?;
            writer.send(Part { payload: part.into_iter().collect(), held: None })?;
            offset += PART;
        }
        let rest = content.slice(offset..).into_iter().collect();
        match writer.is_open() {
            true => {
                writer.begin().await?;
                writer.finish(Some(Part { payload: rest, held: None })).await?;
            }
            false => writer.put(rest).await?,
        }
        let extents = std::mem::take(&mut writer.done);
        let record = Record::new(size, self.now(), Body::Extents(extents.clone()));
        match self.replace(path, condition, record, &mut Always).await {
            Ok(metadata) => Ok(metadata),
            Err(error) => {
                self.hint(&extents).await?;
                Err(error)
            }
        }
    }

    pub(crate) async fn touch(
        self: &Arc<Self>,
        path: &Path,
        condition: &Precondition,
    ) -> Result<Metadata> {
        let key = file_key(path);
        let mut attempt = 0;
        loop {
            let file = self.whole_file(path).await?;
            condition.check(Some(&file.record.version))?;
            let body = self.body_of(path, &file, &Holder::file(path)).await?;
            let mut record = Record::new(file.record.size, self.now(), body);
            record.origin = file.record.origin.clone();
            if let Some(nonce) = &file.nonce {
                record.follow(&file.record.history, nonce);
            }
            let sealed = record.seal();
            match self.objects.decide(&key, &sealed, &Expect::Tag(file.tag.clone())).await? {
                Decision::Won(_) => return Ok(record.metadata(path)),
                Decision::Lost(found) => {
                    if let At::File(file) = At::of(&key, found.as_deref())?
                        && file.record.history.contains(&sealed.nonce)
                    {
                        return Ok(record.metadata(path));
                    }
                }
            }
            attempt += 1;
            pause(attempt).await;
        }
    }

    pub(crate) async fn copy(
        self: &Arc<Self>,
        from: &Path,
        to: &Path,
        condition: &Precondition,
    ) -> Result<Metadata> {
        let file = self.whole_file(from).await.map_err(|error| error.at(from))?;
        if from == to {
            condition.check(Some(&file.record.version))?;
            return Ok(file.metadata(from));
        }
        let body = self.share(from, &file, to).await?;
        let record = Record::new(file.record.size, self.now(), body);
        self.replace(to, condition, record, &mut Always).await.map_err(|error| error.at(to))
    }

    pub(crate) async fn rename(
        self: &Arc<Self>,
        from: &Path,
        to: &Path,
        condition: &Precondition,
    ) -> Result<Metadata> {
        let file = self.whole_file(from).await.map_err(|error| error.at(from))?;
        if from == to {
            condition.check(Some(&file.record.version))?;
            return Ok(file.metadata(from));
        }
        if to.starts_with(from) {
            return Err(Error::new(ErrorKind::PathConflict).at(to));
        }
        let body = self.share(from, &file, to).await?;
        let mut record = Record::new(file.record.size, file.record.modified, body);
        record.version = file.record.version.clone();
        let metadata =
            self.replace(to, condition, record, &mut Always).await.map_err(|e| e.at(to))?;
        self.settle_origin(file.record.origin.as_ref()).await?;
        match self.objects.remove(&file_key(from), &file.tag).await? {
            Removal::Done | Removal::Gone => {}
            // A file that was put there meanwhile stays.
            Removal::Changed(_) => {}
        }
        Ok(metadata)
    }

    /// The body for a second file with the content of `file`.
    async fn share(self: &Arc<Self>, from: &Path, file: &File, to: &Path) -> Result<Body> {
        if file.nonce.is_some() {
            self.hold(file.record.extents(), &Holder::file(to)).await?;
        }
        self.body_of(from, file, &Holder::file(to)).await
    }

    /// The body of `file` in a form that a record can have: the content of a foreign object is copied, by the
    /// server.
    pub(crate) async fn body_of(
        self: &Arc<Self>,
        path: &Path,
        file: &File,
        holder: &Holder,
    ) -> Result<Body> {
        match &file.record.body {
            Body::Foreign => {
                let id = nonce::fresh();
                owner::create(&self.objects, &id, holder.clone()).await?;
                let extent = Extent { id, name: "0".to_owned(), length: file.record.size };
                self.objects.copy(&file_key(path), &extent.key()).await?;
                if self.objects.size(&extent.key()).await? != Some(extent.length) {
                    return Err(ErrorKind::ContentChanged.into());
                }
                Ok(Body::Extents(vec![extent]))
            }
            body if file.record.is_whole() => Ok(body.clone()),
            _ => Err(Error::new(ErrorKind::Corrupted).with_source("the record is cut off")),
        }
    }

    /// Adds a holder to the owners of extents.
    pub(crate) async fn hold(&self, extents: &[Extent], holder: &Holder) -> Result<()> {
        let mut ids: Vec<&str> = extents.iter().map(|extent| extent.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            owner::add(&self.objects, id, holder.clone(), None).await?;
        }
        Ok(())
    }
}
