//! An S3 server in process: an HTTP service over a map, which the real S3 client talks to.
//!
//! `bucket:memory` opens it, and tests run on it. It has no sockets and takes no time. [`Ways`] are the
//! differences between servers that matter to the driver, each a switch. It does not check signatures.

mod content;
mod date;
mod request;
mod state;
mod xml;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use object_store::{
    ClientOptions,
    client::{HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService},
};

use state::State;

/// Draws the random names that this thread makes from `seed`, so that a test that runs on one thread can be repeated.
///
/// Two processes with one seed would choose the same names. Never call it where a store is shared with another process.
pub fn seed_nonces(seed: u64) {
    crate::nonce::seed(seed);
}

/// The ways of a server. The default is those of AWS, as far as they are known.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Ways {
    /// It ignores `If-None-Match: *` on PUT, as Ceph 16 does in a bucket with versioning.
    pub ignores_create: bool,
    /// Two creates of one key both succeed if the second arrives before the first has been stored.
    pub racing_creates_win: bool,
    /// It acknowledges puts of whole objects and stores none.
    pub loses_puts: bool,
    /// A listing has an object only when it has been stored for so long.
    pub lists_after: Duration,
    /// A GET returns the headers of the whole body and half of the body.
    pub truncates_bodies: bool,
    /// It ignores `If-Match` on PUT.
    pub ignores_match: bool,
    /// It refuses every `If-Match` on PUT, as Ceph 16 does in a bucket with versioning.
    pub refuses_match: bool,
    /// It compares the ETag of `If-Match` on PUT without its quotes, and never finds quoted ones equal (Ceph 16).
    pub wants_bare_etags: bool,
    /// It ignores `If-Match` on DELETE (Ceph 16).
    pub ignores_delete_match: bool,
    /// The response to a refused `If-Match` on PUT is 500 instead of 412 (93 % of them on Ceph 16).
    pub losers_get_500: bool,
    /// The response to a refused `If-Match` or `If-None-Match` on PUT is 409 instead of 412 (AWS under contention).
    pub losers_get_409: bool,
    /// The response to Complete has an empty ETag (Ceph 16).
    pub empty_complete_etag: bool,
    /// A listing is in the order of components: `a/` before `a-b` (SeaweedFS).
    pub component_order: bool,
    /// A listing ignores `start-after` (Azurite).
    pub ignores_offset: bool,
    /// A listing by directory shows a directory also after its last object was removed (SeaweedFS).
    pub keeps_directories: bool,
    /// A listing begins with the item of `start-after` itself, or with the directory that it is in (SeaweedFS).
    pub repeats_offset: bool,
    /// A page has one item more than was asked for (SeaweedFS).
    pub long_pages: bool,
    /// The maximum number of items in a page.
    pub page: usize,
    /// The minimum size of a part that is not the last, in bytes.
    pub min_part: usize,
    /// It forgets the content of extents as it arrives. They are zeros when they are read: for tests with more than fits
    /// into memory.
    pub sparse: bool,
    /// The status and the code of the response to every request, if it refuses them all.
    pub refuses: Option<(u16, &'static str)>,
}

impl Default for Ways {
    fn default() -> Self {
        Self {
            ignores_create: false,
            racing_creates_win: false,
            loses_puts: false,
            lists_after: Duration::ZERO,
            truncates_bodies: false,
            ignores_match: false,
            refuses_match: false,
            wants_bare_etags: false,
            ignores_delete_match: false,
            losers_get_500: false,
            losers_get_409: false,
            empty_complete_etag: false,
            component_order: false,
            ignores_offset: false,
            keeps_directories: false,
            repeats_offset: false,
            long_pages: false,
            page: 1000,
            min_part: 5 << 20,
            sparse: false,
            refuses: None,
        }
    }
}

impl Ways {
    /// Those of Ceph 16.2 in a bucket without versioning.
    pub fn ceph() -> Self {
        Self {
            wants_bare_etags: true,
            ignores_delete_match: true,
            losers_get_500: true,
            empty_complete_etag: true,
            ..Self::default()
        }
    }

    /// Those of Ceph 16.2 in a bucket with versioning.
    pub fn ceph_versioned() -> Self {
        Self { ignores_create: true, refuses_match: true, ..Self::ceph() }
    }

    /// Those of SeaweedFS, except that it creates no object where it keeps a directory.
    pub fn seaweedfs() -> Self {
        Self {
            component_order: true,
            keeps_directories: true,
            repeats_offset: true,
            long_pages: true,
            ..Self::default()
        }
    }
}

/// The server. A clone is a handle to the same one.
#[derive(Clone)]
pub struct Double {
    state: Arc<Mutex<State>>,
}

impl Double {
    /// An empty server.
    pub fn new(ways: Ways) -> Self {
        Self { state: Arc::new(Mutex::new(State::new(ways))) }
    }

    /// The keys of all objects, in the order of bytes.
    pub fn keys(&self) -> Vec<String> {
        self.locked(|state| state.keys())
    }

    /// How many multipart uploads are open.
    pub fn open_multiparts(&self) -> usize {
        self.locked(|state| state.open_multiparts())
    }

    /// Stores an object past the driver.
    pub fn put(&self, key: &str, content_type: &str, content: impl Into<bytes::Bytes>) {
        self.locked(|state| state.put_foreign(key, content_type, content.into()));
    }

    /// The content of an object.
    pub fn get(&self, key: &str) -> Option<bytes::Bytes> {
        self.locked(|state| state.content(key))
    }

    /// Removes an object past the driver.
    pub fn remove(&self, key: &str) {
        self.locked(|state| state.remove(key));
    }

    /// Changes the ways of the server.
    pub fn set_ways(&self, change: impl FnOnce(&mut Ways)) {
        self.locked(|state| change(&mut state.ways));
    }

    /// Stops the server's clock. [`advance`](Self::advance) still moves it.
    pub fn stop_clock(&self) {
        self.locked(|state| state.stopped = Some(SystemTime::now()));
    }

    /// Moves the server's clock ahead: objects that exist grow older.
    pub fn advance(&self, time: Duration) {
        self.locked(|state| state.ahead += time);
    }

    /// The time of the server's clock.
    pub fn now(&self) -> SystemTime {
        self.locked(|state| state.now())
    }

    fn locked<T>(&self, body: impl FnOnce(&mut State) -> T) -> T {
        body(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Default for Double {
    fn default() -> Self {
        Self::new(Ways::default())
    }
}

impl fmt::Debug for Double {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Double").finish_non_exhaustive()
    }
}

impl HttpConnector for Double {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Double {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let sparse = self.locked(|state| state.ways.sparse);
        let mut request = request::Request::read(request, sparse).await?;
        self.locked(|state| state.receive(&mut request));
        // As over a network, other tasks run between the request and the response.
        tokio::task::yield_now().await;
        let (mut response, now) = self.locked(|state| (state.handle(&request), state.now()));
        if let Ok(date) = date::http(now).parse() {
            response.headers_mut().insert(http::header::DATE, date);
        }
        tokio::task::yield_now().await;
        Ok(response)
    }
}
