//! [`Claims`]: the content of a token.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::{key::TokenKey, scope::Scope};
use crate::{access::Action, htpasswd, object};

/// How long a token is valid.
pub(super) const TIME_TO_LIVE: Duration = Duration::from_secs(300);

/// The content of a token.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claims {
    /// Its user; `None` if it was issued without credentials.
    #[serde(deserialize_with = "object::optional")]
    pub(super) user: Option<Holder>,
    pub(super) scopes: Vec<Scope>,
    /// When it expires, in seconds since 1970.
    pub(super) expires: u64,
}

/// A user with a certain password.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Holder {
    pub(super) name: String,
    /// A digest of the password's hash: another password is another holder.
    stamp: String,
}

impl Holder {
    pub(super) fn new(user: htpasswd::User, key: &TokenKey) -> Self {
        Self { stamp: key.stamp(&user.hash), name: user.name }
    }

    /// Whether this is `user` with the same password.
    pub(super) fn is(&self, user: &htpasswd::User, key: &TokenKey) -> bool {
        self.name == user.name && key.is_stamp(&self.stamp, &user.hash)
    }
}

impl Claims {
    pub(super) fn seal(&self, key: &TokenKey) -> serde_json::Result<String> {
        serde_json::to_vec(self).map(|content| key.seal(&content))
    }

    pub(super) fn open(token: &str, key: &TokenKey) -> Option<Self> {
        object::from_slice(&key.open(token)?).ok()
    }

    pub(super) fn user_name(&self) -> Option<&str> {
        self.user.as_ref().map(|user| user.name.as_str())
    }

    pub(super) fn issued(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.expires.saturating_sub(TIME_TO_LIVE.as_secs()))
    }

    pub(super) fn is_valid(&self, now: SystemTime) -> bool {
        seconds(now) < self.expires
    }

    /// Whether they cover `action` on `repository`. All cover the registry's root.
    pub(super) fn cover(&self, repository: Option<&str>, action: Action) -> bool {
        Scope::needed(repository, action).is_none()
            || self.scopes.iter().any(|scope| scope.covers(repository, action))
    }
}

/// When a token expires that is issued now.
pub(super) fn expiry(now: SystemTime) -> u64 {
    seconds(now + TIME_TO_LIVE)
}

fn seconds(time: SystemTime) -> u64 {
    // A clock before 1970 is wrong.
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(now: SystemTime) -> Claims {
        let scopes = Scope::parse_all("repository:a:pull registry:catalog:*").unwrap();
        let user = htpasswd::User { name: "alice".to_owned(), hash: "$2b$".to_owned() };
        let user = Some(Holder::new(user, &TokenKey::random()));
        Claims { user, scopes, expires: expiry(now) }
    }

    #[test]
    fn sealed_text_is_opened() {
        let (key, claims) = (TokenKey::random(), claims(SystemTime::now()));
        assert_eq!(Claims::open(&claims.seal(&key).unwrap(), &key), Some(claims));
    }

    #[test]
    fn an_array_is_no_token() {
        let key = TokenKey::random();
        for content in [r#"[null,[],9999999999]"#, r#"{"user":["a","b"],"scopes":[],"expires":9}"#]
        {
            assert_eq!(Claims::open(&key.seal(content.as_bytes()), &key), None, "{content}");
        }
        let object = r#"{"user":null,"scopes":[],"expires":9}"#;
        assert!(Claims::open(&key.seal(object.as_bytes()), &key).is_some());
    }

    #[test]
    fn they_end_after_five_minutes() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let claims = claims(now);
        assert!(claims.is_valid(now + Duration::from_secs(299)));
        assert!(!claims.is_valid(now + Duration::from_secs(300)));
    }

    #[test]
    fn the_root_needs_no_scope_and_all_else_does() {
        let claims = Claims { scopes: Vec::new(), ..claims(SystemTime::now()) };
        assert!(claims.cover(None, Action::Pull));
        assert!(!claims.cover(None, Action::Catalog) && !claims.cover(Some("a"), Action::Pull));
    }

    #[test]
    fn another_password_is_another_user() {
        let key = TokenKey::random();
        let user = |hash: &str| {
            Holder::new(htpasswd::User { name: "alice".to_owned(), hash: hash.to_owned() }, &key)
        };
        assert_eq!(user("one"), user("one"));
        assert_ne!(user("one"), user("two"));
    }

    #[test]
    fn a_password_s_hash_is_not_in_them() {
        let text = serde_json::to_string(&claims(SystemTime::now())).unwrap();
        assert!(!text.contains("$2"), "{text}");
    }
}
