//! [`Fault`]: what happens to a request on its way.

use std::{fmt, io, sync::Arc, time::Duration};

use http::StatusCode;
use object_store::client::{
    HttpClient, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
};

use super::RequestKind;

/// What happens to one request. For tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing: it is sent, and its response arrives.
    None,
    /// It fails and never reaches the server.
    Before,
    /// It reaches the server and takes effect; the response is lost.
    After,
    /// It arrives after this time.
    Late(Duration),
    /// It arrives twice. The second response is returned.
    Twice,
    /// The server refuses it with this status, such as 503, and does nothing.
    Refused(u16),
    /// It fails at once, and arrives after this time all the same.
    Delayed(Duration),
}

impl Fault {
    pub(super) async fn apply(
        self,
        client: &HttpClient,
        request: HttpRequest,
    ) -> Result<HttpResponse, HttpError> {
        match self {
            Self::None => client.execute(request).await,
            Self::Before => Err(lost("the connection was reset before the request was sent")),
            Self::After => {
                client.execute(request).await?;
                Err(lost("the connection was reset before the response arrived"))
            }
            Self::Late(time) => {
                tokio::time::sleep(time).await;
                client.execute(request).await
            }
            Self::Refused(status) => {
                let body =
                    HttpResponseBody::from("<Error><Code>SlowDown</Code></Error>".to_owned());
                let mut response = HttpResponse::new(body);
                *response.status_mut() =
                    StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
                Ok(response)
            }
            Self::Delayed(time) => {
                let client = client.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(time).await;
                    // No caller waits for the response any more.
                    let _ = client.execute(request).await;
                });
                Err(lost("the connection was reset; the request is still under way"))
            }
            Self::Twice => {
                client.execute(request.clone()).await?;
                client.execute(request).await
            }
        }
    }
}

fn lost(text: &'static str) -> HttpError {
    let cause = io::Error::new(io::ErrorKind::ConnectionReset, text);
    HttpError::new(HttpErrorKind::Interrupted, cause)
}

type Decide = dyn Fn(RequestKind, &str) -> Fault + Send + Sync;

/// Decides the fault of each request, by its kind and the path of its URL. For tests.
#[derive(Clone)]
pub struct FaultPlan(Arc<Decide>);

impl FaultPlan {
    /// A plan that calls `decide` for each request, in the order in which they are sent.
    pub fn new(decide: impl Fn(RequestKind, &str) -> Fault + Send + Sync + 'static) -> Self {
        Self(Arc::new(decide))
    }

    pub(super) fn decide(&self, kind: RequestKind, path: &str) -> Fault {
        (self.0)(kind, path)
    }
}

impl fmt::Debug for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultPlan").finish_non_exhaustive()
    }
}
