//! [`RedirectMethod`]: what a client does with a redirect URL.

/// The request that a client makes with a [redirect URL](crate::StorageDriver::redirect_url).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RedirectMethod {
    /// Read the content.
    Get,
    /// Read the size only.
    Head,
}
