//! [`Users`]: what an htpasswd file says.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt, io,
    path::{Path, PathBuf},
};

use super::proven::Proven;

/// Why an htpasswd file is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HtpasswdError {
    /// It cannot be read, or is no text.
    #[error("{}: cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A line of it is not a user with a bcrypt hash.
    #[error("{}:{line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: HtpasswdProblem,
    },
}

/// What is wrong with a line of an htpasswd file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HtpasswdProblem {
    /// It is not `user:hash`.
    #[error("not a user, a colon and a hash")]
    NotAnEntry,
    /// The user has the name of no user: `*` and `anonymous` mean something in rules.
    #[error("a user cannot have this name, which means something in rules")]
    Reserved,
    /// The user was there before.
    #[error("the user is there already, on line {first}")]
    Duplicate {
        /// The number of the line with the same user, from 1.
        first: usize,
    },
    /// The password is in plain text or under a scheme other than bcrypt.
    #[error("not a bcrypt hash; make one with `htpasswd -B`")]
    NotBcrypt,
    /// It begins as a bcrypt hash and is none.
    #[error("a damaged bcrypt hash")]
    Damaged,
    /// Each request would take too long.
    #[error("a bcrypt cost of {cost}, which is not from {min} to {max}")]
    Cost {
        /// The logarithm of the rounds.
        cost: u32,
        /// The least that there is.
        min: u32,
        /// The most that is taken.
        max: u32,
    },
}

/// The costs that `htpasswd -C` takes. Every one doubles the time: 17 is some ten seconds.
const COSTS: std::ops::RangeInclusive<u32> = 4..=17;

/// The cost of a user who does not exist, in a file without users.
const USUAL_COST: u32 = 10;

/// A user, as one version of the file has it.
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) hash: String,
}

/// The users of one version of the file, and who of them has proven to be one.
pub(super) struct Users {
    hashes: HashMap<String, String>,
    /// A hash of nothing, as costly as the costliest of the others.
    nobody: String,
    pub(super) proven: Proven,
}

impl Users {
    /// Reads the file. Blocks.
    pub(super) fn read(path: &Path) -> Result<Self, HtpasswdError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| HtpasswdError::Read { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|(line, problem)| HtpasswdError::Line {
            path: path.to_owned(),
            line,
            problem,
        })
    }

    fn parse(text: &str) -> Result<Self, (usize, HtpasswdProblem)> {
        let mut lines = HashMap::new();
        let mut hashes = HashMap::new();
        let mut highest = None;
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (user, hash, cost) = entry(line).map_err(|problem| (number, problem))?;
            match lines.entry(user) {
                Entry::Vacant(vacant) => vacant.insert(number),
                Entry::Occupied(it) => {
                    return Err((number, HtpasswdProblem::Duplicate { first: *it.get() }));
                }
            };
            highest = highest.max(Some(cost));
            hashes.insert(user.to_owned(), hash.to_owned());
        }
        let cost = highest.unwrap_or(USUAL_COST);
        let nobody = format!("$2b${cost:02}${}", ".".repeat(22 + 31));
        Ok(Self { hashes, nobody, proven: Proven::new() })
    }

    pub(super) fn user(&self, name: &str) -> Option<User> {
        let hash = self.hashes.get(name)?.clone();
        Some(User { name: name.to_owned(), hash })
    }

    /// Whether `password` is that of `user`. Blocks for long, and as long if there is no such user.
    pub(super) fn verify(&self, user: &str, password: &str) -> bool {
        let hash = self.hashes.get(user);
        let same = bcrypt::verify(password, hash.unwrap_or(&self.nobody)).unwrap_or(false);
        same && hash.is_some()
    }
}

fn entry(line: &str) -> Result<(&str, &str, u32), HtpasswdProblem> {
    let (user, hash) = line.split_once(':').ok_or(HtpasswdProblem::NotAnEntry)?;
    if user.is_empty() {
        return Err(HtpasswdProblem::NotAnEntry);
    }
    if user == super::rules::ANY_USER || user == super::rules::ANYBODY {
        return Err(HtpasswdProblem::Reserved);
    }
    if !["$2a$", "$2b$", "$2y$"].iter().any(|scheme| hash.starts_with(scheme)) {
        return Err(HtpasswdProblem::NotBcrypt);
    }
    let parts: bcrypt::HashParts = hash.parse().map_err(|_| HtpasswdProblem::Damaged)?;
    let cost = parts.get_cost();
    if !COSTS.contains(&cost) {
        let (min, max) = (*COSTS.start(), *COSTS.end());
        return Err(HtpasswdProblem::Cost { cost, min, max });
    }
    Ok((user, hash, cost))
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").field("count", &self.hashes.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `htpasswd -B -C 4`, of "secret".
    fn hash() -> String {
        bcrypt::hash("secret", 4).unwrap()
    }

    #[track_caller]
    fn problem(text: &str) -> (usize, HtpasswdProblem) {
        Users::parse(text).err().unwrap()
    }

    #[test]
    fn comments_and_blank_lines_are_passed_over() {
        let users = Users::parse(&format!("# who\n\n  alice:{}\r\n", hash())).unwrap();
        assert!(users.verify("alice", "secret"));
        assert!(!users.verify("alice", "Secret"));
    }

    #[test]
    fn the_three_names_of_bcrypt_are_one_scheme() {
        for scheme in ["$2a$", "$2b$", "$2y$"] {
            let hash = hash().replacen("$2b$", scheme, 1);
            assert!(Users::parse(&format!("a:{hash}")).unwrap().verify("a", "secret"), "{scheme}");
        }
    }

    #[test]
    fn other_schemes_are_refused_with_their_line() {
        for hash in ["plain", "$apr1$x$y", "{SHA}x", "$2x$04$x", "$6$x$y", ""] {
            let text = format!("# first\na:{hash}");
            assert_eq!(problem(&text), (2, HtpasswdProblem::NotBcrypt), "{hash}");
        }
    }

    #[test]
    fn a_hash_that_was_cut_is_refused() {
        let text = format!("a:{}", &hash()[..59]);
        assert_eq!(problem(&text), (1, HtpasswdProblem::Damaged));
    }

    #[test]
    fn a_cost_of_hours_is_refused() {
        let text = format!("a:{}", hash().replacen("$04$", "$31$", 1));
        let cost = HtpasswdProblem::Cost { cost: 31, min: 4, max: 17 };
        assert_eq!(problem(&text), (1, cost));
    }

    #[test]
    fn a_user_comes_once() {
        let text = format!("a:{0}\nb:{0}\n\na:{0}", hash());
        assert_eq!(problem(&text), (4, HtpasswdProblem::Duplicate { first: 1 }));
    }

    #[test]
    fn a_line_without_user_or_hash_is_refused() {
        assert_eq!(problem("alice"), (1, HtpasswdProblem::NotAnEntry));
        assert_eq!(problem(&format!(":{}", hash())), (1, HtpasswdProblem::NotAnEntry));
    }

    #[test]
    fn the_words_of_rules_are_no_users() {
        for name in ["*", "anonymous"] {
            assert_eq!(problem(&format!("{name}:{}", hash())), (1, HtpasswdProblem::Reserved));
        }
    }

    #[test]
    fn nobody_costs_as_much_as_the_costliest_user_and_has_no_password() {
        let users = Users::parse(&format!("a:{}", hash().replacen("$04$", "$05$", 1))).unwrap();
        let parts: bcrypt::HashParts = users.nobody.parse().unwrap();
        assert_eq!(parts.get_cost(), 5);
        assert!(!users.verify("b", "") && !users.verify("b", "secret"));
    }
}
