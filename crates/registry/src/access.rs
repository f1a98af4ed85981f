//! [`Authorize`]: access control.

use std::time::Duration;

use async_trait::async_trait;
use http::request::Parts;

/// The action of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Action {
    /// Read manifests, blobs, tags and referrers; without a repository, request the root `/v2/`.
    Pull,
    /// Upload blobs and manifests, mount blobs, look up uploads.
    Push,
    /// Delete tags, manifests and blobs.
    Delete,
    /// List the repositories that the user may pull from. It is not about a single repository, and has no rule.
    #[serde(skip_deserializing)]
    Catalog,
}

/// A request whose access is to be decided.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct AccessRequest<'a> {
    /// The head of the request: its headers, credentials included, its URI, and its extensions.
    pub parts: &'a Parts,
    /// The repository that it names; `None` if it is about the registry as a whole.
    pub repository: Option<&'a str>,
    /// The action on the repository.
    pub action: Action,
    /// The target of a mount, if `repository` is its source. A challenge
    /// names both repositories then: the client needs one token to pull from the source and to push here.
    pub mount_into: Option<&'a str>,
}

impl<'a> AccessRequest<'a> {
    /// A request with the head `parts` for `action` on `repository`.
    pub fn new(parts: &'a Parts, repository: Option<&'a str>, action: Action) -> Self {
        Self { parts, repository, action, mount_into: None }
    }

    /// The same, for the source of a mount into the repository `target`.
    #[must_use]
    pub fn with_mount_into(self, target: &'a str) -> Self {
        Self { mount_into: Some(target), ..self }
    }
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No credentials, or wrong ones: 401 with this `WWW-Authenticate`.
    #[error("authentication required")]
    Unauthorized {
        /// The challenge, such as `Basic realm="registry"`.
        challenge: String,
    },
    /// A user who may do this, with a token that was issued for something else: 401 with this
    /// `WWW-Authenticate`.
    ///
    /// Unlike [`Unauthorized`](Self::Unauthorized), it means that the user has the permission: a mount from
    /// such a source is refused, so that the client gets another token and uploads nothing, and such a
    /// repository is listed.
    #[error("the token does not cover this")]
    InsufficientScope {
        /// The challenge, for a token that covers the request.
        challenge: String,
    },
    /// The user may not do this: 403.
    #[error("access denied")]
    Denied,
    /// Too many attempts: 429.
    #[error("too many attempts")]
    TooMany {
        /// When to try again.
        retry_after: Duration,
    },
}

/// Decides which requests are allowed. A registry without it allows every request.
///
/// Responses of a registry that has one carry `Vary: Authorization`. An implementation that decides by
/// other headers, such as `Cookie`, adds those in a layer around the router.
#[async_trait]
pub trait Authorize: Send + Sync + 'static {
    /// Decides about one request.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], which becomes the response.
    async fn authorize(&self, request: AccessRequest<'_>) -> Result<(), Refusal>;

    /// Returns for each of `repositories` whether the sender of a request may pull from it. Lists of
    /// repositories contain only these.
    ///
    /// The default calls [`authorize`](Self::authorize) for each of up to 10,000 names. An implementation
    /// that identifies the sender at some cost does that once here.
    ///
    /// # Errors
    ///
    /// [`Refusal::TooMany`].
    async fn may_pull(&self, parts: &Parts, repositories: &[&str]) -> Result<Vec<bool>, Refusal> {
        let mut allowed = Vec::with_capacity(repositories.len());
        for repository in repositories {
            let asked = AccessRequest::new(parts, Some(repository), Action::Pull);
            allowed.push(match self.authorize(asked).await {
                Ok(()) | Err(Refusal::InsufficientScope { .. }) => true,
                Err(Refusal::Unauthorized { .. } | Refusal::Denied) => false,
                Err(too_many @ Refusal::TooMany { .. }) => return Err(too_many),
            });
        }
        Ok(allowed)
    }
}
