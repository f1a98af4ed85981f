//! Lies about list and walk.

use std::{
    collections::HashMap,
    sync::Mutex,
    task::{Context, Poll},
};

use futures::{FutureExt, StreamExt, TryStreamExt, stream::BoxStream};

use crate::breakage::*;

/// All the children of a directory, whatever the options say.
async fn children(driver: &Reference, path: &Path) -> Result<Vec<Entry>> {
    driver.list_all(path).try_collect().await
}

broken! {
    /// 6.2: whatever begins with the text of the path is listed.
    ListsByPrefix {
        async fn list(&self, path: &Path, options: ListOptions) -> Result<Page<Entry>> {
            let mut entries = children(&self.0, path).await?;
            if let Some(dir) = path.parent() {
                let alike = children(&self.0, &dir).await?;
                entries.extend(alike.into_iter().filter(|entry| {
                    entry.path() != path && entry.path().as_str().starts_with(path.as_str())
                }));
            }
            entries.sort_by(|a, b| a.path().cmp(b.path()));
            Ok(Page::from_sorted(path, &options, entries))
        }
    }
}

broken! {
    /// 6.2: nothing is listed as an empty directory.
    ListsNothing {
        async fn list(&self, path: &Path, options: ListOptions) -> Result<Page<Entry>> {
            match self.0.list(path, options).await {
                Err(error) if error.is_not_found() => Ok(Page::new(Vec::new(), None)),
                other => other,
            }
        }
    }
}

broken! {
    /// 6.3: every page is the first.
    IgnoresStartAfter {
        async fn list(&self, path: &Path, options: ListOptions) -> Result<Page<Entry>> {
            self.0.list(path, ListOptions::new().limit(options.limit)).await
        }
    }
}

broken! {
    /// 6.3: a page is as long as there are entries.
    IgnoresTheLimit {
        async fn list(&self, path: &Path, options: ListOptions) -> Result<Page<Entry>> {
            self.0.list(path, options.limit(usize::MAX)).await
        }
    }
}

broken! {
    /// 6.5: a page begins with the entry that it starts after.
    RepeatsTheLast {
        async fn list(&self, path: &Path, options: ListOptions) -> Result<Page<Entry>> {
            let mut page = self.0.list(path, options.clone()).await?;
            if let Some(start) = &options.start_after {
                let again = children(&self.0, path).await?;
                page.items.splice(0..0, again.into_iter().find(|entry| entry.path() == start));
            }
            Ok(page)
        }
    }
}

broken! {
    /// 2.4: uploads in progress are listed as files.
    ListsUploads {
        async fn list(&self, path: &Path, options: ListOptions) -> Result<Page<Entry>> {
            let mut entries = children(&self.0, path).await?;
            let uploads = self.0.uploads(path, ListOptions::new()).await?.items;
            let direct = |upload: &UploadInfo| upload.path.parent().as_ref() == Some(path);
            entries.extend(uploads.into_iter().filter(direct).map(|it| Entry::bare_file(it.path)));
            entries.sort_by(|a, b| a.path().cmp(b.path()));
            entries.dedup_by(|a, b| a.path() == b.path());
            Ok(Page::from_sorted(path, &options, entries))
        }
    }
}

/// A walk over any stream of entries, which does with a directory to be skipped as it is told.
struct Walked<'a> {
    entries: BoxStream<'a, Result<Entry>>,
}

impl WalkSource for Walked<'_> {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Entry>>> {
        self.entries.poll_next_unpin(cx)
    }

    fn skip_dir(&mut self) {}
}

broken! {
    /// 6.4: a directory that is skipped is walked all the same.
    WalksSkippedDirectories {
        fn walk<'a>(&'a self, path: &Path, options: WalkOptions) -> Walk<'a> {
            let entries = self.0.walk(path, options).boxed();
            Walk::new("reference", path.clone(), Walked { entries })
        }
    }
}

broken! {
    /// 6.4: a walk goes by the bytes of paths, which tears a directory from what is in it.
    WalksInByteOrder {
        fn walk<'a>(&'a self, path: &Path, options: WalkOptions) -> Walk<'a> {
            let walked = self.0.walk(path, options).try_collect::<Vec<_>>();
            let entries: Vec<Result<Entry>> = match walked.now_or_never() {
                Some(Ok(mut entries)) => {
                    entries.sort_by(|a, b| a.path().as_str().cmp(b.path().as_str()));
                    entries.into_iter().map(Ok).collect()
                }
                Some(Err(error)) => vec![Err(error)],
                None => unreachable!("the reference does not wait"),
            };
            let entries = futures::stream::iter(entries).boxed();
            Walk::new("reference", path.clone(), Walked { entries })
        }
    }
}

/// What was listed of each file first.
#[derive(Debug, Default)]
pub(crate) struct ListsStaleMetadata {
    honest: Reference,
    listed: Mutex<HashMap<Path, Metadata>>,
}

/// 6.2: a listing remembers what it said of a file, whatever became of it.
#[async_trait]
impl Breakage for ListsStaleMetadata {
    fn honest(&self) -> &Reference {
        &self.honest
    }

    async fn put_content(
        &self,
        path: &Path,
        content: Payload,
        precondition: Precondition,
    ) -> Result<Metadata> {
        let file = self.honest.put_content(path, content, precondition).await?;
        self.listed.lock().unwrap().entry(path.clone()).or_insert(file.clone());
        Ok(file)
    }

    async fn list(&self, path: &Path, options: ListOptions) -> Result<Page<Entry>> {
        let mut page = self.honest.list(path, options).await?;
        let listed = self.listed.lock().unwrap();
        for entry in &mut page.items {
            if let (true, Some(file)) = (entry.is_file(), listed.get(entry.path())) {
                *entry = Entry::file(file.clone());
            }
        }
        Ok(page)
    }
}

broken! {
    /// 6.6: the option is taken for one that replaces the others.
    NamesIgnoreTheLimit {
        async fn list(&self, path: &Path, options: ListOptions) -> Result<Page<Entry>> {
            let options = if options.names_only { ListOptions::new() } else { options };
            self.0.list(path, options).await
        }
    }
}
