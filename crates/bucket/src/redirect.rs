//! Signed URLs, with which clients read content straight from the store.

use std::time::Duration;

use http::Method;
use object_store::signer::SignedUrlOptions;
use storage_driver::{Path, RedirectMethod, Result};

use crate::{
    backend::{Backend, file_key},
    error::explain,
    namespace::At,
    record::Body,
};

impl Backend {
    /// A URL for the content of a file that lies in one object.
    pub(crate) async fn redirect_url(
        &self,
        path: &Path,
        method: RedirectMethod,
        expires_in: Duration,
    ) -> Result<Option<String>> {
        let At::File(file) = self.at(path).await? else {
            return Err(self.no_file(path).await);
        };
        let key = match &file.record.body {
            Body::Foreign => file_key(path),
            Body::Extents(extents) => match extents.as_slice() {
                [extent] => extent.key(),
                _ => return Ok(None),
            },
            Body::Inline(_) => return Ok(None),
        };
        let objects = &self.objects;
        let clients = objects.clients();
        let method = match method {
            RedirectMethod::Get => Method::GET,
            RedirectMethod::Head => Method::HEAD,
            _ => return Ok(None),
        };
        let mut options = SignedUrlOptions::new();
        if clients.signs_content_type {
            let octets = "application/octet-stream";
            options = options.with_query([("response-content-type", octets)]);
        }
        let key = objects.key(&key)?;
        let url = clients.reads.signed_url_opts(method, &key, expires_in, &options);
        Ok(Some(url.await.map_err(explain)?.into()))
    }
}
