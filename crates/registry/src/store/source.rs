//! [`Source`]: bytes that a client sends.

use bytes::Bytes;

/// The bytes of a request, chunk by chunk.
pub(crate) trait Source: Send {
    /// How many bytes are left, where the client has declared that.
    fn length(&self) -> Option<u64>;

    /// The next chunk; `None` at the end.
    ///
    /// # Cancel safety
    ///
    /// A dropped call has consumed nothing.
    fn chunk(&mut self) -> impl Future<Output = Result<Option<Bytes>, SourceError>> + Send;
}

/// Why a [`Source`] ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error("the body broke off: {0}")]
    Broken(String),
    #[error("the body made no progress for too long")]
    Stalled,
    #[error("the registry is shutting down; received bytes are kept")]
    Interrupted,
}
