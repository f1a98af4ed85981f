//! [`Htpasswd`]: users and passwords from a file.

mod credentials;
mod queue;
mod rules;
mod users;
mod verified_cache;

use std::{
    fmt,
    net::IpAddr,
    num::NonZero,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use async_trait::async_trait;
use http::request::Parts;
use tokio::task;

pub(crate) use self::{
    credentials::{Credentials, Malformed},
    users::User,
};
use self::{
    queue::{Peer, Queue},
    users::Users,
};
pub use self::{
    rules::{AccessRules, ParsePatternError, RepositoryPattern, Rule},
    users::{HtpasswdError, HtpasswdProblem},
};
use crate::{
    access::{AccessRequest, Authorize, Refusal},
    client,
    error_chain::ErrorChain,
    reload, trace,
};

/// When a refused request may be retried.
const RETRY_AFTER: Duration = Duration::from_secs(1);

const CHALLENGE: &str = r#"Basic realm="registry", charset="UTF-8""#;

/// Users and passwords from an htpasswd file, by Basic authentication (RFC 7617). [`AccessRules`] decide which
/// actions they may perform.
///
/// The file has a line for each user, as written by `htpasswd -B`: the name, a colon, and a bcrypt hash of
/// cost 4 to 17 (`$2a$`, `$2b$` or `$2y$`). Blank lines, lines that begin with `#`, and a byte order mark of UTF-8
/// are ignored. Any other line is an error that names it, so that no user is silently left out. Passwords are
/// UTF-8, without control characters, and at most 72 bytes long, the most that bcrypt reads: a longer one is
/// refused.
///
/// A request with wrong credentials, or without credentials for an action that needs them, is
/// [`Unauthorized`](Refusal::Unauthorized). A user without the permission is [`Denied`](Refusal::Denied).
///
/// Clients such as docker and podman request `/v2/` first, and send credentials only if that was refused.
/// If some actions need no credentials and others do, wrap it in [`Tokens`](crate::Tokens).
///
/// # The cost of a verification
///
/// A bcrypt hash of cost 10 takes a core for about 50 ms. One core is left for other work: the number of concurrent
/// verifications is one less than the number of cores, but at least one, on threads for blocking work. The
/// addresses of clients are served in rounds (an IPv6 network of 64 bits counts as one address; a [trusted
/// proxy](crate::behind_proxy) names the address, if there is one). However many requests guess passwords, another
/// client waits for at most one verification of each address. Every other verification is for clients that have
/// logged in as the same user from the same address in the last 12 hours, if such a client waits. 1,024 requests
/// of each kind may wait. Above that, the last request of the address with the most is refused with
/// [`TooMany`](Refusal::TooMany).
///
/// Verified credentials need no other verification until they were unused for five minutes, for 12 hours at most, or
/// until the file has changed. 1,024 such credentials are remembered, by a keyed digest. A login as a user who
/// does not exist takes as long as one with the most common cost of the file, so that the time does not reveal
/// users. Give all hashes the same cost.
///
/// A dropped `authorize` leaves the queue. A verification that has begun runs to completion.
pub struct Htpasswd {
    path: PathBuf,
    rules: AccessRules,
    /// The last content of the file. The lock is held only to clone or replace it.
    users: RwLock<Arc<Users>>,
    queue: Arc<Queue>,
    verify: Verify,
}

/// Verifies a password. It blocks. Tests replace it.
type Verify = Arc<dyn Fn(&Users, &Credentials) -> bool + Send + Sync>;

impl Htpasswd {
    /// Reads the file at `path`. Without [rules](Self::with_rules), every user may do everything.
    ///
    /// # Errors
    ///
    /// [`HtpasswdError`], which names the file and the line.
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self, HtpasswdError> {
        let path = path.into();
        let users = read(path.clone()).await?;
        if users.is_empty() {
            tracing::warn!(file = %path.display(), "the htpasswd file has no users");
        }
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Ok(Self {
            path,
            rules: AccessRules::default(),
            users: RwLock::new(Arc::new(users)),
            queue: Queue::new(cores.saturating_sub(1).max(1)),
            verify: Arc::new(|users, it| users.verify(&it.user, &it.password)),
        })
    }

    /// Sets the rules.
    #[must_use]
    pub fn with_rules(mut self, rules: AccessRules) -> Self {
        self.rules = rules;
        self
    }

    /// Reads the file again. Returns whether it has changed. If so, all users have to be verified again.
    ///
    /// # Errors
    ///
    /// [`HtpasswdError`], which names the file and the line. The old users are kept, also if the file has no
    /// users any more.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped, nothing has changed.
    pub async fn reload(&self) -> Result<bool, HtpasswdError> {
        let users = read(self.path.clone()).await?;
        let mut current = self.users.write().unwrap_or_else(PoisonError::into_inner);
        if users.is_same(&current) {
            return Ok(false);
        }
        if users.is_empty() {
            return Err(HtpasswdError::Emptied { path: self.path.clone() });
        }
        *current = Arc::new(users);
        Ok(true)
    }

    /// As [`reload`](Self::reload), and logs the outcome.
    pub async fn reload_and_log(&self) {
        let file = self.path.display();
        match self.reload().await {
            Ok(true) => tracing::info!(%file, "the passwords have changed"),
            Ok(false) => tracing::debug!(%file, "the passwords are unchanged"),
            Err(error) => {
                tracing::warn!(error = %ErrorChain(&error), "the old passwords are kept");
            }
        }
    }

    /// Reads the file again at this interval, and logs changes and failures.
    ///
    /// # Cancel safety
    ///
    /// It never returns.
    pub async fn watch(&self, every: Duration) {
        reload::every(every, || self.reload_and_log()).await;
    }

    #[cfg(feature = "tokens")]
    pub(crate) fn rules(&self) -> &AccessRules {
        &self.rules
    }

    /// The current user of this name.
    #[cfg(feature = "tokens")]
    pub(crate) fn user(&self, name: &str) -> Option<User> {
        self.users().user(name)
    }

    fn users(&self) -> Arc<Users> {
        Arc::clone(&self.users.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The user with these credentials, for a client with this address; `None` without credentials.
    pub(crate) async fn identify(
        &self,
        credentials: Result<Option<Credentials>, Malformed>,
        client: Option<IpAddr>,
    ) -> Result<Option<User>, Refusal> {
        let Some(credentials) = credentials.map_err(|_| refused())? else { return Ok(None) };
        let user = self.verify(credentials, Peer::new(client)).await?;
        trace::record_user(&user.name);
        Ok(Some(user))
    }

    async fn verify(&self, credentials: Credentials, peer: Peer) -> Result<User, Refusal> {
        let users = self.users();
        // From one version of the file: a reload may replace it meanwhile.
        let user = users.user(&credentials.user);
        let proof = users.verified.proof(&credentials);
        if users.verified.has(&proof) {
            return user.ok_or_else(refused);
        }
        let line = users.verified.line(peer, &credentials.user);
        let permit = self.queue.enter(line, peer).await;
        let permit = permit.map_err(|_| Refusal::TooMany { retry_after: RETRY_AFTER })?;
        // A client that opens ten connections at once is verified once, or once for each permit.
        if users.verified.has(&proof) {
            return user.ok_or_else(refused);
        }
        let verify = Arc::clone(&self.verify);
        let verified = task::spawn_blocking(move || {
            // The permit is held until the work ends, even if the request is dropped.
            let _permit = permit;
            let right = verify(&users, &credentials);
            if right {
                users.verified.insert(proof, peer, credentials.user);
            }
            right
        });
        // A verification that panicked, or did not run because the runtime shuts down, has failed.
        let right = verified.await.unwrap_or(false);
        user.filter(|_| right).ok_or_else(refused)
    }
}

#[async_trait]
impl Authorize for Htpasswd {
    async fn authorize(&self, request: AccessRequest<'_>) -> Result<(), Refusal> {
        let Parts { headers, extensions, .. } = request.parts;
        let user = self.identify(Credentials::of(headers), client::address(extensions)).await?;
        let name = user.as_ref().map(|user| user.name.as_str());
        if self.rules.allow(name, request.repository, request.action) {
            return Ok(());
        }
        Err(if user.is_some() { Refusal::Denied } else { refused() })
    }

    async fn may_pull(&self, parts: &Parts, repositories: &[&str]) -> Result<Vec<bool>, Refusal> {
        let Parts { headers, extensions, .. } = parts;
        let user = self.identify(Credentials::of(headers), client::address(extensions)).await?;
        let name = user.as_ref().map(|user| user.name.as_str());
        Ok(self.rules.may_pull(name, repositories))
    }
}

impl fmt::Debug for Htpasswd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Htpasswd")
            .field("path", &self.path)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

async fn read(path: PathBuf) -> Result<Users, HtpasswdError> {
    let work = path.clone();
    task::spawn_blocking(move || Users::read(&work))
        .await
        .unwrap_or_else(|error| Err(HtpasswdError::Read { path, source: error.into() }))
}

pub(crate) fn refused() -> Refusal {
    Refusal::Unauthorized { challenge: CHALLENGE.to_owned() }
}

#[cfg(test)]
mod tests;
