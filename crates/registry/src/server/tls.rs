//! [`Tls`]: a certificate and its key, read from files and read again.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tokio::{io::AsyncWriteExt, net::TcpStream, task::spawn_blocking};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        crypto::{CryptoProvider, ring},
        pki_types::{
            CertificateDer, PrivateKeyDer,
            pem::{self, PemObject},
        },
        server::{ClientHello, ResolvesServerCert},
        sign::CertifiedKey,
    },
    server::TlsStream,
};

use super::stream::Stream;
use crate::{error_chain::ErrorChain, reload};

/// The response to plain HTTP, with the text of Go's servers, which clients look for.
const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\
    Connection: close\r\nContent-Length: 48\r\n\r\n\
    Client sent an HTTP request to an HTTPS server.\n";

/// A certificate and its key, for a [`Server`](super::Server).
///
/// They are read from two PEM files: a chain, the server's own certificate first, and a key. Both are
/// read again by [`reload`](Self::reload) and [`watch`](Self::watch), for later
/// connections. TLS 1.2 and 1.3 are supported, and HTTP/2 and HTTP/1.1 are negotiated.
///
/// Clones share the certificate.
#[derive(Debug, Clone)]
pub struct Tls {
    files: Arc<Files>,
    current: Arc<Current>,
    config: Arc<ServerConfig>,
}

/// Why a certificate and a key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The file cannot be read, or has no such PEM section.
    #[error("{}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// The cause.
        source: pem::Error,
    },
    /// The key is not of a supported kind, or not that of the certificate.
    #[error("{} with {}: {source}", certificate.display(), key.display())]
    Pair {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What is wrong with them.
        source: rustls::Error,
    },
}

#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
}

/// The certificate that is shown now.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl Tls {
    /// Reads the chain of certificates and the private key (PKCS #8, PKCS #1 or SEC 1).
    ///
    /// # Errors
    ///
    /// A [`TlsError`].
    pub async fn load(
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let files = Arc::new(Files {
            certificate: certificate.into(),
            key: key.into(),
            provider: provider.clone(),
        });
        let current = Arc::new(Current(RwLock::new(files.clone().read().await?)));
        let pair = |source| files.pair(source);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(pair)?
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { files, current, config: Arc::new(config) })
    }

    /// Reads the files again. Returns whether the certificate has changed.
    ///
    /// # Errors
    ///
    /// A [`TlsError`]. The old certificate stays in use.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped, nothing has changed.
    pub async fn reload(&self) -> Result<bool, TlsError> {
        let read = self.files.clone().read().await?;
        let mut current = self.current.0.write().unwrap_or_else(PoisonError::into_inner);
        let changed = current.cert != read.cert;
        *current = read;
        Ok(changed)
    }

    /// Reads the files again at this interval, and logs changes and failures. After a failure the old certificate
    /// stays in use.
    ///
    /// # Cancel safety
    ///
    /// It never returns.
    pub async fn watch(&self, every: Duration) {
        reload::every(every, || self.reload_and_log()).await;
    }

    /// As [`reload`](Self::reload), and logs the outcome.
    pub async fn reload_and_log(&self) {
        let certificate = self.files.certificate.display();
        match self.reload().await {
            Ok(true) => tracing::info!(%certificate, "the certificate has changed"),
            Ok(false) => tracing::debug!(%certificate, "the certificate is unchanged"),
            Err(error) => {
                tracing::error!(error = %ErrorChain(&error), "the old certificate is kept");
            }
        }
    }

    /// Performs the handshake. Returns `None` if the client sent plain HTTP: it has received a response about that, and
    /// the connection is closed.
    pub(super) async fn accept(
        &self,
        stream: TcpStream,
    ) -> io::Result<Option<TlsStream<TcpStream>>> {
        let mut first = [0];
        stream.peek(&mut first).await?;
        // A method of HTTP begins with a letter, a record of TLS with none.
        if first[0].is_ascii_alphabetic() {
            let mut stream = Stream::new(stream);
            stream.write_all(PLAIN_HTTP).await?;
            stream.shutdown().await?;
            return Ok(None);
        }
        TlsAcceptor::from(self.config.clone()).accept(stream).await.map(Some)
    }
}

impl Files {
    async fn read(self: Arc<Self>) -> Result<Arc<CertifiedKey>, TlsError> {
        let files = self.clone();
        let read = spawn_blocking(move || {
            let of = |file: &PathBuf| {
                let file = file.clone();
                |source| TlsError::File { file, source }
            };
            let chain = read_pem(&files.certificate)
                .and_then(|text| {
                    CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>()
                })
                .and_then(|chain| match chain.is_empty() {
                    true => Err(pem::Error::NoItemsFound),
                    false => Ok(chain),
                })
                .map_err(of(&files.certificate))?;
            let key = read_pem(&files.key)
                .and_then(|text| PrivateKeyDer::from_pem_slice(&text))
                .map_err(of(&files.key))?;
            CertifiedKey::from_der(chain, key, &files.provider).map_err(|source| files.pair(source))
        });
        let read = read.await.unwrap_or_else(|_| {
            // The runtime ends.
            let source = pem::Error::Io(io::ErrorKind::Interrupted.into());
            Err(TlsError::File { file: self.certificate.clone(), source })
        });
        read.map(Arc::new)
    }

    fn pair(&self, source: rustls::Error) -> TlsError {
        TlsError::Pair { certificate: self.certificate.clone(), key: self.key.clone(), source }
    }
}

/// The text of a file, without the byte order mark with which some editors begin it. The first item would
/// otherwise be passed over.
fn read_pem(file: &Path) -> Result<Vec<u8>, pem::Error> {
    let mut text = fs::read(file).map_err(pem::Error::Io)?;
    let mark = "\u{feff}".as_bytes();
    if text.starts_with(mark) {
        text.drain(..mark.len());
    }
    Ok(text)
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}
