//! Replacing what is at a path: puts, commits, renames, copies, touches.

use std::sync::Arc;

use storage_driver::{Error, ErrorKind, Metadata, Path, Payload, Precondition, Result};

use super::{At, Guard, Hold};
use crate::{
    backend::{Backend, file_key},
    envelope::tombstone,
    extents::{ExtentWriter, Part},
    nonce,
    objects::{Decision, Expect, Published, State, decide::pause},
    owner::Holder,
    record::{Body, MAX_INLINE, Record},
    time::Since,
};

impl Backend {
    /// Puts `record` at `path` if `condition` holds there, and returns its metadata.
    pub(crate) async fn replace(
        &self,
        path: &Path,
        condition: &Precondition,
        record: Record,
        guard: &mut dyn Guard,
    ) -> Result<Metadata> {
        let key = file_key(path);
        // Most files are new: then one request does it.
        let (mut current, mut is_read) = match condition {
            Precondition::IfVersion(_) => (self.at(path).await?, true),
            Precondition::None | Precondition::IfAbsent => (At::Nothing(None), false),
        };
        let mut defeats = 0;
        loop {
            condition.check(current.version())?;
            if let At::File(file) = &current {
                self.let_go(file).await?;
            }
            // What was read may be the state after a takeover, which such a write would replace.
            guard.check(is_read).await?;
            let before = current.state();
            let sealed = record.seal(before.map(State::successor).unwrap_or_default());
            match self.objects.publish(&key, &sealed, before).await? {
                Published::Done => return Ok(record.metadata(path)),
                Published::Lost(found) => current = At::of(&key, found.as_deref())?,
                Published::Doubt => {
                    let fenced = self.fence(path, |at| at.follows(&sealed.nonce)).await?;
                    if !fenced || self.objects.has_ended(&sealed.nonce).await? {
                        return Ok(record.metadata(path));
                    }
                    current = self.at(path).await?;
                }
            }
            is_read = true;
            defeats += 1;
            if defeats > 1 {
                pause(defeats).await;
            }
        }
    }

    /// Changes the state of a path but not its file, so that a request that is still under way fails,
    /// whenever it arrives. Returns `false`, without changing anything, if `is_there` says that it has arrived.
    pub(crate) async fn fence(
        &self,
        path: &Path,
        is_there: impl Fn(&At) -> bool + Send,
    ) -> Result<bool> {
        let key = file_key(path);
        loop {
            let at = self.whole(path).await?;
            if is_there(&at) {
                return Ok(false);
            }
            let (sealed, before) = match &at {
                // A tombstone more than once does no harm, so that its own outcome needs no fence.
                At::Nothing(None) => {
                    match self.objects.decide(&key, &tombstone(), &Expect::Absent).await? {
                        Decision::Won(_) => return Ok(true),
                        Decision::Lost(_) => continue,
                    }
                }
                At::Nothing(Some(state)) => (state.tombstone(), state),
                At::File(file) => {
                    let holder = Holder::file(path);
                    let (body, mut hold) = self.body_of(path, file, holder).await?;
                    hold.renew().await?;
                    let record = Record { body, ..file.record.clone() };
                    (record.seal(file.state.successor().fenced()), &file.state)
                }
            };
            if let Published::Done = self.objects.publish(&key, &sealed, Some(before)).await? {
                return Ok(true);
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
            let hold = &mut Hold::none(self, Holder::file(path));
            return self.replace(path, condition, record, hold).await;
        }
        if !condition.is_none() {
            condition.check(self.at(path).await?.version())?;
        }
        let (id, since) = (nonce::fresh(), Since::now());
        let mut hold = Hold::new(self, Holder::file(path), id.clone(), since);
        let mut writer = ExtentWriter::new(self, id, Holder::file(path), None);
        let mut offset = 0;
        loop {
            let part = writer.next_part();
            if content.len() - offset <= part {
                break;
            }
            if offset > 0 {
                hold.renew().await?;
            }
            writer.begin().await?;
            let payload = content.slice(offset..offset + part).into_iter().collect();
            writer.send(Part { payload, held: None })?;
            offset += part;
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
        match self.replace(path, condition, record, &mut hold).await {
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
        let mut defeats = 0;
        loop {
            let file = self.whole_file(path).await?;
            condition.check(Some(&file.record.version))?;
            let (body, mut hold) = self.body_of(path, &file, Holder::file(path)).await?;
            let mut record = Record::new(file.record.size, self.now(), body);
            record.origin = file.record.origin.clone();
            let sealed = record.seal(file.state.successor());
            hold.renew().await?;
            if let Published::Done = self.objects.publish(&key, &sealed, Some(&file.state)).await? {
                return Ok(record.metadata(path));
            }
            defeats += 1;
            pause(defeats).await;
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
        let (body, mut hold) = self.share(from, &file, Holder::file(to)).await?;
        let record = Record::new(file.record.size, self.now(), body);
        self.replace(to, condition, record, &mut hold).await.map_err(|error| error.at(to))
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
        let (body, mut hold) = self.share(from, &file, Holder::file(to)).await?;
        let mut record = Record::new(file.record.size, file.record.modified, body);
        record.version = file.record.version.clone();
        let metadata =
            self.replace(to, condition, record, &mut hold).await.map_err(|e| e.at(to))?;
        self.settle_origin(file.record.origin.as_ref()).await?;
        // A file that was put there meanwhile stays.
        self.objects.withdraw(&file_key(from), &file.state).await?;
        Ok(metadata)
    }
}
