//! [`check`]: the host of a request.

use http::{HeaderMap, Request, Version, header::HOST, uri::Authority};

/// Checks that a request names its host exactly once, and validly (RFC 9112, section 3.2, and RFC 9113,
/// section 8.3.1).
///
/// # Errors
///
/// The text of a 400.
pub(super) fn check<B>(request: &Request<B>) -> Result<(), &'static str> {
    let target = request.uri().authority();
    if target.is_some_and(|target| !is_valid(target.as_str())) {
        return Err("the host of the request's target is invalid");
    }
    match (host(request.headers())?, target, request.version()) {
        // HTTP/2 has it in `:authority`; HTTP/1.0 needs none.
        (None, Some(_), Version::HTTP_2) | (None, _, Version::HTTP_09 | Version::HTTP_10) => Ok(()),
        (None, _, _) => Err("the request has no Host"),
        (Some(host), Some(target), Version::HTTP_2)
            if !target.as_str().eq_ignore_ascii_case(host) =>
        {
            Err("Host and :authority are different")
        }
        (Some(_), _, _) => Ok(()),
    }
}

fn host(headers: &HeaderMap) -> Result<Option<&str>, &'static str> {
    let mut lines = headers.get_all(HOST).iter();
    let Some(line) = lines.next() else { return Ok(None) };
    if lines.next().is_some() {
        return Err("the request has several Hosts");
    }
    match line.to_str() {
        // The target has no host.
        Ok("") => Ok(Some("")),
        Ok(host) if is_valid(host) => Ok(Some(host)),
        _ => Err("the request's Host is invalid"),
    }
}

/// A name or an address, and maybe a port. A user, which a URL can have there, is refused.
fn is_valid(text: &str) -> bool {
    let Ok(authority) = text.parse::<Authority>() else { return false };
    let port = authority.as_str().strip_prefix(authority.host());
    port.is_some_and(|port| match port.strip_prefix(':') {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_digit()),
        None => port.is_empty(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(version: Version, uri: &str, hosts: &[&str]) -> Result<(), &'static str> {
        let request = Request::get(uri).version(version);
        let request = hosts.iter().fold(request, |it, host| it.header(HOST, *host));
        check(&request.body(()).unwrap())
    }

    #[test]
    fn a_name_or_an_address_with_or_without_a_port_is_valid() {
        for host in ["a", "a.example:5000", "127.0.0.1", "[::1]", "[::1]:5000", "a:", "A_b-c"] {
            assert_eq!(checked(Version::HTTP_11, "/", &[host]), Ok(()), "{host}");
        }
    }

    #[test]
    fn an_empty_host_is_that_of_a_target_without_one() {
        assert_eq!(checked(Version::HTTP_11, "/", &[""]), Ok(()));
    }

    #[test]
    fn an_invalid_host_is_refused() {
        for host in [
            "a b", "a/b", "user@a", "a:b", "a:1:2", "[::1", "a?b", "a#b", "a\\b", "a,b c", "<a>",
            "\"",
        ] {
            assert!(checked(Version::HTTP_11, "/", &[host]).is_err(), "{host}");
        }
    }

    #[test]
    fn http_1_1_has_one_host_exactly() {
        for uri in ["/", "http://a/"] {
            assert!(checked(Version::HTTP_11, uri, &[]).is_err(), "{uri}");
            assert!(checked(Version::HTTP_11, uri, &["a", "a"]).is_err(), "{uri}");
            assert_eq!(checked(Version::HTTP_11, uri, &["a"]), Ok(()), "{uri}");
        }
    }

    #[test]
    fn http_1_0_has_one_host_at_most() {
        assert_eq!(checked(Version::HTTP_10, "/", &[]), Ok(()));
        assert!(checked(Version::HTTP_10, "/", &["a", "b"]).is_err());
    }

    #[test]
    fn http_2_has_an_authority_or_a_host() {
        assert_eq!(checked(Version::HTTP_2, "http://a:1/", &[]), Ok(()));
        assert_eq!(checked(Version::HTTP_2, "http://a:1/", &["A:1"]), Ok(()));
        assert_eq!(checked(Version::HTTP_2, "/", &["a"]), Ok(()));
        assert!(checked(Version::HTTP_2, "http://a:1/", &["b"]).is_err());
        assert!(checked(Version::HTTP_2, "/", &[]).is_err());
    }

    #[test]
    fn a_user_in_the_target_is_refused() {
        assert!(checked(Version::HTTP_11, "http://user@a/", &["a"]).is_err());
    }
}
