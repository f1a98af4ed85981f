//! [`StoreTimeout`]: bounds how long a request waits for the store.

use std::{sync::Arc, time::Duration};

use storage_driver::{Error, ErrorKind, Layer, Operation, Path, Result, StorageDriver};
use tokio::time::timeout;

/// Fails the small operations of a driver after a time. Operations whose duration depends on the size of content, or of
/// a directory, are not bounded here.
#[derive(Debug)]
pub(crate) struct StoreTimeout {
    inner: Arc<dyn StorageDriver>,
    limit: Duration,
}

impl StoreTimeout {
    pub(crate) fn new(inner: Arc<dyn StorageDriver>, limit: Duration) -> Self {
        Self { inner, limit }
    }
}

fn is_bounded(operation: Operation) -> bool {
    use Operation as Op;
    matches!(
        operation,
        Op::GetContent
            | Op::GetRange
            | Op::PutContent
            | Op::Reader
            | Op::Writer
            | Op::CreateUpload
            | Op::File
            | Op::Stat
            | Op::List
            | Op::Upload
            | Op::Uploads
            | Op::CancelUpload
            | Op::Delete
            | Op::Touch
            | Op::RedirectUrl
    )
}

impl Layer for StoreTimeout {
    type Inner = Arc<dyn StorageDriver>;

    fn inner(&self) -> &Self::Inner {
        &self.inner
    }

    async fn around<'a, T: Send + 'a>(
        &'a self,
        operation: Operation,
        path: &'a Path,
        call: impl Future<Output = Result<T>> + Send + 'a,
    ) -> Result<T> {
        if !is_bounded(operation) {
            return call.await;
        }
        timeout(self.limit, call).await.unwrap_or_else(|_| {
            let cause = format!("no response from the store within {:?}", self.limit);
            let error = Error::new(ErrorKind::Timeout).with_source(cause);
            Err(error.context(Layer::name(self), operation, path))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use axum::body::Body;
    use http::{Request, StatusCode, header::RETRY_AFTER};
    use inmemory::InMemory;
    use tokio::time::Instant;
    use tower::ServiceExt;

    use crate::Registry;

    use super::*;

    /// A store that has stopped to respond.
    #[derive(Debug)]
    struct Silent(InMemory);

    impl Layer for Silent {
        type Inner = InMemory;

        fn inner(&self) -> &InMemory {
            &self.0
        }

        async fn around<'a, T: Send + 'a>(
            &'a self,
            _: Operation,
            _: &'a Path,
            _: impl Future<Output = Result<T>> + Send + 'a,
        ) -> Result<T> {
            pending().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn requests_fail_in_time_if_the_store_does_not_respond() {
        let limit = Duration::from_secs(7);
        let driver = Arc::new(Silent(InMemory::new()));
        let router = Registry::builder(driver).store_timeout(limit).build().router();
        let digest = format!("sha256:{}", "0".repeat(64));
        for (method, path) in [
            ("GET", "manifests/latest"),
            ("HEAD", &*format!("blobs/{digest}")),
            ("GET", "tags/list"),
            ("POST", "blobs/uploads/"),
            ("PUT", "manifests/latest"),
        ] {
            let request = Request::builder().method(method).uri(format!("/v2/demo/{path}"));
            let request =
                request.header("content-type", "application/vnd.oci.image.manifest.v1+json");
            let body = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
                "config":{"mediaType":"a/b","size":2,"digest":"DIGEST"},"layers":[]}"#;
            let body = Body::from(body.replace("DIGEST", &digest));
            let since = Instant::now();
            let response = router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{method} {path}");
            assert_eq!(response.headers()[RETRY_AFTER], "5");
            assert!(since.elapsed() < 2 * limit, "{method} {path}: {:?}", since.elapsed());
        }
    }
}
