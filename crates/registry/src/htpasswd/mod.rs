//! [`Htpasswd`]: users and passwords from a file.

mod credentials;
mod proven;
mod rules;
mod users;

use std::{
    fmt,
    num::NonZero,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use async_trait::async_trait;
use http::request::Parts;
use tokio::{sync::Semaphore, task};

use self::users::Users;
pub(crate) use self::{
    credentials::{Credentials, Malformed},
    users::User,
};
pub use self::{
    rules::{AccessRules, ParsePatternError, RepositoryPattern, Rule},
    users::{HtpasswdError, HtpasswdProblem},
};
use crate::{AccessRequest, Authorize, Refusal};

/// How many requests may wait for a verification, those included that are being verified.
const MAX_WAITING: usize = 64;

/// When one that found no place may try again.
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
/// # What a verification costs
///
/// A bcrypt hash takes a core for some 50 ms at cost 10. As many run at once as there are cores, on
/// threads for blocking work, and 64 requests may wait for one; the next is answered
/// [`TooMany`](Refusal::TooMany). What was right needs no other verification for five minutes, or
/// until the file is read again; 1024 such users are remembered, by a keyed digest. A user who does
/// not exist costs as much as one who does, so that time does not tell them apart; where the file
/// has several costs, as the costliest.
///
/// A dropped `authorize` leaves a verification that has begun running, in its place.
pub struct Htpasswd {
    path: PathBuf,
    rules: AccessRules,
    /// What the file said last. Held for as long as it takes to clone or replace it.
    users: RwLock<Arc<Users>>,
    waiting: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

impl Htpasswd {
    /// Reads the file at `path`. Every user in it may do everything, until there are
    /// [rules](Self::with_rules).
    ///
    /// # Errors
    ///
    /// [`HtpasswdError`], naming file and line.
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self, HtpasswdError> {
        let path = path.into();
        let users = RwLock::new(Arc::new(read(path.clone()).await?));
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Ok(Self {
            path,
            rules: AccessRules::default(),
            users,
            waiting: Arc::new(Semaphore::new(MAX_WAITING)),
            running: Arc::new(Semaphore::new(cores)),
        })
    }

    /// Lets users do what `rules` say.
    #[must_use]
    pub fn with_rules(mut self, rules: AccessRules) -> Self {
        self.rules = rules;
        self
    }

    /// Reads the file again, and forgets who has proven to be a user.
    ///
    /// # Errors
    ///
    /// [`HtpasswdError`], naming file and line; the users stay as they were.
    pub async fn reload(&self) -> Result<(), HtpasswdError> {
        let users = Arc::new(read(self.path.clone()).await?);
        *self.users.write().unwrap_or_else(PoisonError::into_inner) = users;
        Ok(())
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

    /// The user whose credentials these are; none, if there are none.
    pub(crate) async fn identify(
        &self,
        credentials: Result<Option<Credentials>, Malformed>,
    ) -> Result<Option<User>, Refusal> {
        match credentials.map_err(|_| refused())? {
            Some(credentials) => self.verify(credentials).await.map(Some),
            None => Ok(None),
        }
    }

    async fn verify(&self, credentials: Credentials) -> Result<User, Refusal> {
        let users = self.users();
        // Of these users, and not of those that a reload may bring meanwhile.
        let user = users.user(&credentials.user);
        let proof = users.proven.proof(&credentials);
        if users.proven.has(&proof) {
            return user.ok_or_else(refused);
        }
        let too_many = |_| Refusal::TooMany { retry_after: RETRY_AFTER };
        let waiting = Arc::clone(&self.waiting).try_acquire_owned().map_err(too_many)?;
        // Neither semaphore is ever closed.
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| refused())?;
        // A client that opens ten connections at once is verified once, or as often as cores are.
        if users.proven.has(&proof) {
            return user.ok_or_else(refused);
        }
        let verified = task::spawn_blocking(move || {
            // The permits go with the work: it keeps its place when the request is dropped.
            let _permits = (waiting, running);
            let right = users.verify(&credentials.user, &credentials.password);
            if right {
                users.proven.insert(proof);
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
        let user = self.identify(Credentials::of(&request.parts.headers)).await?;
        let name = user.as_ref().map(|user| user.name.as_str());
        if self.rules.allow(name, request.repository, request.action) {
            return Ok(());
        }
        Err(if user.is_some() { Refusal::Denied } else { refused() })
    }

    async fn may_pull(&self, parts: &Parts, repositories: &[&str]) -> Result<Vec<bool>, Refusal> {
        let user = self.identify(Credentials::of(&parts.headers)).await?;
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
