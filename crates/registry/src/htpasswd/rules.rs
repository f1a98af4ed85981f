//! [`AccessRules`]: which users may perform which actions in which repositories.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::access::Action;

/// In the users of a rule: every authenticated user.
pub(super) const ANY_USER: &str = "*";

/// In the users of a rule: everyone, with and without credentials.
pub(super) const ANONYMOUS: &str = "anonymous";

/// Which users may perform which actions in which repositories.
///
/// Without a [`Rule`], every authenticated user may do everything. Otherwise an action that no rule allows is
/// denied. Rules only allow, so their order does not matter.
///
/// The registry's root, `/v2/`, is for every authenticated user, and for everyone if any action is allowed without
/// credentials: clients such as docker begin there. The catalog is for every authenticated user, and for
/// everyone with [`anonymous_pull`](Self::anonymous_pull). It lists the repositories that the user may pull from.
///
/// ```
/// let rules: storage_driver_registry::AccessRules = toml::from_str(
///     r#"
///     anonymous_pull = true
///
///     [[access]]
///     repositories = "team/*"
///     users = ["alice", "bob"]
///     actions = ["pull", "push", "delete"]
///     "#,
/// )?;
/// assert_eq!(rules.access[0].users, ["alice", "bob"]);
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccessRules {
    /// Whether everyone may pull everything, even without credentials. Off by default.
    pub anonymous_pull: bool,
    /// The rules.
    pub access: Vec<Rule>,
}

/// Allows some users some actions in some repositories.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The repositories.
    pub repositories: RepositoryPattern,
    /// The users: names, `*` for every authenticated user, `anonymous` for everyone.
    pub users: Vec<String>,
    /// The actions: `pull`, `push`, `delete`.
    pub actions: Vec<Action>,
}

impl AccessRules {
    /// Whether `user`, or a client without credentials, may do that.
    pub(crate) fn allow(
        &self,
        user: Option<&str>,
        repository: Option<&str>,
        action: Action,
    ) -> bool {
        let Some(repository) = repository else {
            return match action {
                Action::Pull => user.is_some() || self.allow_anything_anonymously(),
                Action::Catalog => user.is_some() || self.anonymous_pull,
                Action::Push | Action::Delete => false,
            };
        };
        if action == Action::Pull && self.anonymous_pull {
            return true;
        }
        if self.access.is_empty() {
            return user.is_some();
        }
        self.access.iter().any(|rule| {
            rule.actions.contains(&action)
                && rule.users.iter().any(|it| is_meant(it, user))
                && rule.repositories.matches(repository)
        })
    }

    /// For each of `repositories`, whether `user` may pull from it.
    pub(crate) fn may_pull(&self, user: Option<&str>, repositories: &[&str]) -> Vec<bool> {
        repositories.iter().map(|it| self.allow(user, Some(it), Action::Pull)).collect()
    }

    fn allow_anything_anonymously(&self) -> bool {
        let is_anonymous = |rule: &Rule| {
            !rule.actions.is_empty() && rule.users.iter().any(|it| is_meant(it, None))
        };
        self.anonymous_pull || self.access.iter().any(is_anonymous)
    }
}

fn is_meant(meant: &str, user: Option<&str>) -> bool {
    match meant {
        ANONYMOUS => true,
        ANY_USER => user.is_some(),
        name => user == Some(name),
    }
}

/// A pattern of repositories: one name, all below a prefix (`team/*`), or all (`*`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryPattern(Pattern);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    All,
    /// With the slash at its end.
    Below(String),
    Exactly(String),
}

/// The text is no [`RepositoryPattern`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the name of a repository, nor `prefix/*`, nor `*`")]
pub struct ParsePatternError(String);

impl RepositoryPattern {
    /// Whether the repository `name` is one of them. `team/*` does not have `team`.
    pub fn matches(&self, name: &str) -> bool {
        match &self.0 {
            Pattern::All => true,
            Pattern::Below(prefix) => name.len() > prefix.len() && name.starts_with(prefix),
            Pattern::Exactly(exact) => name == exact,
        }
    }
}

impl FromStr for RepositoryPattern {
    type Err = ParsePatternError;

    fn from_str(text: &str) -> Result<Self, ParsePatternError> {
        let prefix = text.strip_suffix('*');
        let name = prefix.map_or(text, |it| it.strip_suffix('/').unwrap_or(it));
        let is_name = !name.is_empty()
            && !name.starts_with('/')
            && !name.ends_with('/')
            && !name.contains(['*', ' ']);
        match prefix {
            Some("") => Ok(Self(Pattern::All)),
            Some(prefix) if is_name && prefix.ends_with('/') => {
                Ok(Self(Pattern::Below(prefix.to_owned())))
            }
            None if is_name => Ok(Self(Pattern::Exactly(text.to_owned()))),
            _ => Err(ParsePatternError(text.to_owned())),
        }
    }
}

impl fmt::Display for RepositoryPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Pattern::All => f.write_str("*"),
            Pattern::Below(prefix) => write!(f, "{prefix}*"),
            Pattern::Exactly(exact) => f.write_str(exact),
        }
    }
}

impl From<RepositoryPattern> for String {
    fn from(pattern: RepositoryPattern) -> Self {
        pattern.to_string()
    }
}

impl TryFrom<String> for RepositoryPattern {
    type Error = ParsePatternError;

    fn try_from(text: String) -> Result<Self, ParsePatternError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use Action::{Catalog, Delete, Pull, Push};

    use super::*;

    fn rules(text: &str) -> AccessRules {
        toml::from_str(text).unwrap()
    }

    fn team() -> AccessRules {
        rules(
            r#"
            [[access]]
            repositories = "team/*"
            users = ["alice"]
            actions = ["pull", "push"]

            [[access]]
            repositories = "shared"
            users = ["*"]
            actions = ["pull"]

            [[access]]
            repositories = "public/*"
            users = ["anonymous"]
            actions = ["pull"]
            "#,
        )
    }

    #[test]
    fn without_rules_users_may_do_everything_and_anonymous_clients_nothing() {
        let rules = AccessRules::default();
        for action in [Pull, Push, Delete] {
            assert!(rules.allow(Some("a"), Some("x"), action));
            assert!(!rules.allow(None, Some("x"), action));
        }
    }

    #[test]
    fn actions_without_a_rule_are_denied() {
        let rules = team();
        assert!(rules.allow(Some("alice"), Some("team/x"), Push));
        assert!(!rules.allow(Some("alice"), Some("team/x"), Delete));
        assert!(!rules.allow(Some("alice"), Some("other"), Pull));
        assert!(!rules.allow(Some("bob"), Some("team/x"), Pull));
    }

    #[test]
    fn a_star_is_every_user_but_not_anonymous_clients() {
        assert!(team().allow(Some("bob"), Some("shared"), Pull));
        assert!(!team().allow(None, Some("shared"), Pull));
    }

    #[test]
    fn anonymous_is_every_client() {
        assert!(team().allow(None, Some("public/x"), Pull));
        assert!(team().allow(Some("bob"), Some("public/x"), Pull));
        assert!(!team().allow(None, Some("public/x"), Push));
    }

    #[test]
    fn the_root_is_for_every_user() {
        assert!(AccessRules::default().allow(Some("bob"), None, Pull));
        assert!(team().allow(Some("bob"), None, Pull));
        assert!(!team().allow(Some("bob"), None, Delete));
    }

    #[test]
    fn the_root_is_open_where_any_anonymous_access_is() {
        assert!(team().allow(None, None, Pull));
        assert!(
            AccessRules { anonymous_pull: true, ..AccessRules::default() }.allow(None, None, Pull)
        );
        assert!(!AccessRules::default().allow(None, None, Pull));
        assert!(
            !AccessRules { access: team().access[..2].to_vec(), ..team() }.allow(None, None, Pull)
        );
    }

    #[test]
    fn the_catalog_is_for_users_only() {
        assert!(team().allow(Some("bob"), None, Catalog));
        assert!(!team().allow(None, None, Catalog));
        assert!(AccessRules { anonymous_pull: true, ..team() }.allow(None, None, Catalog));
    }

    #[test]
    fn anonymous_pull_allows_every_client_to_pull_everywhere() {
        let rules = AccessRules { anonymous_pull: true, ..team() };
        for user in [None, Some("bob")] {
            assert!(rules.allow(user, Some("team/x"), Pull));
            assert!(rules.allow(user, None, Pull));
            assert!(!rules.allow(user, Some("team/x"), Push));
        }
    }

    #[test]
    fn a_prefix_matches_the_repositories_below_it() {
        let pattern: RepositoryPattern = "team/*".parse().unwrap();
        assert!(pattern.matches("team/a") && pattern.matches("team/a/b"));
        for other in ["team", "team/", "teams/a", "a/team/b"] {
            assert!(!pattern.matches(other), "{other}");
        }
    }

    #[test]
    fn a_name_is_itself_alone() {
        let pattern: RepositoryPattern = "team/a".parse().unwrap();
        assert!(pattern.matches("team/a"));
        assert!(!pattern.matches("team/a/b") && !pattern.matches("team"));
    }

    #[test]
    fn a_star_is_every_repository() {
        let pattern: RepositoryPattern = "*".parse().unwrap();
        assert!(pattern.matches("a") && pattern.matches("a/b"));
    }

    #[test]
    fn malformed_patterns_are_refused() {
        for text in ["", "/*", "a*", "*/a", "a/*/b", "a/**", "**", "/a", "a/", "a b", "a//*"] {
            assert!(text.parse::<RepositoryPattern>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_word_that_means_nothing_is_refused() {
        for text in [
            "anonymous_pul = true",
            "[[access]]\nrepositories = \"*\"\nusers = []\nactions = [\"read\"]",
            "[[access]]\nrepositories = \"*\"\nusers = []\nactions = [\"catalog\"]",
            "[[access]]\nrepositories = \"a*\"\nusers = []\nactions = []",
            "[[access]]\nrepositories = \"*\"\nusers = []\nactions = []\ndeny = true",
            "[[access]]\nrepositories = \"*\"\nactions = []",
        ] {
            assert!(toml::from_str::<AccessRules>(text).is_err(), "{text}");
        }
    }
}
