//! [`ObjectStore`]: the peer `object_store`.

use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{
    ClientConfigKey, ObjectStore as Dyn, ObjectStoreExt,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    buffered::BufWriter,
    path::Path,
};
use tokio::io::AsyncWriteExt;

use crate::{
    bucket::subject::Subject,
    harness::{count::count, script::Script},
};

/// `object_store`'s client for S3, behind its trait object; an upload is its `BufWriter`, with the parts of 10 MiB, of
/// which 8 are in flight, that are its default.
#[derive(Debug)]
pub(crate) struct ObjectStore(Arc<dyn Dyn>);

/// The settings for the bucket of `server`, which speaks plain HTTP.
pub(super) fn builder(server: &Script) -> AmazonS3Builder {
    // An error means that there is a provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let certificates = AmazonS3ConfigKey::Client(ClientConfigKey::NoSystemCertificates);
    let begun = AmazonS3Builder::new().with_config(certificates, "true");
    let of_the_engine = server.variables().filter(|(name, _)| name.starts_with("AWS_"));
    of_the_engine.fold(begun, |builder, (name, value)| {
        let key = name.to_lowercase().parse().expect("the script sets what the engine knows");
        builder.with_config(key, value)
    })
}

fn key(path: &str) -> Path {
    Path::parse(path).expect("it is a path")
}

impl Subject for ObjectStore {
    async fn open(server: &Script) -> Self {
        Self(Arc::new(builder(server).build().expect("it can be opened")))
    }

    async fn upload(&self, path: &str, chunks: impl Iterator<Item = Bytes> + Send) {
        let mut writer = BufWriter::new(self.0.clone(), key(path));
        for chunk in chunks {
            writer.put(chunk).await.expect("it is stored");
        }
        writer.shutdown().await.expect("nothing is in the way");
    }

    async fn download(&self, path: &str) -> u64 {
        let stream = self.0.get(&key(path)).await.expect("it is there").into_stream();
        let sum = stream.try_fold(0, async |sum, chunk| Ok(sum + chunk.len() as u64));
        sum.await.expect("it is read")
    }

    async fn put(&self, path: &str, content: &Bytes) {
        self.0.put(&key(path), content.clone().into()).await.expect("it is stored");
    }

    async fn get(&self, path: &str) -> usize {
        let content = self.0.get(&key(path)).await.expect("it is there");
        content.bytes().await.expect("it is read").len()
    }

    async fn list(&self, dir: &str) -> usize {
        let page = self.0.list_with_delimiter(Some(&key(dir))).await.expect("it is listed");
        page.objects.len() + page.common_prefixes.len()
    }

    async fn walk(&self, dir: &str) -> usize {
        count(self.0.list(Some(&key(dir)))).await
    }
}
