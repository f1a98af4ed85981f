//! [`Tokens`]: clients send them instead of passwords.

mod claims;
mod endpoint;
mod key;
mod scope;
mod service;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::SystemTime};

use async_trait::async_trait;
use axum::Router;
use http::{HeaderMap, header::AUTHORIZATION, request::Parts};

use self::{
    claims::{Claims, Holder},
    endpoint::TokenEndpoint,
    scope::Scope,
};
pub use self::{
    endpoint::{ExternalUrl, ParseExternalUrlError},
    key::{TokenKey, TokenKeyError},
};
use crate::{
    access::{AccessRequest, Action, Authorize, Refusal},
    htpasswd::{Htpasswd, User},
    trace,
};

/// The registry in challenges.
const SERVICE: &str = "registry";

/// Tokens for the users of an [`Htpasswd`], as distribution's registries and their clients use them.
///
/// A client requests `/v2/`, and gets a 401 whose `WWW-Authenticate: Bearer` refers it to `/token`, the route of
/// the [`router`](Self::router). There it gets a token, with the name and the password of a user or
/// without. In this way anonymous pulls and authenticated pushes work side by side. With an `Htpasswd` alone, most
/// clients send no credentials if some actions need none.
///
/// ```
/// # tokio_test::block_on(async {
/// use std::sync::Arc;
/// use inmemory::InMemory;
/// use storage_driver_registry::{AccessRules, Htpasswd, Registry, Tokens};
///
/// # let file = tempfile::NamedTempFile::new()?;
/// # let path = file.path();
/// let rules = AccessRules { anonymous_pull: true, ..AccessRules::default() };
/// let users = Arc::new(Htpasswd::open(path).await?.with_rules(rules));
/// let tokens = Arc::new(Tokens::new(users));
/// let registry = Registry::builder(Arc::new(InMemory::new())).authorize(tokens.clone()).build();
/// let router = registry.router().merge(tokens.router());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
///
/// # What a token allows
///
/// A token allows the actions that were requested with it and that the [rules](crate::AccessRules) allow, for five
/// minutes. It is invalid when the `Htpasswd` is read again and its user is removed or has another password. The
/// response to a request
///
/// - with an invalid or expired token is 401, `error="invalid_token"`;
/// - of a user without the permission is 403 with any token;
/// - without a user who has the permission, or with a token for something else, is 401,
///   `error="insufficient_scope"`. If a mount fails because of that, the challenge names both scopes: push to the
///   target, and pull from the source;
/// - for the catalog, with a token for `registry:catalog:*`, lists the repositories that the user may pull from;
/// - without a token, or with Basic credentials, is that of the `Htpasswd`, with a challenge that refers to
///   `/token`. The root `/v2/` without credentials is always such a challenge. Outside of `/v2`, as for the web
///   interface, the challenge is Basic, which browsers understand.
///
/// A token can be used by everyone who reads it: serve TLS, or run behind a proxy that does.
#[derive(Debug, Clone)]
pub struct Tokens {
    users: Arc<Htpasswd>,
    key: TokenKey,
    endpoint: TokenEndpoint,
}

impl Tokens {
    /// Tokens for `users`, under a [random key](TokenKey::random).
    ///
    /// Clients are referred to the scheme and the host of their own request. A request without a host gets a
    /// Basic challenge.
    pub fn new(users: Arc<Htpasswd>) -> Self {
        Self { users, key: TokenKey::random(), endpoint: TokenEndpoint::default() }
    }

    /// Signs with this key, which other processes may share.
    #[must_use]
    pub fn with_key(self, key: TokenKey) -> Self {
        Self { key, ..self }
    }

    /// Refers all clients to `/token` below this URL.
    #[must_use]
    pub fn with_external_url(mut self, url: ExternalUrl) -> Self {
        self.endpoint.external = Some(url);
        self
    }

    /// Whether clients are referred to `X-Forwarded-Proto` and `X-Forwarded-Host`: for a registry that only a
    /// proxy can reach, which sets both. Off by default.
    #[must_use]
    pub fn with_trusted_proxy(mut self, trust: bool) -> Self {
        self.endpoint.trust_proxy = trust;
        self
    }

    /// `GET` and `POST /token`, to be merged with the registry's router.
    ///
    /// `GET` has `scope` in its query, several times or several with spaces between them, and maybe
    /// Basic credentials; `POST` a form (64 KiB at most, within 10 seconds) of `grant_type=password`,
    /// `username`, `password` and `scope`. There are no refresh tokens. Scopes are
    /// `repository:NAME:ACTIONS`, of `pull`, `push`, `delete` or `*`, and `registry:catalog:*`. Actions that are
    /// not allowed are left out of the token.
    pub fn router(&self) -> Router {
        service::router(self.clone())
    }

    /// A token for those of the `requested` scopes that `user`, or a client without credentials, may use.
    fn claims(&self, user: Option<User>, requested: Vec<Scope>) -> Claims {
        let name = user.as_ref().map(|user| user.name.as_str());
        let granted = requested.into_iter().filter_map(|it| it.granted(self.users.rules(), name));
        let scopes = granted.collect();
        let user = user.map(|user| Holder::new(user, &self.key));
        Claims { user, scopes, expires: claims::expiry(SystemTime::now()) }
    }

    /// The claims of a valid token.
    fn open(&self, token: &str) -> Option<Claims> {
        let claims = Claims::open(token, &self.key)?;
        let user_is_same = claims.user.as_ref().is_none_or(|claimed| {
            let now = self.users.user(&claimed.name);
            now.is_some_and(|now| claimed.is(&now, &self.key))
        });
        (claims.is_valid(SystemTime::now()) && user_is_same).then_some(claims)
    }

    fn admit(&self, request: AccessRequest<'_>, token: &str) -> Result<(), Refusal> {
        let AccessRequest { repository, action, .. } = request;
        let Some(claims) = self.open(token) else {
            return Err(self.challenge(request, Some("invalid_token")));
        };
        let user = claims.user_name();
        if let Some(user) = user {
            trace::record_user(user);
        }
        let is_allowed = self.users.rules().allow(user, repository, action);
        match is_allowed && claims.cover(repository, action) {
            true => Ok(()),
            // Another token would not help.
            false if !is_allowed && claims.user.is_some() => Err(Refusal::Denied),
            false => Err(match self.challenge(request, Some("insufficient_scope")) {
                Refusal::Unauthorized { challenge } if is_allowed => {
                    Refusal::InsufficientScope { challenge }
                }
                refusal => refusal,
            }),
        }
    }

    /// A challenge: the URL of `/token`, and the scopes to request there.
    fn challenge(&self, request: AccessRequest<'_>, error: Option<&str>) -> Refusal {
        let is_api = request.parts.uri.path().starts_with("/v2");
        let Some(endpoint) = self.endpoint.url(request.parts).filter(|_| is_api) else {
            return crate::htpasswd::refused();
        };
        let mut challenge = format!(r#"Bearer realm="{endpoint}",service="{SERVICE}""#);
        let target = request.mount_into.and_then(|it| Scope::needed(Some(it), Action::Push));
        let scopes = target.into_iter().chain(Scope::needed(request.repository, request.action));
        let scopes: Vec<String> = scopes.map(|scope| scope.to_string()).collect();
        if !scopes.is_empty() {
            challenge += &format!(r#",scope="{}""#, scopes.join(" "));
        }
        if let Some(error) = error {
            challenge += &format!(r#",error="{error}""#);
        }
        Refusal::Unauthorized { challenge }
    }
}

#[async_trait]
impl Authorize for Tokens {
    async fn authorize(&self, request: AccessRequest<'_>) -> Result<(), Refusal> {
        let headers = &request.parts.headers;
        if let Some(token) = bearer(headers) {
            return self.admit(request, token);
        }
        let is_root = request.repository.is_none() && request.action == Action::Pull;
        // Clients learn here that there are tokens, even if no other request needs one.
        if is_root && !headers.contains_key(AUTHORIZATION) {
            return Err(self.challenge(request, None));
        }
        self.users.authorize(request).await.map_err(|refusal| match refusal {
            Refusal::Unauthorized { .. } => self.challenge(request, None),
            other => other,
        })
    }

    /// By the rules alone: tokens do not restrict it.
    async fn may_pull(&self, parts: &Parts, repositories: &[&str]) -> Result<Vec<bool>, Refusal> {
        let Some(token) = bearer(&parts.headers) else {
            return self.users.may_pull(parts, repositories).await;
        };
        let Some(claims) = self.open(token) else { return Ok(vec![false; repositories.len()]) };
        Ok(self.users.rules().may_pull(claims.user_name(), repositories))
    }
}

/// The token of a request (RFC 6750), if it has one.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
