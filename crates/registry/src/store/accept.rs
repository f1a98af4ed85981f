//! [`Accept`]: which manifests a client takes.

use http::{HeaderMap, header};

/// What the `Accept` headers of a request say.
///
/// Weights are not looked at: there is one manifest, and the question is only whether it is taken.
#[derive(Debug, Clone)]
pub(crate) struct Accept(Vec<String>);

impl Accept {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let kinds = values
            .flat_map(|value| value.split(','))
            .map(|kind| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        Self(kinds.filter(|kind| !kind.is_empty()).collect())
    }

    /// A client that says nothing takes everything.
    pub(crate) fn takes(&self, media_type: &str) -> bool {
        let all = |kind: &str| matches!(kind, "*/*" | "application/*" | "application/json");
        self.0.is_empty()
            || self.0.iter().any(|kind| kind == &media_type.to_ascii_lowercase() || all(kind))
    }
}
