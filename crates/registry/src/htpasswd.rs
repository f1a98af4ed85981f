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

/// When a request that found no place may try again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

const CHALLENGE: &str = r#"Basic realm="registry", charset="UTF-8""#;

/// Lets users in whose password is in an htpasswd file, by Basic authentication (RFC 7617), to do
/// what [`AccessRules`] say.
///
/// The file has a line for each user, as `htpasswd -B` makes it: the name, a colon, a bcrypt hash of
/// cost 4 to 17 (`$2a$`, `$2b$` or `$2y$`). Blank lines and those that begin with `#` are passed
/// over. Passwords are UTF-8, without control characters, and at most 72 bytes long, of which bcrypt
/// sees all: a longer one is refused.
///
/// No credentials and an action that needs some, or wrong ones whatever the action, are
/// [`Unauthorized`](Refusal::Unauthorized); a user who may not do it is
/// [`Denied`](Refusal::Denied).
///
/// Clients such as docker and podman ask for `/v2/` and send credentials later only if that was refused:
/// where some things may be done without credentials and some may not, have [`Tokens`](crate::Tokens)
/// around it.
///
/// A byte order mark of UTF-8 is passed over. A line that is none of these is an error, which names it: no user
/// is left out without a word.
///
/// # What a verification costs
///
/// A bcrypt hash takes a core for some 50 ms at cost 10. One core is left for other work: a verification less runs
/// at a time than there are cores, but at least one, on threads for blocking work. Turns go around the
/// addresses of clients (of IPv6, networks of 64 bits; as a [trusted proxy](crate::behind_proxy) says
/// them, if there is one), so that however many requests guess, another client waits for one turn of each address.
/// Every other turn is for clients that have logged in as the same user from the same address in the last 12
/// hours, if such a client waits. 1,024 requests may wait of each kind. If there are more, the last one of the
/// address with the most is answered [`TooMany`](Refusal::TooMany).
///
/// What was right needs no other verification until it was not used for five minutes, for 12 hours at most, or
/// until the file has changed; 1,024 such users are remembered, by a keyed digest. A user who does not
/// exist costs as much as most users do, so that time does not tell them apart; give all hashes one cost.
///
/// A dropped `authorize` gives its place up; a verification that has begun runs to its end.
pub struct Htpasswd {
    path: PathBuf,
    rules: AccessRules,
    /// What the file said last. Held for as long as it takes to clone or replace it.
    users: RwLock<Arc<Users>>,
    queue: Arc<Queue>,
    verify: Verify,
}

/// Verifies a password. Blocks. Tests have another one than bcrypt.
type Verify = Arc<dyn Fn(&Users, &Credentials) -> bool + Send + Sync>;

impl Htpasswd {
    /// Reads the file at `path`. Every user in it may do everything, until there are
    /// [rules](Self::with_rules).
    ///
    /// # Errors
    ///
    /// [`HtpasswdError`], naming file and line.
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self, HtpasswdError> {
        let path = path.into();
        let users = read(path.clone()).await?;
        if users.is_empty() {
            tracing::warn!(file = %path.display(), "no user is in the file of passwords");
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

    /// Lets users do what `rules` say.
    #[must_use]
    pub fn with_rules(mut self, rules: AccessRules) -> Self {
        self.rules = rules;
        self
    }

    /// Reads the file again. Returns whether it has changed; if so, everybody is verified again.
    ///
    /// # Errors
    ///
    /// [`HtpasswdError`], naming file and line; the users stay as they were. So they do if there
    /// were some, and the file has none now.
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
            Ok(false) => tracing::debug!(%file, "the passwords are the same"),
            Err(error) => {
                tracing::warn!(error = %ErrorChain(&error), "the old passwords are kept");
            }
        }
    }

    /// Reads the file again, forever, with `every` between, and logs what has changed or failed.
    ///
    /// # Cancel safety
    ///
    /// It is for being dropped.
    pub async fn watch(&self, every: Duration) {
        reload::every(every, || self.reload_and_log()).await;
    }

    pub(crate) fn rules(&self) -> &AccessRules {
        &self.rules
    }

    /// The user of this name, if there is one now.
    pub(crate) fn user(&self, name: &str) -> Option<User> {
        self.users().user(name)
    }

    fn users(&self) -> Arc<Users> {
        Arc::clone(&self.users.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The user whose credentials these are, for a client with this address; none, if there are none.
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
        // Of these users, and not of those that a reload may bring meanwhile.
        let user = users.user(&credentials.user);
        let proof = users.verified.proof(&credentials);
        if users.verified.has(&proof) {
            return user.ok_or_else(refused);
        }
        let line = users.verified.line(peer, &credentials.user);
        let turn = self.queue.enter(line, peer).await;
        let turn = turn.map_err(|_| Refusal::TooMany { retry_after: RETRY_AFTER })?;
        // A client that opens ten connections at once is verified once, or as often as turns are.
        if users.verified.has(&proof) {
            return user.ok_or_else(refused);
        }
        let verify = Arc::clone(&self.verify);
        let verified = task::spawn_blocking(move || {
            // The turn ends with the work, also when the request is dropped.
            let _turn = turn;
            let right = verify(&users, &credentials);
            if right {
                users.verified.insert(proof, peer, credentials.user);
            }
            right
        });
        // One that panicked, or never ran because the runtime shuts down, proves nothing.
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
