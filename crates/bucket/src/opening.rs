//! Opening a writer: the swap of the journal that fences the writer before it.

use std::sync::Arc;

use storage_driver::{ErrorKind, Path, Result, WriteMode, Writer, WriterOptions};

use crate::{
    backend::Backend,
    journal::{self, Journal},
    nonce,
    objects::{Begun, Decision, Expect, Tag},
    owner::Holder,
    recent::Left,
    record::Body,
    session::Session,
    upload::Upload,
    uploads::{JournalAt, journal_extents},
};

impl Backend {
    pub(crate) async fn open_upload(
        self: &Arc<Self>,
        path: &Path,
        mode: WriteMode,
    ) -> Result<Upload> {
        let (journal, tag) = match mode {
            WriteMode::Create => self.create(path).await?,
            WriteMode::Resume { at } => return self.resume(path, at).await,
            WriteMode::Append { at } => self.append(path, at).await?,
        };
        Ok(Upload::new(self, path, Left { journal, tag, again: false }))
    }

    /// Begins an upload that is resumed later.
    pub(crate) async fn create_upload(self: &Arc<Self>, path: &Path) -> Result<()> {
        let (journal, tag) = self.create(path).await?;
        self.recent.keep(path, Left { journal, tag, again: false });
        Ok(())
    }

    async fn create(self: &Arc<Self>, path: &Path) -> Result<(Journal, Tag)> {
        // Most uploads are new: then one request does it.
        let mut before = JournalAt::Nothing(None);
        let mut in_doubt = false;
        loop {
            if let JournalAt::Upload(earlier, _) = &before {
                self.hint(&journal_extents(earlier)).await?;
            }
            // An earlier attempt may have taken effect, and another process may have committed that upload.
            let mut journal = Journal::new(nonce::fresh(), self.now());
            journal.fenced = in_doubt || before.is_fenced();
            match self.objects.begin(&journal::key(path), &journal.seal(), &before.state()).await? {
                Begun::Done(tag) => return Ok((journal, tag)),
                Begun::Lost => {}
                Begun::Doubt => in_doubt = true,
            }
            before = self.settled_journal(path).await?;
        }
    }

    async fn resume(self: &Arc<Self>, path: &Path, at: Option<u64>) -> Result<Upload> {
        let left = self.recent.take(path);
        // Another offset may be right by now.
        let tried =
            left.clone().filter(|it| it.again && check_offset(at, it.journal.size()).is_ok());
        if let Some(Left { journal, tag, .. }) = tried
            && let Some(upload) = self.reopen(path, journal, tag, true).await?
        {
            return Ok(upload);
        }
        loop {
            let JournalAt::Upload(journal, tag) = self.settled_journal(path).await? else {
                return Err(ErrorKind::PathNotFound.into());
            };
            check_offset(at, journal.size())?;
            let again = left.as_ref().is_some_and(|left| left.tag == tag);
            if let Some(upload) = self.reopen(path, *journal, tag, again).await? {
                return Ok(upload);
            }
        }
    }

    /// Opens the upload whose journal this is, if that has not changed. Fences its writer.
    async fn reopen(
        self: &Arc<Self>,
        path: &Path,
        journal: Journal,
        tag: Tag,
        again: bool,
    ) -> Result<Option<Upload>> {
        let expect = Expect::Tag(tag);
        match self.objects.decide(&journal::key(path), &journal.seal(), &expect).await? {
            Decision::Won(tag) => Ok(Some(Upload::new(self, path, Left { journal, tag, again }))),
            Decision::Lost(_) => Ok(None),
        }
    }

    async fn append(self: &Arc<Self>, path: &Path, at: Option<u64>) -> Result<(Journal, Tag)> {
        let mut in_doubt = false;
        loop {
            let file = self.whole_file(path).await?;
            let before = self.settled_journal(path).await?;
            if let JournalAt::Upload(..) = before {
                return Err(ErrorKind::UploadInProgress.into());
            }
            check_offset(at, file.record.size)?;
            let mut journal = Journal::new(nonce::fresh(), self.now());
            journal.base = Some(file.record.version.as_str().to_owned());
            journal.fenced = in_doubt || before.is_fenced();
            let (body, mut hold) = self.share(path, &file, Holder::upload(path)).await?;
            match body {
                Body::Inline(bytes) => journal.set_tail(bytes),
                Body::Extents(extents) => journal.extents = extents,
                Body::Foreign => return Err(ErrorKind::Unsupported.into()),
            }
            hold.renew().await?;
            match self.objects.begin(&journal::key(path), &journal.seal(), &before.state()).await? {
                Begun::Done(tag) => return Ok((journal, tag)),
                Begun::Lost => {}
                Begun::Doubt => in_doubt = true,
            }
        }
    }
}

fn check_offset(given: Option<u64>, size: u64) -> Result<()> {
    match given {
        Some(given) if given != size => Err(ErrorKind::OffsetMismatch { given, size }.into()),
        _ => Ok(()),
    }
}

/// The writer of an upload that was opened.
pub(crate) fn writer(
    name: &'static str,
    path: &Path,
    upload: Upload,
    options: &WriterOptions,
) -> Writer {
    let (size, note) = (upload.size(), upload.note().clone());
    let session = Session::new(upload, options.exclusive_buffers);
    Writer::new(name, path.clone(), size, session).with_note(note)
}
