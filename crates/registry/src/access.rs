//! [`Authorize`]: who may do what.

use std::time::Duration;

use async_trait::async_trait;
use http::request::Parts;

/// What a request wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Action {
    /// Read manifests, blobs, tags, referrers; and, where no repository is named, find out that
    /// the registry is there.
    Pull,
    /// Upload blobs and manifests, mount, ask how far an upload has come.
    Push,
    /// Delete tags, manifests and blobs.
    Delete,
    /// Read the names of all repositories. It is about no single one, so that no rule speaks of it.
    #[serde(skip_deserializing)]
    Catalog,
}

/// What there is to know of a request before it is let through.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct AccessRequest<'a> {
    /// The head of the request: its headers, credentials included, its URI, and its extensions.
    pub parts: &'a Parts,
    /// The repository that it names; none, if it is about the registry as a whole.
    pub repository: Option<&'a str>,
    /// What it wants to do there.
    pub action: Action,
}

impl<'a> AccessRequest<'a> {
    /// A request with the head `parts` for `action` on `repository`.
    pub fn new(parts: &'a Parts, repository: Option<&'a str>, action: Action) -> Self {
        Self { parts, repository, action }
    }
}

/// Why a request is not let through.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No credentials, or wrong ones: 401 with this `WWW-Authenticate`.
    #[error("authentication required")]
    Unauthorized {
        /// What the client is asked for, such as `Basic realm="registry"`.
        challenge: String,
    },
    /// Whoever it is may not do this: 403.
    #[error("access denied")]
    Denied,
    /// Too many attempts: 429.
    #[error("too many attempts")]
    TooMany {
        /// When to try again.
        retry_after: Duration,
    },
}

/// Decides who may do what. A registry without one lets everybody do everything.
#[async_trait]
pub trait Authorize: Send + Sync + 'static {
    /// Lets the request through, or says why not.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], which the client is told.
    async fn authorize(&self, request: AccessRequest<'_>) -> Result<(), Refusal>;
}
