//! The namespace: what is at a path, and how one state of it follows another.

mod change;
mod hold;
mod remove;

use std::pin::pin;

use futures::TryStreamExt;
use storage_driver::{ErrorKind, Metadata, Path, Result, Stat, Version};

use crate::{
    backend::{Backend, file_key},
    envelope::Kind,
    journal, nonce,
    objects::{Found, Item, Listing, State},
    record::{Body, Extent, Origin, Record},
    time,
    uploads::JournalAt,
};

pub(crate) use hold::{Guard, Hold};

/// What is at a path.
#[derive(Debug)]
pub(crate) enum At {
    /// No file. A tombstone may be in its place.
    Nothing(Option<State>),
    File(Box<File>),
}

/// A file, as it was found.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) state: State,
    /// Its record, or what would be in it.
    pub(crate) record: Record,
}

impl File {
    /// Whether it is an object that another program wrote.
    pub(crate) fn is_foreign(&self) -> bool {
        matches!(self.record.body, Body::Foreign)
    }

    pub(crate) fn metadata(&self, path: &Path) -> Metadata {
        self.record.metadata(path)
    }
}

impl At {
    pub(crate) fn of(key: &str, found: Option<&Found>) -> Result<Self> {
        let Some(found) = found else { return Ok(Self::Nothing(None)) };
        let state = State::of(found);
        let record = match &found.envelope {
            Some(envelope) if envelope.kind == Kind::Tombstone => {
                return Ok(Self::Nothing(Some(state)));
            }
            Some(envelope) if envelope.kind == Kind::Record => Record::parse(key, envelope)?,
            _ => foreign(found),
        };
        Ok(Self::File(Box::new(File { state, record })))
    }

    /// The state that a write has to replace; `None` where there is no object.
    pub(crate) fn state(&self) -> Option<&State> {
        match self {
            Self::Nothing(state) => state.as_ref(),
            Self::File(file) => Some(&file.state),
        }
    }

    /// Whether it is the state `nonce` or came after it.
    pub(crate) fn follows(&self, nonce: &str) -> bool {
        self.state().is_some_and(|state| state.follows(nonce))
    }

    pub(crate) fn version(&self) -> Option<&Version> {
        match self {
            Self::Nothing(_) => None,
            Self::File(file) => Some(&file.record.version),
        }
    }
}

/// What would be in the record of an object that has none.
fn foreign(found: &Found) -> Record {
    let mut record = Record::new(found.size, time::to_nanos(found.modified), Body::Foreign);
    record.version = Version::new(format!("object-{}", found.tag.text()));
    record
}

impl Backend {
    /// What is at `path`; of a file in its record perhaps not all of the content.
    pub(crate) async fn at(&self, path: &Path) -> Result<At> {
        let key = file_key(path);
        At::of(&key, self.objects.look(&key).await?.as_ref())
    }

    /// What is at `path`, with all of the content that is in its record.
    pub(crate) async fn whole(&self, path: &Path) -> Result<At> {
        let key = file_key(path);
        At::of(&key, self.objects.fetch(&key).await?.as_ref())
    }

    /// The file at `path`, or the error that there is none.
    pub(crate) async fn whole_file(&self, path: &Path) -> Result<Box<File>> {
        match self.whole(path).await? {
            At::File(file) => Ok(file),
            At::Nothing(_) => Err(self.no_file(path).await),
        }
    }

    /// The error for a path without a file.
    pub(crate) async fn no_file(&self, path: &Path) -> storage_driver::Error {
        match self.exists_below(path).await {
            Ok(true) => ErrorKind::IsADirectory.into(),
            Ok(false) => ErrorKind::PathNotFound.into(),
            Err(error) => error,
        }
    }

    pub(crate) async fn stat(&self, path: &Path) -> Result<Stat> {
        if path.is_root() {
            return Ok(Stat::Directory(path.clone()));
        }
        match self.at(path).await? {
            At::File(file) => Ok(Stat::File(file.metadata(path))),
            At::Nothing(_) => match self.exists_below(path).await? {
                true => Ok(Stat::Directory(path.clone())),
                false => Err(ErrorKind::PathNotFound.into()),
            },
        }
    }

    /// The metadata of the file at `path`. One request, whatever is below the path.
    pub(crate) async fn file(&self, path: &Path) -> Result<Option<Metadata>> {
        match self.at(path).await? {
            At::File(file) => Ok(Some(file.metadata(path))),
            At::Nothing(_) => Ok(None),
        }
    }

    /// Whether a file is below `path`.
    pub(crate) async fn exists_below(&self, path: &Path) -> Result<bool> {
        let prefix = format!("{}/", file_key(path));
        // A few more than one, because some may be tombstones.
        let listing = Listing { prefix, limit: Some(8), ..Listing::default() };
        let mut pages = pin!(self.objects.pages(listing));
        while let Some(items) = pages.try_next().await? {
            for item in &items {
                if self.is_file(item).await? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Whether a listed object is a file: it is at a path, and it is no tombstone.
    pub(crate) async fn is_file(&self, item: &Item) -> Result<bool> {
        if Path::parse(format!("/{}", item.key)).is_err() {
            return Ok(false);
        }
        if !item.may_be_tombstone() {
            return Ok(true);
        }
        let found = self.objects.look(&item.key).await?;
        Ok(found.is_some_and(|found| !found.is(Kind::Tombstone)))
    }

    /// Prepares that a file's record is replaced or removed.
    pub(crate) async fn let_go(&self, file: &File) -> Result<()> {
        self.hint(file.record.extents()).await?;
        self.settle_origin(file.record.origin.as_ref()).await
    }

    /// Tells the sweeper to look at the owners of these extents.
    pub(crate) async fn hint(&self, extents: &[Extent]) -> Result<()> {
        for id in hold::ids(extents) {
            let key = format!("!trash/{id}/{}", nonce::fresh());
            self.objects.put_hint(&key, crate::envelope::tombstone()).await?;
        }
        Ok(())
    }

    /// Ends the upload that a record was committed from, if its journal does not know yet that the commit has
    /// taken effect. Afterwards the record need not be there to prove it.
    async fn settle_origin(&self, origin: Option<&Origin>) -> Result<()> {
        let Some(origin) = origin else { return Ok(()) };
        let upload = Path::parse(&origin.upload)?;
        while let JournalAt::Upload(journal, tag) = self.glance(&upload).await? {
            if journal.commit.is_none_or(|commit| commit.nonce != origin.commit) {
                break;
            }
            self.objects.remove(&journal::key(&upload), &tag, journal.fenced).await?;
        }
        Ok(())
    }
}
