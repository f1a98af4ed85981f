//! Broken drivers: listings and walks.

use std::{
    collections::HashMap,
    sync::Mutex,
    task::{Context, Poll},
};

use futures::{FutureExt, StreamExt, TryStreamExt, stream::BoxStream};

use super::breakage::*;

broken_drivers! {
    ListsByPrefix as sibling_of_the_same_prefix: ["listing::list_of_a_leaves_ab_out"];
    ListsNothing as listing_of_nothing: ["listing::list_of_nothing_is_not_found"];
    IgnoresStartAfter as ignored_start: ["listing::list_starts_after_an_entry"];
    IgnoresTheLimit as ignored_limit: ["listing::pages_of_every_limit_join_to_the_whole"];
    RepeatsTheLast as duplicate_entries: ["listing::pages_of_every_limit_join_to_the_whole"];
    ListsUploads as listed_upload: ["namespace::an_upload_is_not_seen_by_list"];
    WalksSkippedDirectories as skipped_directory_that_is_walked: [
        "walking::skip_dir_leaves_out_what_is_below",
    ];
    WalksInByteOrder as wrong_order_of_a_walk: ["walking::walk_visits_in_the_order_of_paths"];
    ListsStaleMetadata as listing_of_what_was_there_before: [
        "listing::list_returns_the_metadata_of_stat_after_a_change",
    ];
    NamesIgnoreTheLimit as names_without_a_limit: [
        "listing::a_list_of_names_obeys_start_and_limit",
    ];
}

/// All the children of a directory.
async fn children(driver: &Reference, path: &Path) -> Result<Vec<Entry>> {
    driver.list_all(path).try_collect().await
}

broken! {
    /// 6.2: every path that begins with the text of the path is listed.
    ListsByPrefix {
        async fn list(&self, path: &Path, options: ListOptions) -> Result<Page<Entry>> {
            let mut entries = children(&self.inner, path).await?;
            if let Some(dir) = path.parent() {
                let alike = children(&self.inner, &dir).await?;
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
            match self.inner.list(path, options).await {
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
            self.inner.list(path, ListOptions::new().limit(options.limit)).await
        }
    }
}

broken! {
    /// 6.3: a page has all entries, whatever the limit.
    IgnoresTheLimit {
        async fn list(&self, path: &Path, options: ListOptions) -> Result<Page<Entry>> {
            self.inner.list(path, options.limit(usize::MAX)).await
        }
    }
}

broken! {
    /// 6.5: a page begins with the entry that it starts after.
    RepeatsTheLast {
        async fn list(&self, path: &Path, options: ListOptions) -> Result<Page<Entry>> {
            let mut page = self.inner.list(path, options.clone()).await?;
            if let Some(start) = &options.start_after {
                let again = children(&self.inner, path).await?;
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
            let mut entries = children(&self.inner, path).await?;
            let uploads = self.inner.uploads(path, ListOptions::new()).await?.items;
            let direct = |upload: &UploadInfo| upload.path.parent().as_ref() == Some(path);
            entries.extend(uploads.into_iter().filter(direct).map(|it| Entry::bare_file(it.path)));
            entries.sort_by(|a, b| a.path().cmp(b.path()));
            entries.dedup_by(|a, b| a.path() == b.path());
            Ok(Page::from_sorted(path, &options, entries))
        }
    }
}

/// A walk over any stream of entries, which ignores `skip_dir`.
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
            let entries = self.inner.walk(path, options).boxed();
            Walk::new("reference", path.clone(), Walked { entries })
        }
    }
}

broken! {
    /// 6.4: a walk is in the order of bytes, which separates a directory from its children.
    WalksInByteOrder {
        fn walk<'a>(&'a self, path: &Path, options: WalkOptions) -> Walk<'a> {
            let walked = self.inner.walk(path, options).try_collect::<Vec<_>>();
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

broken! {
    /// 6.2: a listing has the metadata that a file had first.
    ListsStaleMetadata(listed: Mutex<HashMap<Path, Metadata>>) {
        async fn put_content(
            &self,
            path: &Path,
            content: Payload,
            precondition: Precondition,
        ) -> Result<Metadata> {
            let file = self.inner.put_content(path, content, precondition).await?;
            self.listed.lock().unwrap().entry(path.clone()).or_insert(file.clone());
            Ok(file)
        }

        async fn list(&self, path: &Path, options: ListOptions) -> Result<Page<Entry>> {
            let mut page = self.inner.list(path, options).await?;
            let listed = self.listed.lock().unwrap();
            for entry in &mut page.items {
                if let (true, Some(file)) = (entry.is_file(), listed.get(entry.path())) {
                    *entry = Entry::file(file.clone());
                }
            }
            Ok(page)
        }
    }
}

broken! {
    /// 6.6: the option `names_only` replaces the others.
    NamesIgnoreTheLimit {
        async fn list(&self, path: &Path, options: ListOptions) -> Result<Page<Entry>> {
            let options = if options.names_only { ListOptions::new() } else { options };
            self.inner.list(path, options).await
        }
    }
}
