//! [`Scope`]: the scope of a token.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{access::Action, htpasswd::AccessRules, name::Name};

/// A scope that a client requests and a token has: `repository:NAME:pull,push` or `registry:catalog:*`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(super) enum Scope {
    Repository { name: String, actions: Vec<Action> },
    Catalog,
}

/// The text is no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a scope is a type, a name and actions, separated by colons")]
pub(super) struct MalformedScope;

impl Scope {
    /// Parses scopes that are separated by spaces. Well-formed scopes with types or actions of other services are
    /// ignored.
    pub(super) fn parse_all(text: &str) -> Result<Vec<Self>, MalformedScope> {
        let words = text.split(' ').filter(|word| !word.is_empty());
        words.filter_map(|word| Self::parse(word).transpose()).collect()
    }

    fn parse(text: &str) -> Result<Option<Self>, MalformedScope> {
        let (kind, rest) = text.split_once(':').ok_or(MalformedScope)?;
        let (name, actions) = rest.rsplit_once(':').ok_or(MalformedScope)?;
        if kind.is_empty() || name.is_empty() {
            return Err(MalformedScope);
        }
        let mut actions = actions.split(',');
        Ok(match kind {
            "registry" if name == "catalog" && actions.any(|it| it == "*") => Some(Self::Catalog),
            "repository" if Name::parse(name).is_ok() => {
                // Each once, so that a short request does not get a long token.
                let mut distinct = Vec::new();
                for action in actions.flat_map(meant) {
                    if !distinct.contains(action) {
                        distinct.push(*action);
                    }
                }
                Some(Self::Repository { name: name.to_owned(), actions: distinct })
            }
            _ => None,
        })
    }

    /// The part of it that `rules` allow to `user`; `None` if there is no such part.
    pub(super) fn granted(self, rules: &AccessRules, user: Option<&str>) -> Option<Self> {
        match self {
            Self::Repository { name, mut actions } => {
                actions.retain(|action| rules.allow(user, Some(&name), *action));
                (!actions.is_empty()).then_some(Self::Repository { name, actions })
            }
            Self::Catalog => rules.allow(user, None, Action::Catalog).then_some(self),
        }
    }

    /// Whether it includes `action` on `repository`.
    pub(super) fn covers(&self, repository: Option<&str>, action: Action) -> bool {
        match self {
            Self::Repository { name, actions } => {
                repository == Some(name) && actions.contains(&action)
            }
            Self::Catalog => repository.is_none() && action == Action::Catalog,
        }
    }

    /// The scope that `action` on `repository` needs; `None` if any token is sufficient.
    pub(super) fn needed(repository: Option<&str>, action: Action) -> Option<Self> {
        let actions = match action {
            Action::Pull | Action::Delete => vec![action],
            // A client that pushes first checks which blobs exist.
            Action::Push => vec![Action::Pull, Action::Push],
            Action::Catalog => return Some(Self::Catalog),
        };
        Some(Self::Repository { name: repository?.to_owned(), actions })
    }
}

fn meant(word: &str) -> &[Action] {
    match word {
        "pull" => &[Action::Pull],
        "push" => &[Action::Push],
        "delete" => &[Action::Delete],
        "*" => &[Action::Pull, Action::Push, Action::Delete],
        _ => &[],
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Repository { name, actions } = self else {
            return f.write_str("registry:catalog:*");
        };
        let words = actions.iter().map(|action| match action {
            Action::Pull => "pull",
            Action::Push => "push",
            Action::Delete => "delete",
            Action::Catalog => "*",
        });
        write!(f, "repository:{name}:{}", words.collect::<Vec<_>>().join(","))
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

impl TryFrom<String> for Scope {
    type Error = MalformedScope;

    fn try_from(text: String) -> Result<Self, MalformedScope> {
        Self::parse(&text)?.ok_or(MalformedScope)
    }
}

#[cfg(test)]
mod tests {
    use Action::{Catalog, Delete, Pull, Push};
    use proptest::prelude::*;

    use super::*;

    fn repository(name: &str, actions: &[Action]) -> Scope {
        Scope::Repository { name: name.to_owned(), actions: actions.to_vec() }
    }

    #[test]
    fn several_have_spaces_between_them() {
        let scopes = Scope::parse_all("repository:a/b:pull,push  registry:catalog:*").unwrap();
        assert_eq!(scopes, [repository("a/b", &[Pull, Push]), Scope::Catalog]);
        assert_eq!(Scope::parse_all(""), Ok(vec![]));
    }

    #[test]
    fn a_star_is_every_action() {
        let scopes = Scope::parse_all("repository:a:*").unwrap();
        assert_eq!(scopes, [repository("a", &[Pull, Push, Delete])]);
    }

    #[test]
    fn an_action_that_is_asked_for_many_times_is_granted_once() {
        let scopes = Scope::parse_all(&format!("repository:a:{}", "*,pull,".repeat(100))).unwrap();
        assert_eq!(scopes, [repository("a", &[Pull, Push, Delete])]);
    }

    #[test]
    fn unknown_scopes_are_left_out() {
        for text in [
            "repository(plugin):a:pull",
            "repository:localhost:5000/a:pull",
            "repository:A:pull",
            "registry:catalog:pull",
            "registry:other:*",
            "other:a:b",
        ] {
            assert_eq!(Scope::parse_all(text), Ok(vec![]), "{text}");
        }
        let scopes = Scope::parse_all("repository:a:fly,pull,catalog").unwrap();
        assert_eq!(scopes, [repository("a", &[Pull])]);
    }

    #[test]
    fn text_of_another_form_is_malformed() {
        for text in ["repository", "repository:a", ":a:pull", "repository::pull", "::", "a:b:c d"] {
            assert_eq!(Scope::parse_all(text), Err(MalformedScope), "{text}");
        }
    }

    #[test]
    fn only_allowed_actions_are_granted() {
        let rules = AccessRules { anonymous_pull: true, access: vec![] };
        let asked = repository("a", &[Pull, Push]);
        assert_eq!(asked.clone().granted(&rules, None), Some(repository("a", &[Pull])));
        assert_eq!(asked.clone().granted(&rules, Some("alice")), Some(asked));
        assert_eq!(repository("a", &[Push]).granted(&rules, None), None);
    }

    #[test]
    fn the_catalog_is_granted_to_users() {
        let rules = AccessRules::default();
        assert_eq!(Scope::Catalog.granted(&rules, Some("alice")), Some(Scope::Catalog));
        assert_eq!(Scope::Catalog.granted(&rules, None), None);
    }

    #[test]
    fn one_covers_its_actions_in_its_repository() {
        let scope = repository("a", &[Pull]);
        assert!(scope.covers(Some("a"), Pull));
        assert!(!scope.covers(Some("a"), Push) && !scope.covers(Some("a/b"), Pull));
        assert!(!scope.covers(None, Pull) && !scope.covers(None, Catalog));
        assert!(Scope::Catalog.covers(None, Catalog) && !Scope::Catalog.covers(Some("a"), Catalog));
    }

    #[test]
    fn the_wanted_scope_covers_the_request() {
        for (repository, action) in
            [(Some("a"), Pull), (Some("a"), Push), (Some("a"), Delete), (None, Catalog)]
        {
            let wanted = Scope::needed(repository, action).unwrap().to_string();
            let asked = Scope::parse_all(&wanted).unwrap();
            assert!(asked[0].covers(repository, action), "{wanted}");
        }
        assert_eq!(Scope::needed(None, Pull), None);
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "(repository|registry|[a-z:,* ]){0,10}") {
            let Ok(scopes) = Scope::parse_all(&text) else { return Ok(()) };
            for scope in scopes {
                prop_assert_eq!(Scope::parse_all(&scope.to_string()).unwrap(), [scope]);
            }
        }
    }
}
