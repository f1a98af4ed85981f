//! Multipart uploads in progress, on S3 and what speaks it. The engine starts and ends them, and cannot list them.

use std::time::{Duration, SystemTime};

use futures::{Stream, stream};
use http::Method;
use object_store::{
    client::{HttpClient, HttpRequest, HttpRequestBody},
    path::Path as Key,
    signer::SignedUrlOptions,
};
use serde::Deserialize;
use storage_driver::{Error, ErrorKind, Result};

use super::{
    Objects,
    decide::{ATTEMPTS, repeat},
};
use crate::{
    error::{corrupted, explain},
    time,
};

/// For how long the URL of a request is valid.
const VALID: Duration = Duration::from_secs(60);

/// A multipart upload in progress.
#[derive(Debug)]
pub(crate) struct Multipart {
    /// The key of its object, below the root of the driver.
    pub(crate) key: String,
    pub(crate) id: String,
    pub(crate) begun: Option<SystemTime>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Response {
    #[serde(default)]
    upload: Vec<Upload>,
    #[serde(default)]
    is_truncated: bool,
    #[serde(default)]
    next_key_marker: String,
    #[serde(default)]
    next_upload_id_marker: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Upload {
    key: String,
    upload_id: String,
    #[serde(default)]
    initiated: String,
}

/// The key and the id behind which a page begins.
type Marker = (String, String);

impl Objects {
    /// The multipart uploads in progress of keys below `prefix`, in pages. None where they cannot be listed.
    pub(crate) fn multiparts(
        &self,
        prefix: &str,
    ) -> impl Stream<Item = Result<Vec<Multipart>>> + Send {
        let prefix = format!("{}{prefix}", self.root);
        let client = self.clients.http.clone().filter(|_| self.clients.lists_multiparts);
        let start = client.map(|client| (client, prefix, Marker::default()));
        stream::try_unfold(start, async |place| {
            let Some((client, prefix, marker)) = place else { return Ok(None) };
            let page = repeat(ATTEMPTS, |_| self.page_of_multiparts(&client, &prefix, &marker));
            let page = page.await?;
            let uploads = page.upload.into_iter().filter_map(|upload| {
                let key = upload.key.strip_prefix(self.root.as_str())?.to_owned();
                Some(Multipart { key, id: upload.upload_id, begun: time::parse(&upload.initiated) })
            });
            let uploads = uploads.collect();
            let next = (page.next_key_marker, page.next_upload_id_marker);
            // A server that repeats itself would be asked for ever.
            let more = page.is_truncated && next != marker;
            Ok(Some((uploads, more.then_some((client, prefix, next)))))
        })
    }

    async fn page_of_multiparts(
        &self,
        client: &HttpClient,
        prefix: &str,
        (key, id): &Marker,
    ) -> Result<Response> {
        let mut query = vec![("uploads", ""), ("prefix", prefix)];
        if !key.is_empty() {
            query.extend([("key-marker", key.as_str()), ("upload-id-marker", id)]);
        }
        let options = SignedUrlOptions::new().with_query(query);
        let bucket = Key::default();
        let url = self.clients.reads.signed_url_opts(Method::GET, &bucket, VALID, &options);
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.uri_mut() = url.await.map_err(explain)?.as_str().parse().map_err(Error::other)?;
        let response = client.execute(request).await.map_err(unavailable)?;
        let status = response.status();
        let text = response.into_body().bytes().await.map_err(unavailable)?;
        let text = String::from_utf8_lossy(&text);
        if !status.is_success() {
            let kind = match status.as_u16() {
                401 | 403 => ErrorKind::PermissionDenied,
                400..=499 => ErrorKind::Unsupported,
                _ => ErrorKind::Unavailable,
            };
            let text = format!("listing multipart uploads: {status}: {text}");
            return Err(Error::new(kind).with_source(text));
        }
        quick_xml::de::from_str(&text).map_err(|error| corrupted("?uploads", error))
    }

    /// Aborts a multipart upload. One that has ended is no error.
    pub(crate) async fn abort(&self, multipart: &Multipart) -> Result<()> {
        let key = self.key(&multipart.key)?;
        match self.clients.bulk.abort_multipart(&key, &multipart.id).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(explain(error)),
        }
    }
}

fn unavailable(error: object_store::client::HttpError) -> Error {
    Error::new(ErrorKind::Unavailable).with_source(error)
}
