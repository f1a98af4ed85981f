//! [`Credentials`]: the user and the password of a request.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD_PAD_INDIFFERENT};
use http::{HeaderMap, header::AUTHORIZATION};

/// The credentials of `Authorization: Basic` (RFC 7617), in UTF-8.
#[derive(PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(super) user: String,
    pub(super) password: String,
}

/// The credentials are malformed: no user can have them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl Credentials {
    /// The longest password, in bytes: bcrypt ignores the rest, and longer passwords with the same beginning
    /// would be equal.
    pub(super) const MAX_PASSWORD: usize = 72;

    /// The credentials of a request, if it has any.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Self>, Malformed> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(Malformed);
        }
        let (scheme, token) =
            value.to_str().ok().and_then(|it| it.split_once(' ')).ok_or(Malformed)?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(Malformed);
        }
        let text = STANDARD_PAD_INDIFFERENT.decode(token.trim()).map_err(|_| Malformed)?;
        let text = String::from_utf8(text).map_err(|_| Malformed)?;
        let (user, password) = text.split_once(':').ok_or(Malformed)?;
        Self::new(user, password).map(Some)
    }

    /// Credentials from another source than the header.
    pub(crate) fn new(user: &str, password: &str) -> Result<Self, Malformed> {
        // The RFC excludes control characters from both. bcrypt ends at a zero.
        let has_control = [user, password].iter().any(|it| it.contains(char::is_control));
        if has_control || password.len() > Self::MAX_PASSWORD {
            return Err(Malformed);
        }
        Ok(Self { user: user.to_owned(), password: password.to_owned() })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn read(value: &[u8]) -> Result<Option<Credentials>, Malformed> {
        let value = HeaderValue::from_bytes(value).unwrap();
        Credentials::of(&HeaderMap::from_iter([(AUTHORIZATION, value)]))
    }

    fn basic(scheme: &str, text: impl AsRef<[u8]>) -> Vec<u8> {
        format!("{scheme} {}", STANDARD_PAD_INDIFFERENT.encode(text)).into_bytes()
    }

    fn credentials(user: &str, password: &str) -> Result<Option<Credentials>, Malformed> {
        Ok(Some(Credentials { user: user.to_owned(), password: password.to_owned() }))
    }

    #[test]
    fn a_request_without_the_header_brings_none() {
        assert_eq!(Credentials::of(&HeaderMap::new()), Ok(None));
    }

    #[test]
    fn the_example_of_the_rfc_is_read() {
        let read = read(b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(read, credentials("Aladdin", "open sesame"));
    }

    #[test]
    fn the_scheme_is_read_in_any_case() {
        assert_eq!(read(&basic("bASIC", "a:b")), credentials("a", "b"));
    }

    #[test]
    fn a_password_may_have_colons_and_umlauts() {
        assert_eq!(read(&basic("Basic", "a:b:\u{fc}")), credentials("a", "b:\u{fc}"));
    }

    #[test]
    fn other_schemes_than_basic_are_malformed() {
        assert_eq!(read(b"Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), Err(Malformed));
    }

    #[test]
    fn text_that_is_not_base64_of_utf8_with_a_colon_is_malformed() {
        assert_eq!(read(b"Basic"), Err(Malformed));
        assert_eq!(read(b"Basic !!!!"), Err(Malformed));
        assert_eq!(read(&basic("Basic", b"a:\xff")), Err(Malformed));
        assert_eq!(read(&basic("Basic", "ab")), Err(Malformed));
    }

    #[test]
    fn a_zero_in_a_password_is_malformed() {
        assert_eq!(read(&basic("Basic", "a:b\0b")), Err(Malformed));
    }

    #[test]
    fn a_password_of_more_bytes_than_bcrypt_reads_is_malformed() {
        let longest = "x".repeat(72);
        assert_eq!(read(&basic("Basic", format!("a:{longest}"))), credentials("a", &longest));
        assert_eq!(read(&basic("Basic", format!("a:{longest}x"))), Err(Malformed));
    }

    #[test]
    fn two_headers_are_malformed() {
        let value = HeaderValue::from_static("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        let headers = [(AUTHORIZATION, value.clone()), (AUTHORIZATION, value)];
        assert_eq!(Credentials::of(&HeaderMap::from_iter(headers)), Err(Malformed));
    }

    proptest! {
        #[test]
        fn any_header_is_parsed_or_refused(value in "[ -~\u{80}-\u{ff}]{0,100}") {
            let _ = read(value.as_bytes());
        }

        #[test]
        fn any_user_and_password_come_back(user in "[^:\\pC]{0,20}", password in "\\PC{0,18}") {
            let header = basic("Basic", format!("{user}:{password}"));
            prop_assert_eq!(read(&header), credentials(&user, &password));
        }
    }
}
