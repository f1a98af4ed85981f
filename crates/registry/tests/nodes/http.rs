//! Requests over HTTP, each on a separate connection.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Body, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpStream, task::JoinSet, time::timeout};

/// A cause of a missing response.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

/// Longer than every time-out of the registry and of the proxy.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Response {
    /// A header of the response.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}"));
        value.to_str().unwrap()
    }

    /// The path and query of the header `Location`.
    #[track_caller]
    pub(crate) fn location(&self) -> String {
        let uri: http::Uri = self.header("location").parse().unwrap();
        uri.path_and_query().unwrap().to_string()
    }

    /// This response, if it has the status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{text} {:?}", self.headers);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Sends a request with any body. The response is awaited by the caller's future, the connection by a task.
///
/// # Errors
///
/// There was no response, or only a part of it.
pub(crate) async fn send_body<B>(
    address: SocketAddr,
    request: Request<B>,
) -> Result<Response, Error>
where
    B: Body<Data = Bytes, Error: Into<Error>> + Send + 'static,
{
    timeout(PATIENCE, exchange(address, request)).await?
}

async fn exchange<B>(address: SocketAddr, mut request: Request<B>) -> Result<Response, Error>
where
    B: Body<Data = Bytes, Error: Into<Error>> + Send + 'static,
{
    let host = address.to_string().parse().unwrap();
    request.headers_mut().entry(header::HOST).or_insert(host);
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // The task ends with this future.
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    let (head, body) = sender.send_request(request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(Response { status: head.status.as_u16(), headers: head.headers, body })
}

/// Sends a request with headers and content, which may be empty.
///
/// # Errors
///
/// There was no response, or only a part of it.
pub(crate) async fn send(
    address: SocketAddr,
    method: Method,
    target: &str,
    headers: &[(&str, &str)],
    content: impl Into<Bytes>,
) -> Result<Response, Error> {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send_body(address, request.body(Full::new(content.into()))?).await
}
