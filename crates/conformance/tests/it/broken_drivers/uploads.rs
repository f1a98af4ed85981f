//! Broken drivers: how uploads in progress are listed, looked up and cancelled.

use std::time::SystemTime;

use super::breakage::*;

broken_drivers! {
    PutCancelsTheUpload as put_that_cancels_the_upload: [
        "content::a_put_leaves_the_upload_at_its_path_alone",
    ];
    CancelsTheYoung as sweep_that_takes_the_young: [
        "uploads::cancel_uploads_leaves_the_young",
        "model::sequences_return_what_the_model_returns",
    ];
    TakesTheOlderAlone as sweep_that_leaves_what_is_exactly_as_old: [
        "times::cancel_uploads_cancels_an_upload_of_exactly_the_age",
        "times::cancel_uploads_of_any_age_cancels_an_upload_written_now",
    ];
    JudgesByStart as sweep_that_judges_by_the_start: [
        "uploads::cancel_uploads_counts_from_the_last_write",
        "times::the_age_of_an_upload_counts_from_its_last_write",
    ];
    TakesTheFuture as sweep_that_takes_what_was_written_in_the_future: [
        "times::an_upload_written_in_the_future_has_no_age",
    ];
    CancelUploadsTakesFiles as sweep_that_takes_files: [
        "uploads::cancel_uploads_leaves_committed_content",
    ];
    NeverDatesAWrite as upload_without_the_time_of_its_last_write: [
        "times::an_upload_reports_its_start_and_its_last_write",
    ];
    LosesTheEntryAtTheLimit as page_of_uploads_that_loses_an_entry: [
        "uploads::pages_of_uploads_of_every_limit_join_to_the_whole",
        "uploads::uploads_are_paged",
    ];
    EndsAtTheLimit as page_of_uploads_that_ends_too_early: [
        "uploads::pages_of_uploads_of_every_limit_join_to_the_whole",
        "uploads::a_page_of_uploads_as_long_as_the_limit_may_be_the_last",
    ];
    NeverEndsAtTheLimit as page_of_uploads_that_promises_more: [
        "uploads::a_page_of_uploads_as_long_as_the_limit_may_be_the_last",
    ];
    IgnoresStartBelow as start_of_uploads_that_is_ignored_in_a_directory: [
        "uploads::uploads_of_a_directory_start_after_a_path",
    ];
    UploadFences as upload_that_fences: ["notes::upload_of_an_open_writer_does_not_fence_it"];
    UploadLooksBelow as upload_of_a_path_below: ["notes::upload_of_another_path_is_none"];
}

broken! {
    /// 5.7: a put cancels the upload at its path.
    PutCancelsTheUpload {
        async fn put_content(
            &self,
            path: &Path,
            content: Payload,
            precondition: Precondition,
        ) -> Result<Metadata> {
            let file = self.inner.put_content(path, content, precondition).await?;
            drop(self.inner.cancel_upload(path).await);
            Ok(file)
        }
    }
}

broken! {
    /// 5.16: uploads of any age are cancelled.
    CancelsTheYoung {
        async fn cancel_uploads(&self, path: &Path, _: Duration) -> Result<u64> {
            let uploads = self.inner.uploads(path, ListOptions::new()).await?.items;
            for upload in &uploads {
                self.inner.cancel_upload(&upload.path).await?;
            }
            Ok(uploads.len() as u64)
        }
    }
}

/// Cancels the uploads that are `old` at the current time of the reference's clock.
async fn sweep(
    driver: &Reference,
    dir: &Path,
    old: impl Fn(&UploadInfo, SystemTime) -> bool,
) -> Result<u64> {
    let probe = path("/clock");
    let now = driver.put(&probe, "").await?.modified;
    driver.delete(&probe, Precondition::None).await?;
    let uploads = driver.uploads(dir, ListOptions::new()).await?.items;
    let mut cancelled = 0;
    for upload in uploads.iter().filter(|upload| old(upload, now)) {
        driver.cancel_upload(&upload.path).await?;
        cancelled += 1;
    }
    Ok(cancelled)
}

/// How long ago a time was.
fn age(time: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(time).unwrap_or_default()
}

broken! {
    /// 5.16: an upload of exactly the age is left.
    TakesTheOlderAlone {
        async fn cancel_uploads(&self, path: &Path, older_than: Duration) -> Result<u64> {
            sweep(&self.inner, path, |upload, now| age(upload.modified, now) > older_than).await
        }
    }
}

broken! {
    /// 5.16: the age of an upload counts from its start.
    JudgesByStart {
        async fn cancel_uploads(&self, path: &Path, older_than: Duration) -> Result<u64> {
            sweep(&self.inner, path, |upload, now| age(upload.created, now) >= older_than).await
        }
    }
}

broken! {
    /// 5.16: an upload that was written in the future has the age of the difference.
    TakesTheFuture {
        async fn cancel_uploads(&self, path: &Path, older_than: Duration) -> Result<u64> {
            let old = |upload: &UploadInfo, now| {
                age(upload.modified, now).max(age(now, upload.modified)) >= older_than
            };
            sweep(&self.inner, path, old).await
        }
    }
}

broken! {
    /// 5.16: committed content at the paths of uploads is removed too.
    CancelUploadsTakesFiles {
        async fn cancel_uploads(&self, dir: &Path, older_than: Duration) -> Result<u64> {
            for upload in self.inner.uploads(dir, ListOptions::new()).await?.items {
                if older_than.is_zero() && self.inner.exists(&upload.path).await? {
                    self.inner.rename(&upload.path, &path("/trash"), Precondition::None).await?;
                }
            }
            self.inner.cancel_uploads(dir, older_than).await
        }
    }
}

/// A broken driver whose pages of uploads are made by `$change`.
macro_rules! lists_uploads {
    ($(#[$doc:meta])* $name:ident, $change:expr) => {
        broken! {
            $(#[$doc])*
            $name {
                async fn uploads(&self, path: &Path, options: ListOptions) -> Result<Page<UploadInfo>> {
                    let change: fn(&Path, &ListOptions, Vec<UploadInfo>) -> Page<UploadInfo> = $change;
                    let all = self.inner.uploads(path, ListOptions::new().limit(usize::MAX)).await?;
                    Ok(change(path, &options, all.items))
                }
            }
        }
    };
}

lists_uploads! {
    /// 5.16: the time of the last write is that of the start.
    NeverDatesAWrite, |path, options, mut uploads| {
        uploads.iter_mut().for_each(|upload| upload.modified = upload.created);
        Page::from_sorted(path, options, uploads)
    }
}

lists_uploads! {
    /// 5.16: the next page starts after the first entry that did not fit, which is lost.
    LosesTheEntryAtTheLimit, |path, options, uploads| {
        let after = uploads.clone();
        let mut page = Page::from_sorted(path, options, uploads);
        if let (Some(next), true) = (&mut page.next, options.limit > 0) {
            let lost = after.into_iter().find(|upload| upload.path > *next);
            *next = lost.expect("there is more").path;
        }
        page
    }
}

lists_uploads! {
    /// 5.16: a full page is the last.
    EndsAtTheLimit, |path, options, uploads| {
        Page::new(Page::from_sorted(path, options, uploads).items, None)
    }
}

lists_uploads! {
    /// 5.16: a full page is never the last.
    NeverEndsAtTheLimit, |path, options, uploads| {
        let mut page = Page::from_sorted(path, options, uploads);
        if page.items.len() == options.limit && page.next.is_none() {
            page.next = page.items.last().map(|upload| upload.path.clone());
        }
        page
    }
}

lists_uploads! {
    /// 5.16: `start_after` is ignored except at the root.
    IgnoresStartBelow, |path, options, uploads| {
        let mut options = options.clone();
        options.start_after = options.start_after.filter(|_| path.is_root());
        Page::from_sorted(path, &options, uploads)
    }
}

broken! {
    /// 5.16: `upload` resumes the upload to find out its size.
    UploadFences {
        async fn upload(&self, path: &Path) -> Result<Option<UploadInfo>> {
            drop(self.inner.resume(path).await);
            self.inner.upload(path).await
        }
    }
}

broken! {
    /// 5.16: `upload` finds an upload below the path.
    UploadLooksBelow {
        async fn upload(&self, path: &Path) -> Result<Option<UploadInfo>> {
            path.require_not_root()?;
            let page = self.inner.uploads(path, ListOptions::new().limit(1)).await?;
            Ok(page.items.into_iter().next())
        }
    }
}
