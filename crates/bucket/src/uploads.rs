//! Uploads by their paths: looking, listing, cancelling, and the end of commits that were cut off.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use storage_driver::{Error, ErrorKind, ListOptions, Page, Path, Precondition, Result, UploadInfo};

use crate::{
    backend::Backend,
    envelope::{Kind, tombstone},
    journal::{self, Commit, Journal},
    namespace::At,
    objects::{Decision, Expect, Found, Tag},
    ordered::{Ordered, PAGE, Space},
    record::Extent,
};

/// What is at the key of an upload.
#[derive(Debug)]
pub(crate) enum JournalAt {
    /// No upload. A tombstone may be in its place.
    Nothing(Option<Tag>),
    Upload(Box<Journal>, Tag),
}

impl JournalAt {
    /// The state that a new upload replaces.
    pub(crate) fn state(&self) -> Expect {
        match self {
            Self::Nothing(None) => Expect::Absent,
            Self::Nothing(Some(tag)) | Self::Upload(_, tag) => Expect::Tag(tag.clone()),
        }
    }

    /// Whether a create may still be under way that must not find the key absent. A tombstone may be there for that.
    pub(crate) fn is_fenced(&self) -> bool {
        match self {
            Self::Nothing(tombstone) => tombstone.is_some(),
            Self::Upload(journal, _) => journal.fenced,
        }
    }
}

/// How many journals are read at once.
const PARALLEL: usize = 8;

/// How the end of a journal went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    /// Another process was faster.
    Defeated,
    /// Another process has changed it, before or after it had ended.
    Doubt,
}

impl Backend {
    /// The upload at `path`, as its journal says.
    pub(crate) async fn journal(&self, path: &Path) -> Result<JournalAt> {
        let key = journal::key(path);
        let at = Self::journal_of(&key, self.objects.fetch(&key).await?)?;
        match &at {
            JournalAt::Upload(journal, _) if !journal.is_whole() => {
                Err(crate::error::corrupted(&key, "it is shorter than its header says"))
            }
            _ => Ok(at),
        }
    }

    /// The same, perhaps without the content that is in the journal.
    pub(crate) async fn glance(&self, path: &Path) -> Result<JournalAt> {
        let key = journal::key(path);
        Self::journal_of(&key, self.objects.look(&key).await?)
    }

    fn journal_of(key: &str, found: Option<Found>) -> Result<JournalAt> {
        let Some(found) = found else { return Ok(JournalAt::Nothing(None)) };
        match &found.envelope {
            Some(envelope) if envelope.kind == Kind::Journal => {
                Ok(JournalAt::Upload(Box::new(Journal::parse(key, envelope)?), found.tag))
            }
            Some(envelope) if envelope.kind == Kind::Tombstone => {
                Ok(JournalAt::Nothing(Some(found.tag)))
            }
            _ => Err(crate::error::corrupted(key, "it is no journal")),
        }
    }

    /// The upload at `path`. A commit of it that was begun is finished, or undone so that it cannot take effect
    /// any more. Either fences its writer.
    pub(crate) async fn settled_journal(self: &Arc<Self>, path: &Path) -> Result<JournalAt> {
        loop {
            match self.journal(path).await? {
                JournalAt::Upload(journal, tag) if journal.commit.is_some() => {
                    self.settle(path, *journal, tag).await?;
                }
                at => return Ok(at),
            }
        }
    }

    /// Finishes or undoes the commit of `journal`. If another process interferes, it returns early.
    async fn settle(self: &Arc<Self>, path: &Path, mut journal: Journal, tag: Tag) -> Result<()> {
        let key = journal::key(path);
        let Some(commit) = journal.commit.clone() else { return Ok(()) };
        let tag = match commit.fenced {
            // Another swap would only keep the process that fenced it from its end.
            true => tag,
            // From here on, the writer of the commit does not try again.
            false => {
                journal.commit = Some(Commit { fenced: true, ..commit.clone() });
                match self.objects.decide(&key, &journal.seal(), &Expect::Tag(tag)).await? {
                    Decision::Won(tag) => tag,
                    Decision::Lost(_) => return Ok(()),
                }
            }
        };
        let dest = Path::parse(&commit.dest)?;
        if !self.fence(&dest, |at| published(at, &commit)).await? {
            self.objects.remove(&key, &tag, journal.fenced).await?;
            return Ok(());
        }
        journal.commit = None;
        self.objects.decide(&key, &journal.seal(), &Expect::Tag(tag)).await?;
        Ok(())
    }

    /// Whether a commit has taken effect. While its journal names it, its record stays at the destination.
    async fn is_published(&self, commit: &Commit) -> Result<bool> {
        let dest = Path::parse(&commit.dest)?;
        Ok(published(&self.at(&dest).await?, commit))
    }

    /// The upload in progress at `path`. Fences no one.
    pub(crate) async fn upload(&self, path: &Path) -> Result<Option<UploadInfo>> {
        let JournalAt::Upload(journal, _) = self.glance(path).await? else { return Ok(None) };
        if let Some(commit) = &journal.commit
            && self.is_published(commit).await?
        {
            return Ok(None);
        }
        Ok(Some(journal.info(path)))
    }

    /// Cancels the upload at `path`.
    pub(crate) async fn cancel_upload(self: &Arc<Self>, path: &Path) -> Result<()> {
        let mut id = None;
        loop {
            let JournalAt::Upload(journal, tag) = self.settled_journal(path).await? else {
                return Err(ErrorKind::PathNotFound.into());
            };
            if id.as_ref().is_some_and(|id| *id != journal.id) {
                // The other upload may have ended by our request, whose response was lost. Then this one must stay.
                return Err(Error::new(ErrorKind::Unavailable)
                    .with_source("another upload took its place; it is not known whether it was cancelled before"));
            }
            self.hint(&journal_extents(&journal)).await?;
            match self.end_journal(path, tag, journal.fenced).await? {
                End::Done => return Ok(()),
                End::Defeated => id = None,
                End::Doubt => id = Some(journal.id),
            }
        }
    }

    /// Removes a journal, if `tag` is its state. If it is `fenced`, a tombstone stays.
    pub(crate) async fn end_journal(&self, path: &Path, tag: Tag, fenced: bool) -> Result<End> {
        let key = journal::key(path);
        // A DELETE alone would not tell who removed it.
        match self.objects.decide_with_doubt(&key, &tombstone(), &Expect::Tag(tag)).await? {
            (Decision::Lost(_), true) => Ok(End::Doubt),
            (Decision::Lost(_), false) => Ok(End::Defeated),
            (Decision::Won(tag), _) => {
                if self.objects.deletes_conditionally() && !fenced {
                    self.objects.remove_object(&key, &tag, None).await?;
                }
                Ok(End::Done)
            }
        }
    }

    /// A page of the uploads at and below `path`.
    pub(crate) async fn uploads(
        self: &Arc<Self>,
        path: &Path,
        options: &ListOptions,
    ) -> Result<Page<UploadInfo>> {
        let wanted = options.limit.saturating_add(1);
        let after = options.start_after.as_ref();
        let own = Some(path).filter(|path| !path.is_root() && after.is_none_or(|it| it < *path));
        let mut paths = Ordered::new(self, Space::Uploads, path, after, Some(wanted.min(PAGE)));
        let mut items: Vec<UploadInfo> = Vec::new();
        let mut batch: Vec<Path> = own.into_iter().cloned().collect();
        let mut ended = false;
        while !ended && items.len() < wanted {
            while !ended && items.len() + batch.len() < wanted {
                match paths.next().await? {
                    Some(path) => batch.push(path),
                    None => ended = true,
                }
            }
            let looks = batch.drain(..).map(|path| async move { self.upload(&path).await });
            let found = stream::iter(looks).buffered(PARALLEL);
            items.extend(found.try_collect::<Vec<_>>().await?.into_iter().flatten());
        }
        Ok(Page::from_sorted(path, options, items))
    }

    /// Cancels the uploads at and below `path` that `which` selects, and returns their number.
    pub(crate) async fn cancel_all(
        self: &Arc<Self>,
        path: &Path,
        which: &(dyn Fn(&UploadInfo) -> bool + Sync),
    ) -> Result<u64> {
        let mut options = ListOptions::new();
        let mut cancelled = 0;
        loop {
            let page = self.uploads(path, &options).await?;
            let chosen = page.items.iter().filter(|upload| which(upload));
            let paths: Vec<Path> = chosen.map(|upload| upload.path.clone()).collect();
            let cancels = paths.into_iter().map(|path| async move {
                match self.cancel_upload(&path).await {
                    Ok(()) => Ok(1),
                    Err(error) if error.is_not_found() => Ok(0),
                    Err(error) => Err(error.at(&path)),
                }
            });
            let ended: Vec<u64> = stream::iter(cancels).buffered(PARALLEL).try_collect().await?;
            cancelled += ended.into_iter().sum::<u64>();
            match page.next {
                Some(next) => options.start_after = Some(next),
                None => return Ok(cancelled),
            }
        }
    }

    /// Checks a precondition at the path of an append, which has one of its own.
    pub(crate) fn with_base(base: Option<&str>, condition: Precondition) -> Result<Precondition> {
        let Some(base) = base.map(storage_driver::Version::new) else { return Ok(condition) };
        condition.check(Some(&base))?;
        Ok(Precondition::IfVersion(base))
    }
}

fn published(at: &At, commit: &Commit) -> bool {
    match at {
        At::File(file) => {
            file.record.origin.as_ref().is_some_and(|origin| origin.commit == commit.nonce)
        }
        At::Nothing(_) => false,
    }
}

/// The extents whose owners the sweeper has to look at when an upload ends without a commit.
pub(crate) fn journal_extents(journal: &Journal) -> Vec<Extent> {
    let mut extents = journal.extents.clone();
    if journal.owner.is_some() {
        extents.push(Extent { id: journal.id.clone(), name: String::new(), length: 0 });
    }
    extents
}
