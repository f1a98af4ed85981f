//! [`Pages`]: a paged listing as one stream.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    vec,
};

use futures_core::Stream;

use crate::{Entry, ListOptions, Page, Path, Result, StorageDriver, UploadInfo};

/// How many items a page has. Object stores list at most 1,000 keys in one request, and their drivers look at two keys more
/// than a page has, to see whether another follows.
const PAGE: usize = 998;

type Fetch<'a, T> = Pin<Box<dyn Future<Output = Result<Page<T>>> + Send + 'a>>;

/// Every item of a listing, fetched page by page: a stream that holds one page at a time.
///
/// Returned by [`list_all`](crate::StorageDriverExt::list_all) and
/// [`uploads_all`](crate::StorageDriverExt::uploads_all), which borrow the driver, and by
/// [`into_list_all`](crate::StorageDriverExt::into_list_all) and
/// [`into_uploads_all`](crate::StorageDriverExt::into_uploads_all), which own it. It ends after an error.
///
/// ```
/// # use storage_driver::{Path, Result, StorageDriver, StorageDriverExt};
/// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
/// use futures::TryStreamExt;
///
/// let mut children = driver.list_all(&Path::parse("/blobs")?);
/// while let Some(entry) = children.try_next().await? {
///     println!("{}", entry.path());
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "a listing does nothing unless it is polled"]
pub struct Pages<'a, T> {
    fetch: Box<dyn Fn(ListOptions) -> Fetch<'a, T> + Send + 'a>,
    options: ListOptions,
    state: State<'a, T>,
}

enum State<'a, T> {
    Idle,
    Fetching(Fetch<'a, T>),
    Buffered { items: vec::IntoIter<T>, next: Option<Path> },
    Ended,
}

impl<'a, T> Pages<'a, T> {
    fn new(fetch: impl Fn(ListOptions) -> Fetch<'a, T> + Send + 'a) -> Self {
        Self { fetch: Box::new(fetch), options: ListOptions::new().limit(PAGE), state: State::Idle }
    }

    /// The same listing of what orders after `start_after`, with names only or not.
    pub(crate) fn starting(mut self, start_after: Option<Path>, names_only: bool) -> Self {
        self.options.start_after = start_after;
        self.options.names_only = names_only;
        self
    }
}

impl<'a> Pages<'a, Entry> {
    pub(crate) fn of_list<D: StorageDriver + ?Sized>(driver: &'a D, path: Path) -> Self {
        Self::new(move |options| {
            let path = path.clone();
            Box::pin(async move { driver.list(&path, options).await })
        })
    }
}

impl Pages<'static, Entry> {
    pub(crate) fn of_owned_list(driver: impl StorageDriver + 'static, path: Path) -> Self {
        let driver = Arc::new(driver);
        Self::new(move |options| {
            let (driver, path) = (Arc::clone(&driver), path.clone());
            Box::pin(async move { driver.list(&path, options).await })
        })
    }
}

impl<'a> Pages<'a, UploadInfo> {
    pub(crate) fn of_uploads<D: StorageDriver + ?Sized>(driver: &'a D, path: Path) -> Self {
        Self::new(move |options| {
            let path = path.clone();
            Box::pin(async move { driver.uploads(&path, options).await })
        })
    }
}

impl Pages<'static, UploadInfo> {
    pub(crate) fn of_owned_uploads(driver: impl StorageDriver + 'static, path: Path) -> Self {
        let driver = Arc::new(driver);
        Self::new(move |options| {
            let (driver, path) = (Arc::clone(&driver), path.clone());
            Box::pin(async move { driver.uploads(&path, options).await })
        })
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
                        this.state = State::Buffered { items: items.into_iter(), next };
                    }
                    Err(error) => {
                        this.state = State::Ended;
                        return Poll::Ready(Some(Err(error)));
                    }
                },
                State::Buffered { items, next } => {
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
