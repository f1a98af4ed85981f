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
    /// List the repositories that one may pull from. It is about no single one, so that no rule speaks of
    /// it.
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
    /// Where the request mounts a blob into, if `repository` is the source of that mount. A challenge
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
    /// A user who may do this, with a token that was issued for something else: 401 with this
    /// `WWW-Authenticate`.
    ///
    /// Unlike [`Unauthorized`](Self::Unauthorized) it tells that the user has the permission. The source
    /// of a mount is refused with it instead of being uploaded again, and a repository is listed.
    #[error("the token does not cover this")]
    InsufficientScope {
        /// What the client is asked for: a token that covers this.
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
///
/// Responses of a registry that has one carry `Vary: Authorization`. An implementation that decides by
/// other headers, such as `Cookie`, adds those in a layer around the router.
#[async_trait]
pub trait Authorize: Send + Sync + 'static {
    /// Lets the request through, or says why not.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], which the client is told.
    async fn authorize(&self, request: AccessRequest<'_>) -> Result<(), Refusal>;

    /// Tells for each of `repositories` whether the sender of a request may pull from it. Lists of
    /// repositories show only these.
    ///
    /// The default asks [`authorize`](Self::authorize) for each of up to 10,000 names. An implementation
    /// that identifies the sender at some cost does that once here.
    ///
    /// # Errors
    ///
    /// [`Refusal::TooMany`]: it cannot be told now.
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
