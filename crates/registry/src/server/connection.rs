//! [`Connections`]: the state that all connections of a server share, and how one is served.

use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc};

use axum::{Router, body::Body, extract::ConnectInfo, response::IntoResponse};
use http::{Request, StatusCode, uri::Scheme};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{rt::TokioIo, server::conn::auto};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Duration, Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::{error_chain::ErrorChain, security_headers::seal};

use super::{
    activity::Activity, host, limits::ServerLimits, progress::Progress, response::ResponseBody,
    stream::Stream, streams::StreamTasks,
};

/// The largest read of a body: hyper's buffer begins small and grows while a client fills it. It is also the largest frame of HTTP/2.
const READ_BYTES: u32 = 256 << 10;

/// The number of concurrent requests on one HTTP/2 connection; clients hold others back. Each may
/// have a chunk of its response in memory.
const MAX_STREAMS: u32 = 64;

/// How long a client has to close its connection at a shutdown.
const FAREWELL: Duration = Duration::from_secs(1);

/// The state that all connections share.
#[derive(Debug)]
pub(super) struct Connections {
    router: Router,
    /// Whether they all speak TLS.
    scheme: Scheme,
    pub(super) limits: ServerLimits,
    http: auto::Builder<StreamTasks>,
    /// Requests in flight are finished, and no others are accepted.
    pub(super) stopping: CancellationToken,
    /// Connections end at once.
    pub(super) end: CancellationToken,
}

impl Connections {
    pub(super) fn new(
        router: Router,
        scheme: Scheme,
        limits: ServerLimits,
        stopping: CancellationToken,
    ) -> Self {
        let limits = limits.usable();
        let mut http = auto::Builder::new(StreamTasks { write_timeout: limits.write_timeout });
        // The deadlines of `serve` are for both versions of HTTP, and begin before the first byte.
        http.http1()
            .header_read_timeout(None)
            .max_buf_size(limits.max_header_bytes.max(READ_BYTES) as usize);
        http.http2()
            .max_header_list_size(limits.max_header_bytes)
            .max_frame_size(READ_BYTES)
            .max_concurrent_streams(MAX_STREAMS);
        Self { router, scheme, limits, http, stopping, end: CancellationToken::new() }
    }

    /// Serves a connection until it ends.
    pub(super) async fn serve<I>(self: Arc<Self>, io: I, peer: SocketAddr)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Activity::new();
        // Of HTTP/1, where a connection has one response at a time. Streams of HTTP/2 have their own.
        let progress = Progress::new();
        let io = TokioIo::new(Stream::new(io));
        let service = service_fn(|request| {
            // From here on, and not from when the future is first polled.
            let in_flight = activity.begin();
            let (shared, progress) = (self.clone(), progress.clone());
            async move {
                let response = shared.respond(request, peer).await;
                let of_stream = StreamTasks::progress();
                let is_stream = of_stream.is_some();
                let progress = of_stream.unwrap_or(progress);
                Ok::<_, Infallible>(ResponseBody::response(
                    response, progress, in_flight, is_stream,
                ))
            }
        });
        let mut connection = pin!(self.http.serve_connection(io, service));
        let mut timer = pin!(sleep_until(Instant::now() + self.limits.header_timeout));
        let mut stalled = pin!(progress.stalled(self.limits.write_timeout));
        let (mut closing, mut dismissed) = (false, false);
        loop {
            tokio::select! {
                biased;
                () = self.end.cancelled() => return,
                ended = &mut connection => {
                    if let Err(error) = ended {
                        tracing::debug!(%peer, error = %ErrorChain(&*error), "connection");
                    }
                    return;
                }
                () = self.stopping.cancelled(), if !closing => {
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = &mut stalled => return,
                () = &mut timer => {
                    let now = Instant::now();
                    // A connection that is busy now cannot have been idle for long enough before then.
                    let since = activity.idle_since().unwrap_or(now);
                    let deadline = since + self.limits.header_timeout;
                    if deadline > now {
                        timer.as_mut().reset(deadline);
                    } else if dismissed {
                        return;
                    } else {
                        // An HTTP/2 client whose request arrives now learns that it was not
                        // processed, and may send it on another connection.
                        dismissed = true;
                        connection.as_mut().graceful_shutdown();
                        timer.as_mut().reset(now + FAREWELL);
                    }
                }
            }
        }
    }

    async fn respond(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> axum::response::Response {
        let refused = if header_bytes(&request) > u64::from(self.limits.max_header_bytes) {
            Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.into_response())
        } else {
            host::check(&request)
                .err()
                .map(|wrong| (StatusCode::BAD_REQUEST, wrong).into_response())
        };
        if let Some(mut response) = refused {
            seal(&mut response);
            return response;
        }
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(self.scheme.clone());
        match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// The approximate size of the request line and the headers, in bytes.
fn header_bytes(request: &Request<Incoming>) -> u64 {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let separators = 4;
    let headers = request.headers().iter();
    let headers = headers.map(|(name, value)| name.as_str().len() + value.len() + separators);
    (target + headers.sum::<usize>()) as u64
}
