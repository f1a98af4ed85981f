//! [`Users`]: the content of an htpasswd file.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    fmt, io,
    path::{Path, PathBuf},
};

use super::verified_cache::VerifiedCache;

/// Why an htpasswd file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HtpasswdError {
    /// It cannot be read.
    #[error("{}: cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// It has no users any more, and those that it had are kept.
    #[error("{}: the file has no users any more", path.display())]
    Emptied {
        /// The file.
        path: PathBuf,
    },
    /// A line of it is not a user with a bcrypt hash.
    #[error("{}:{line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The number of the line, from 1.
        line: usize,
        /// The problem.
        problem: HtpasswdProblem,
    },
}

/// A problem with a line of an htpasswd file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HtpasswdProblem {
    /// The file is UTF-16, as some editors on Windows write it.
    #[error("UTF-16, or no text; save the file as UTF-8")]
    Utf16,
    /// The line is not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// It is not `user:hash`.
    #[error("not a user, a colon and a hash")]
    NotAnEntry,
    /// The name is reserved: `*` and `anonymous` have a meaning in rules.
    #[error("this name has a meaning in access rules, and cannot be that of a user")]
    Reserved,
    /// An earlier line has the same user.
    #[error("the same user as on line {first}")]
    Duplicate {
        /// The number of the line with the same user, from 1.
        first: usize,
    },
    /// The password is in plain text or under a scheme other than bcrypt.
    #[error("not a bcrypt hash; make one with `htpasswd -B`")]
    NotBcrypt,
    /// It begins like a bcrypt hash, but is not one.
    #[error("a damaged bcrypt hash")]
    Damaged,
    /// Each request would take too long.
    #[error("a bcrypt cost of {cost}, which is not from {min} to {max}")]
    Cost {
        /// The logarithm of the rounds.
        cost: u32,
        /// The lowest cost.
        min: u32,
        /// The highest accepted cost.
        max: u32,
    },
}

/// The costs that `htpasswd -C` accepts. Each doubles the time: 17 takes about ten seconds.
const COSTS: std::ops::RangeInclusive<u32> = 4..=17;

/// The cost of a user who does not exist, in a file without users.
const USUAL_COST: u32 = 10;

/// The mark with which some editors begin a file in UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A user in one version of the file.
pub(crate) struct User {
    pub(crate) name: String,
    #[cfg_attr(not(feature = "tokens"), expect(dead_code))]
    pub(crate) hash: String,
}

/// The users of one version of the file, and the credentials that were verified.
pub(super) struct Users {
    hashes: HashMap<String, String>,
    /// A hash of nothing, as costly as most of the others.
    unknown_user: String,
    pub(super) verified: VerifiedCache,
}

impl Users {
    /// Reads the file. Blocks.
    pub(super) fn read(path: &Path) -> Result<Self, HtpasswdError> {
        let content = std::fs::read(path)
            .map_err(|source| HtpasswdError::Read { path: path.to_owned(), source })?;
        Self::parse(&content).map_err(|(line, problem)| HtpasswdError::Line {
            path: path.to_owned(),
            line,
            problem,
        })
    }

    fn parse(content: &[u8]) -> Result<Self, (usize, HtpasswdProblem)> {
        let content = content.strip_prefix(BYTE_ORDER_MARK).unwrap_or(content);
        // A text of ASCII in UTF-16 has zeros, with a byte order mark and without.
        if content.starts_with(b"\xff\xfe") || content.starts_with(b"\xfe\xff") {
            return Err((1, HtpasswdProblem::Utf16));
        }
        let mut lines = HashMap::new();
        let mut hashes = HashMap::new();
        let mut costs = BTreeMap::new();
        for (number, line) in (1..).zip(content.split(|byte| *byte == b'\n')) {
            if line.contains(&0) {
                return Err((number, HtpasswdProblem::Utf16));
            }
            let line = str::from_utf8(line).map_err(|_| (number, HtpasswdProblem::NotUtf8))?.trim();
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
            *costs.entry(cost).or_insert(0) += 1;
            hashes.insert(user.to_owned(), hash.to_owned());
        }
        // Of several that are as common, the highest.
        let most_common = costs.into_iter().max_by_key(|(_, users): &(_, usize)| *users);
        let cost = most_common.map_or(USUAL_COST, |(cost, _)| cost);
        let unknown_user = format!("$2b${cost:02}${}", ".".repeat(22 + 31));
        Ok(Self { hashes, unknown_user, verified: VerifiedCache::new() })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Whether `other` has the same users with the same passwords.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.hashes == other.hashes
    }

    pub(super) fn user(&self, name: &str) -> Option<User> {
        let hash = self.hashes.get(name)?.clone();
        Some(User { name: name.to_owned(), hash })
    }

    /// Whether `password` is that of `user`. Blocks for the time of a verification, also if there is no such user.
    pub(super) fn verify(&self, user: &str, password: &str) -> bool {
        let hash = self.hashes.get(user);
        let same = bcrypt::verify(password, hash.unwrap_or(&self.unknown_user)).unwrap_or(false);
        same && hash.is_some()
    }
}

fn entry(line: &str) -> Result<(&str, &str, u32), HtpasswdProblem> {
    let (user, hash) = line.split_once(':').ok_or(HtpasswdProblem::NotAnEntry)?;
    if user.is_empty() {
        return Err(HtpasswdProblem::NotAnEntry);
    }
    if user == super::rules::ANY_USER || user == super::rules::ANONYMOUS {
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
    fn problem(text: impl AsRef<[u8]>) -> (usize, HtpasswdProblem) {
        Users::parse(text.as_ref()).err().unwrap()
    }

    fn users(text: &str) -> Users {
        Users::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn comments_and_blank_lines_are_passed_over() {
        let users = users(&format!("# who\n\n  alice:{}\r\n", hash()));
        assert!(users.verify("alice", "secret"));
        assert!(!users.verify("alice", "Secret"));
    }

    #[test]
    fn the_three_names_of_bcrypt_are_one_scheme() {
        for scheme in ["$2a$", "$2b$", "$2y$"] {
            let hash = hash().replacen("$2b$", scheme, 1);
            assert!(users(&format!("a:{hash}")).verify("a", "secret"), "{scheme}");
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
    fn a_user_may_occur_once() {
        let text = format!("a:{0}\nb:{0}\n\na:{0}", hash());
        assert_eq!(problem(&text), (4, HtpasswdProblem::Duplicate { first: 1 }));
    }

    #[test]
    fn a_line_without_user_or_hash_is_refused() {
        assert_eq!(problem("alice"), (1, HtpasswdProblem::NotAnEntry));
        assert_eq!(problem(format!(":{}", hash())), (1, HtpasswdProblem::NotAnEntry));
    }

    #[test]
    fn the_words_of_rules_are_no_users() {
        for name in ["*", "anonymous"] {
            assert_eq!(problem(format!("{name}:{}", hash())), (1, HtpasswdProblem::Reserved));
        }
    }

    #[track_caller]
    fn assert_cost_of_unknown_users(costs: &[u32], cost: u32) {
        let line = |(n, cost): (usize, &u32)| {
            format!("u{n}:{}\n", hash().replacen("$04$", &format!("${cost:02}$"), 1))
        };
        let users = users(&costs.iter().enumerate().map(line).collect::<String>());
        let parts: bcrypt::HashParts = users.unknown_user.parse().unwrap();
        assert_eq!(parts.get_cost(), cost, "{costs:?}");
    }

    #[test]
    fn a_user_who_does_not_exist_costs_as_much_as_most_users() {
        assert_cost_of_unknown_users(&[], 10);
        assert_cost_of_unknown_users(&[5], 5);
        assert_cost_of_unknown_users(&[5, 12, 5], 5);
        assert_cost_of_unknown_users(&[6, 12, 12, 6], 12);
    }

    #[test]
    fn a_user_who_does_not_exist_has_no_password() {
        let users = users(&format!("a:{}", hash()));
        assert!(!users.verify("b", "") && !users.verify("b", "secret"));
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_user() {
        assert!(users(&format!("\u{feff}alice:{}\n", hash())).verify("alice", "secret"));
    }

    #[test]
    fn utf_16_is_named() {
        let text = format!("alice:{}\r\n", hash());
        let with = |mark: &[u8], bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            mark.iter().copied().chain(text.encode_utf16().flat_map(bytes)).collect()
        };
        for content in [
            with(b"\xff\xfe", u16::to_le_bytes),
            with(b"\xfe\xff", u16::to_be_bytes),
            with(b"", u16::to_le_bytes),
            with(b"", u16::to_be_bytes),
        ] {
            assert_eq!(problem(content), (1, HtpasswdProblem::Utf16));
        }
    }

    #[test]
    fn a_line_that_is_not_utf_8_is_named() {
        let content = [format!("a:{}\n", hash()).as_bytes(), b"\xe4:x\n"].concat();
        assert_eq!(problem(content), (2, HtpasswdProblem::NotUtf8));
    }
}
