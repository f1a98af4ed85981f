//! The conditional DELETE, which the engine cannot express.
//!
//! On S3 and Google Cloud Storage the connector adds the condition: a signature covers only the headers that it names.
//! On Azure it covers conditions, so the request goes to a signed URL, whose signature covers none.

use std::time::Duration;

use http::{HeaderValue, Method, header};
use object_store::{
    Error as Engine, ObjectStoreExt,
    client::{HttpClient, HttpRequest, HttpRequestBody},
    path::Path as Key,
};
use storage_driver::Result;

use super::{Objects, Tag};
use crate::http::delete_if;

/// For how long the URL of a request is valid.
const VALID: Duration = Duration::from_secs(60);

impl Objects {
    /// Whether a DELETE with a condition can be sent. Some credentials of Azure cannot sign URLs.
    pub(crate) async fn can_delete_if(&self, key: &str) -> Result<bool> {
        if !self.clients.signs_conditions {
            return Ok(true);
        }
        let signed = self.clients.decisive.signed_url(Method::DELETE, &self.key(key)?, VALID).await;
        if let Err(error) = &signed {
            tracing::debug!(%error, "no URLs can be signed, so deletions leave tombstones");
        }
        Ok(signed.is_ok())
    }

    /// Sends a DELETE of the state `tag`.
    pub(crate) async fn delete_if(&self, location: &Key, tag: &Tag) -> object_store::Result<()> {
        let condition = self.etag(tag).unwrap_or_default();
        match &self.clients.http {
            Some(client) if self.clients.signs_conditions => {
                self.delete_by_url(client, location, &condition).await
            }
            _ => delete_if(condition, self.clients.decisive.delete(location)).await,
        }
    }

    async fn delete_by_url(
        &self,
        client: &HttpClient,
        location: &Key,
        condition: &str,
    ) -> object_store::Result<()> {
        let url = self.clients.decisive.signed_url(Method::DELETE, location, VALID).await?;
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.method_mut() = Method::DELETE;
        *request.uri_mut() = url.as_str().parse().map_err(generic)?;
        let condition = HeaderValue::from_str(condition).map_err(generic)?;
        request.headers_mut().insert(header::IF_MATCH, condition);
        let response = client.execute(request).await.map_err(generic)?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let body = response.into_body().bytes().await.map_err(generic)?;
        let path = location.to_string();
        // The words of the engine, whose errors are told apart by them.
        let text = format!("status code: {status}: {}", String::from_utf8_lossy(&body));
        Err(match status.as_u16() {
            404 => Engine::NotFound { path, source: text.into() },
            412 => Engine::Precondition { path, source: text.into() },
            _ => generic(text),
        })
    }
}

fn generic(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Engine {
    Engine::Generic { store: "bucket", source: source.into() }
}
