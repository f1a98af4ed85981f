//! Response headers that keep browsers from rendering pushed content.

use axum::response::Response;
use http::{HeaderValue, header};

/// A browser does not guess the type of content.
pub(crate) const NO_SNIFFING: HeaderValue = HeaderValue::from_static("nosniff");
/// A browser runs no script of the content, loads nothing for it, and gives it a unique origin.
const SANDBOX: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");

/// Keeps browsers from rendering the response, because a client pushed its content.
pub(crate) fn seal(response: &mut Response) {
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, NO_SNIFFING);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, SANDBOX);
}
