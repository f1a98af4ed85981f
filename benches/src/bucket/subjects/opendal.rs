//! [`Opendal`]: the peer `opendal`.

use bytes::Bytes;
use futures::TryStreamExt;
use opendal::{Operator, services::S3};

use crate::{
    bucket::subject::Subject,
    harness::{MIB, script::Script},
};

/// Its default is one part after the other; these are the parts of the object-store driver.
const PART: usize = 8 * MIB as usize;
const IN_FLIGHT: usize = 4;

/// OpenDAL's S3 service, behind its operator.
#[derive(Debug)]
pub(crate) struct Opendal(Operator);

impl Subject for Opendal {
    async fn open(server: &Script) -> Self {
        // An error means that there is a provider already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        opendal_http_transport_reqwest::install_default();
        let service = S3::default()
            .endpoint(server.variable("AWS_ENDPOINT"))
            .region(server.variable("AWS_REGION"))
            .bucket(server.variable("AWS_BUCKET"))
            .access_key_id(server.variable("AWS_ACCESS_KEY_ID"))
            .secret_access_key(server.variable("AWS_SECRET_ACCESS_KEY"))
            .disable_config_load()
            .disable_ec2_metadata();
        Self(Operator::new(service).expect("it can be opened"))
    }

    async fn upload(&self, path: &str, chunks: impl Iterator<Item = Bytes> + Send) {
        let writer = self.0.writer_with(path).chunk(PART).concurrent(IN_FLIGHT).await;
        let mut writer = writer.expect("it can be created");
        for chunk in chunks {
            writer.write(chunk).await.expect("it is stored");
        }
        writer.close().await.expect("nothing is in the way");
    }

    async fn download(&self, path: &str) -> u64 {
        let reader = self.0.reader(path).await.expect("it is there");
        let stream = reader.into_stream(..).await.expect("it is there");
        let sum = stream.try_fold(0, async |sum, chunk| Ok(sum + chunk.len() as u64));
        sum.await.expect("it is read")
    }

    async fn put(&self, path: &str, content: &Bytes) {
        self.0.write(path, content.clone()).await.expect("it is stored");
    }

    async fn get(&self, path: &str) -> usize {
        self.0.read(path).await.expect("it is there").len()
    }

    async fn list(&self, dir: &str) -> usize {
        let dir = format!("{dir}/");
        let entries = self.0.lister(&dir).await.expect("it is listed");
        let counted = entries.try_fold(0, async |count, entry| {
            // It gives the directory too.
            Ok(if entry.path() == dir { count } else { count + 1 })
        });
        counted.await.expect("it is listed")
    }

    async fn walk(&self, dir: &str) -> usize {
        let entries = self.0.lister_with(&format!("{dir}/")).recursive(true).await;
        let counted = entries.expect("it is listed").try_fold(0, async |count, entry| {
            Ok(if entry.metadata().is_file() { count + 1 } else { count })
        });
        counted.await.expect("it is listed")
    }
}
