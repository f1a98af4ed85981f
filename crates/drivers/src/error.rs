//! [`ParseLocationError`]: why a text names no store.

const STORES: &str = "`inmemory:`, `file:///absolute/directory`, `s3://bucket/prefix`, `gs://bucket/prefix` or \
     `az://container/prefix`";

/// Why a text is not a [`Location`](crate::Location). Each message names the expected form.
///
/// ```
/// let error = "ftp://host".parse::<storage_driver_url::Location>().unwrap_err();
/// assert!(error.to_string().starts_with("unknown scheme `ftp`"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseLocationError {
    /// The text begins with no scheme.
    #[error("no scheme; a store is {STORES}")]
    NoScheme,
    /// No driver is known by this scheme.
    #[error("unknown scheme `{scheme}`; a store is {STORES}")]
    UnknownScheme {
        /// The scheme that was given.
        scheme: String,
    },
    /// A control character stands in the text, such as the end of a line.
    #[error("a control character at byte {position}; in a path, write it as `%` and its number")]
    Control {
        /// Where it stands in the text, in bytes from its beginning.
        position: usize,
    },
    /// A `%` in the path is not followed by two hexadecimal digits.
    #[error(
        "the `%` at byte {position} is not followed by two hexadecimal digits; `%` itself is `%25`"
    )]
    Escape {
        /// Where it stands in the text, in bytes from its beginning.
        position: usize,
    },
    /// There is a fragment.
    #[error("a store has no `#` fragment; in a path, write `#` as `%23`")]
    Fragment,
    /// `inmemory:` is followed by something else than a query.
    #[error("`{found}` after `inmemory:`, which has no host and no path, only `?capacity=SIZE`")]
    InMemoryPath {
        /// What was found.
        found: String,
    },
    /// The host of a `file:` URL is not this machine.
    #[error(
        "host `{host}`: files are on this machine; an absolute directory has three slashes, `file:///{host}`"
    )]
    Host {
        /// The host that was given.
        host: String,
    },
    /// The directory is not absolute.
    #[error("`{path}` is not absolute; write `file:///absolute/directory`")]
    NotAbsolute {
        /// The path that was given.
        path: String,
    },
    /// The directory has a NUL byte in its name.
    #[error("no directory has a NUL byte in its name")]
    Nul,
    /// The directory is not UTF-8, on a system that has no other names.
    #[error("the directory's name is not UTF-8")]
    NotUtf8,
    /// The URL of a bucket names none.
    #[error(
        "`{scheme}:` is followed by `//`, a bucket's name of letters, digits, `-`, `.` and `_`, and perhaps a prefix: `{scheme}://bucket/prefix`"
    )]
    BucketName {
        /// The scheme.
        scheme: &'static str,
    },
    /// What follows the bucket is no path of a store.
    #[error("the prefix `{prefix}`: {why}")]
    Prefix {
        /// The prefix that was given.
        prefix: String,
        /// What is wrong with it.
        why: storage_driver::ParsePathError,
    },
    /// There are credentials in the URL, which ends up in logs. They are not repeated here.
    #[error(
        "credentials in a URL ({place}); the environment has them, for example AWS_ACCESS_KEY_ID and \
         AWS_SECRET_ACCESS_KEY"
    )]
    Credentials {
        /// Where: the name of a parameter, or `user@`.
        place: String,
    },
    /// `bucket:` is followed by something else than `memory`.
    #[error("`bucket:memory` is the only store of the scheme `bucket`")]
    BucketMemory,
    /// The query has a key that the scheme does not know.
    #[error("unknown key `{key}`; `{scheme}:` knows {known}")]
    UnknownKey {
        /// The scheme.
        scheme: &'static str,
        /// The key that was given.
        key: String,
        /// The keys that it knows, as a text for people.
        known: &'static str,
    },
    /// The query has a key twice.
    #[error("`{key}` is given twice")]
    RepeatedKey {
        /// The key.
        key: &'static str,
    },
    /// The value of a key is none of those that it can have.
    #[error("`{key}={value}`: {why}")]
    Value {
        /// The key.
        key: &'static str,
        /// The value that was given.
        value: String,
        /// What it should have been.
        why: String,
    },
}
