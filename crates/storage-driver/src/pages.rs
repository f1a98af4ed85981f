//! [`Pages`]: a paged listing as one stream.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    vec,
};

use futures_core::Stream;

use crate::{Entry, ListOptions, Page, Path, Result, StorageDriver, UploadInfo};

type Fetch<'a, T> = Pin<Box<dyn Future<Output = Result<Page<T>>> + Send + 'a>>;

/// Every item of a listing, fetched page by page: a stream that holds one page at a time.
///
/// Made by [`list_all`](crate::StorageDriverExt::list_all) and
/// [`uploads_all`](crate::StorageDriverExt::uploads_all). It ends after an error.
#[must_use = "a listing does nothing unless it is polled"]
pub struct Pages<'a, T> {
    fetch: Box<dyn Fn(ListOptions) -> Fetch<'a, T> + Send + 'a>,
    options: ListOptions,
    state: State<'a, T>,
}

enum State<'a, T> {
    Idle,
    Fetching(Fetch<'a, T>),
    Giving { items: vec::IntoIter<T>, next: Option<Path> },
    Ended,
}

impl<'a> Pages<'a, Entry> {
    pub(crate) fn of_list<D>(driver: &'a D, path: Path, options: ListOptions) -> Self
    where
        D: StorageDriver + ?Sized,
    {
        let fetch = move |options| {
            let path = path.clone();
            Box::pin(async move { driver.list(&path, options).await }) as Fetch<'a, Entry>
        };
        Self { fetch: Box::new(fetch), options, state: State::Idle }
    }
}

impl<'a> Pages<'a, UploadInfo> {
    pub(crate) fn of_uploads<D>(driver: &'a D, path: Path, options: ListOptions) -> Self
    where
        D: StorageDriver + ?Sized,
    {
        let fetch = move |options| {
            let path = path.clone();
            Box::pin(async move { driver.uploads(&path, options).await }) as Fetch<'a, UploadInfo>
        };
        Self { fetch: Box::new(fetch), options, state: State::Idle }
    }
}

impl<T: Unpin> Stream for Pages<'_, T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            match &mut this.state {
                State::Ended => return Poll::Ready(None),
                State::Idle => {
                    this.state = State::Fetching((this.fetch)(this.options.clone()));
                }
                State::Fetching(page) => match ready!(page.as_mut().poll(cx)) {
                    Ok(Page { items, next }) => {
                        this.state = State::Giving { items: items.into_iter(), next };
                    }
                    Err(error) => {
                        this.state = State::Ended;
                        return Poll::Ready(Some(Err(error)));
                    }
                },
                State::Giving { items, next } => {
                    if let Some(item) = items.next() {
                        return Poll::Ready(Some(Ok(item)));
                    }
                    this.state = match next.take() {
                        Some(next) => {
                            this.options.start_after = Some(next);
                            State::Idle
                        }
                        None => State::Ended,
                    };
                }
            }
        }
    }
}

impl<T> fmt::Debug for Pages<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").field("options", &self.options).finish_non_exhaustive()
    }
}
