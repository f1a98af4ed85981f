//! Uploads by their paths: looking, listing, cancelling, and the end of commits that were cut off.

use std::{collections::BTreeSet, sync::Arc};

use futures::{StreamExt, TryStreamExt, stream};
use storage_driver::{ErrorKind, ListOptions, Page, Path, Precondition, Result, UploadInfo};

use crate::{
    backend::{Backend, file_key},
    envelope::{Kind, tombstone},
    journal::{self, Commit, Journal},
    namespace::At,
    objects::{Decision, Expect, Listing, Tag},
    owner::Holder,
    record::Extent,
};

/// What is at the key of an upload.
#[derive(Debug)]
pub(crate) enum JournalAt {
    /// No upload. A tombstone may be in its place.
    Nothing(Option<Tag>),
    Upload(Box<Journal>, Tag),
}

/// How many journals are read at once.
const PARALLEL: usize = 8;

impl Backend {
    /// The upload at `path`, as its journal says.
    pub(crate) async fn journal(&self, path: &Path) -> Result<JournalAt> {
        let key = journal::key(path);
        let Some(found) = self.objects.fetch(&key).await? else {
            return Ok(JournalAt::Nothing(None));
        };
        match &found.envelope {
            Some(envelope) if envelope.kind == Kind::Journal => {
                Ok(JournalAt::Upload(Box::new(Journal::parse(&key, envelope)?), found.tag))
            }
            Some(envelope) if envelope.kind == Kind::Tombstone => {
                Ok(JournalAt::Nothing(Some(found.tag)))
            }
            _ => Err(crate::error::corrupted(&key, "it is no journal")),
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
        if self.is_published(&commit).await? || !self.block(&commit).await? {
            self.objects.remove(&key, &tag).await?;
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

    /// Changes the state of the destination without changing what is there, so that a request of the commit that
    /// is still under way fails. Returns `false` if the commit has taken effect before.
    async fn block(self: &Arc<Self>, commit: &Commit) -> Result<bool> {
        let dest = Path::parse(&commit.dest)?;
        let key = file_key(&dest);
        loop {
            let at = self.whole(&dest).await?;
            if published(&at, commit) {
                return Ok(false);
            }
            let (sealed, expect) = match at {
                At::Nothing(None) => (tombstone(), Expect::Absent),
                At::Nothing(Some(tag)) => (tombstone(), Expect::Tag(tag)),
                At::File(file) => {
                    let mut record = file.record.clone();
                    record.body = self.body_of(&dest, &file, &Holder::file(&dest)).await?;
                    if let Some(nonce) = &file.nonce {
                        record.follow(&file.record.history, nonce);
                    }
                    (record.seal(), Expect::Tag(file.tag))
                }
            };
            if let Decision::Won(_) = self.objects.decide(&key, &sealed, &expect).await? {
                return Ok(true);
            }
        }
    }

    /// The upload in progress at `path`. Fences no one.
    pub(crate) async fn upload(&self, path: &Path) -> Result<Option<UploadInfo>> {
        let JournalAt::Upload(journal, _) = self.journal(path).await? else { return Ok(None) };
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
            // Its end may be ours, whose response was lost. An upload that was created since stays.
            if *id.get_or_insert_with(|| journal.id.clone()) != journal.id {
                return Err(ErrorKind::PathNotFound.into());
            }
            self.hint(&journal_extents(&journal)).await?;
            if self.end_journal(path, tag).await? {
                return Ok(());
            }
        }
    }

    /// Removes a journal, if `tag` is its state. Otherwise it returns `false`.
    pub(crate) async fn end_journal(&self, path: &Path, tag: Tag) -> Result<bool> {
        let key = journal::key(path);
        // A DELETE alone would not tell who removed it.
        match self.objects.decide(&key, &tombstone(), &Expect::Tag(tag)).await? {
            Decision::Lost(_) => Ok(false),
            Decision::Won(tag) => {
                if self.objects.deletes_conditionally() {
                    self.objects.remove_object(&key, &tag).await?;
                }
                Ok(true)
            }
        }
    }

    /// A page of the uploads at and below `path`.
    pub(crate) async fn uploads(
        &self,
        path: &Path,
        options: &ListOptions,
    ) -> Result<Page<UploadInfo>> {
        let wanted = options.limit.saturating_add(1);
        let mut items: Vec<UploadInfo> = Vec::new();
        let mut after = options.start_after.clone();
        loop {
            let missing = wanted - items.len();
            let (paths, more) = self.upload_paths(path, after.as_ref(), missing).await?;
            after = paths.last().cloned().or(after);
            let found = paths.into_iter().map(|path| async move { self.upload(&path).await });
            let found: Vec<_> = stream::iter(found).buffered(PARALLEL).try_collect().await?;
            items.extend(found.into_iter().flatten());
            if !more || items.len() >= wanted {
                return Ok(Page::from_sorted(path, options, items));
            }
        }
    }

    /// The first paths of journals at and below `path` and behind `after`, in order, and whether there are more.
    ///
    /// The order of keys is another one, so all keys are seen; only as many as are wanted are held.
    async fn upload_paths(
        &self,
        path: &Path,
        after: Option<&Path>,
        limit: usize,
    ) -> Result<(Vec<Path>, bool)> {
        let mut paths = BTreeSet::new();
        let mut more = false;
        let mut add = |found: Path| {
            if after.is_none_or(|after| found > *after) {
                paths.insert(found);
                if paths.len() > limit {
                    paths.pop_last();
                    more = true;
                }
            }
        };
        let prefix = match path.is_root() {
            true => "!uploads/".to_owned(),
            false => {
                add(path.clone());
                format!("{}/", journal::key(path))
            }
        };
        let listing = Listing { prefix, ..Listing::default() };
        let mut token = None;
        loop {
            let page = self.objects.list(&listing, token).await?;
            for item in page.items {
                if let Some(Ok(found)) = item.key.strip_prefix("!uploads").map(Path::parse) {
                    add(found);
                }
            }
            token = page.token;
            if token.is_none() {
                return Ok((paths.into_iter().collect(), more));
            }
        }
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
