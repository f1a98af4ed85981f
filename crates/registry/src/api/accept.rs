//! [`Accept`]: which media types a client accepts.

use http::{HeaderMap, header};

/// The `Accept` headers of a request.
///
/// Weights are ignored: there is one manifest, and the question is only whether it is accepted.
#[derive(Debug, Clone)]
pub(super) struct Accept(Vec<String>);

impl Accept {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let kinds = values
            .flat_map(|value| value.split(','))
            .map(|kind| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        Self(kinds.filter(|kind| !kind.is_empty()).collect())
    }

    /// Whether a media type is accepted. Without the header, all are.
    pub(super) fn accepts(&self, media_type: &str) -> bool {
        let all = |kind: &str| matches!(kind, "*/*" | "application/*" | "application/json");
        self.0.is_empty()
            || self.0.iter().any(|kind| kind == &media_type.to_ascii_lowercase() || all(kind))
    }
}
