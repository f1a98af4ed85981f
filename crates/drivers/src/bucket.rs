//! [`BucketLocation`]: a bucket of an object store, and how it is reached.

use std::{fmt, str::FromStr, sync::Arc};

use storage_driver::{Path, Result, StorageDriver};

use crate::ByteSize;

/// The service that a bucket belongs to: the scheme of its URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Service {
    /// S3, or a server that speaks its protocol.
    S3,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage, where a bucket is called a container.
    Azure,
}

impl Service {
    /// The scheme, without its colon.
    ///
    /// ```
    /// assert_eq!(storage_driver_url::Service::Gcs.scheme(), "gs");
    /// ```
    pub fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gcs => "gs",
            Self::Azure => "az",
        }
    }
}

/// A store in a bucket: `s3://bucket/prefix?endpoint=…&region=…`. It is parsed from a URL, and has no credentials.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BucketLocation {
    pub(crate) service: Service,
    pub(crate) bucket: String,
    pub(crate) prefix: Path,
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) region: Option<Word>,
    pub(crate) account: Option<Word>,
    pub(crate) memory: Option<ByteSize>,
    pub(crate) read_only: bool,
}

impl BucketLocation {
    /// Opens the store only to read it, as `?read_only=true` of the URL does.
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    #[cfg(feature = "bucket")]
    pub(crate) async fn open(&self) -> Result<Arc<dyn StorageDriver>> {
        use storage_driver_bucket::{
            Builder,
            object_store::{
                aws::AmazonS3Builder, azure::MicrosoftAzureBuilder, gcp::GoogleCloudStorageBuilder,
            },
        };

        let builder = match self.service {
            Service::S3 => {
                let mut s3 = AmazonS3Builder::from_env().with_bucket_name(&self.bucket);
                if let Some(Endpoint(url)) = &self.endpoint {
                    s3 = s3.with_endpoint(url).with_allow_http(url.starts_with("http://"));
                }
                if let Some(Word(region)) = &self.region {
                    s3 = s3.with_region(region);
                }
                Builder::s3(s3)
            }
            Service::Gcs => {
                let mut gcs = GoogleCloudStorageBuilder::from_env().with_bucket_name(&self.bucket);
                if let Some(Endpoint(url)) = &self.endpoint {
                    gcs = gcs.with_base_url(url);
                }
                Builder::gcs(gcs)
            }
            Service::Azure => {
                let mut azure = MicrosoftAzureBuilder::from_env().with_container_name(&self.bucket);
                if let Some(Endpoint(url)) = &self.endpoint {
                    azure = azure
                        .with_endpoint(url.clone())
                        .with_allow_http(url.starts_with("http://"));
                }
                if let Some(Word(account)) = &self.account {
                    azure = azure.with_account(account);
                }
                Builder::azure(azure)
            }
        };
        let prefix = self.prefix.as_str().trim_start_matches('/');
        let mut builder = builder.prefix(prefix).read_only(self.read_only);
        if let Some(ByteSize(bytes)) = self.memory {
            builder = builder.memory(bytes);
        }
        Ok(Arc::new(builder.open().await?))
    }

    #[cfg(not(feature = "bucket"))]
    pub(crate) async fn open(&self) -> Result<Arc<dyn StorageDriver>> {
        Err(without_feature())
    }
}

/// Opens a store on the server in process.
#[cfg(feature = "bucket")]
pub(crate) async fn open_in_memory() -> Result<Arc<dyn StorageDriver>> {
    Ok(Arc::new(storage_driver_bucket::Bucket::memory().await?))
}

#[cfg(not(feature = "bucket"))]
pub(crate) async fn open_in_memory() -> Result<Arc<dyn StorageDriver>> {
    Err(without_feature())
}

#[cfg(not(feature = "bucket"))]
fn without_feature() -> storage_driver::Error {
    use storage_driver::{Error, ErrorKind, Operation};
    let cause = "this program was built without object stores (feature `bucket`)";
    let error = Error::new(ErrorKind::Unsupported).with_source(cause);
    error.context("bucket", Operation::Open, &Path::root())
}

impl fmt::Display for BucketLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.service.scheme(), self.bucket)?;
        if !self.prefix.is_root() {
            write!(f, "{}", self.prefix)?;
        }
        let (read_only, memory) = (true.to_string(), self.memory.map(|it| it.to_string()));
        let pairs = [
            ("account", self.account.as_ref().map(|Word(text)| text)),
            ("endpoint", self.endpoint.as_ref().map(|Endpoint(url)| url)),
            ("memory", memory.as_ref()),
            ("read_only", self.read_only.then_some(&read_only)),
            ("region", self.region.as_ref().map(|Word(text)| text)),
        ];
        let given = pairs.into_iter().filter_map(|(key, value)| Some((key, value?)));
        given
            .zip(["?", "&", "&", "&", "&"])
            .try_for_each(|((key, value), before)| write!(f, "{before}{key}={value}"))
    }
}

/// The address of a server: a scheme, a host and perhaps a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Endpoint(String);

impl FromStr for Endpoint {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
        let host = rest.map(|rest| rest.split('/').next().unwrap_or_default());
        match host {
            Some(host) if !host.is_empty() && !text.contains(['?', ' ']) => {
                Ok(Self(text.trim_end_matches('/').to_owned()))
            }
            _ => Err("an endpoint is a URL such as `https://host:port`"),
        }
    }
}

/// The name of a region or an account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Word(String);

impl FromStr for Word {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match is_word(text) {
            true => Ok(Self(text.to_owned())),
            false => Err("it is one or more letters, digits, `-`, `.` and `_`"),
        }
    }
}

pub(crate) fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}
