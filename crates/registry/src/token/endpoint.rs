//! [`TokenEndpoint`]: the URL that issues tokens, as clients see it.

use std::{fmt, str::FromStr};

use http::{HeaderName, Uri, header::HOST, request::Parts, uri::Scheme};

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The URL of the registry as clients see it, if it cannot be derived from requests: `https://registry.example`.
///
/// It has a scheme, which is `http` or `https`, a host, optionally a port, and optionally a path, below which
/// tokens are issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalUrl(String);

/// The text is not an [`ExternalUrl`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a URL of http or https with a host and no query")]
pub struct ParseExternalUrlError(String);

impl FromStr for ExternalUrl {
    type Err = ParseExternalUrlError;

    fn from_str(text: &str) -> Result<Self, ParseExternalUrlError> {
        let is_valid = |uri: &Uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.authority().is_some_and(|it| is_host(it.as_str()))
                && uri.query().is_none()
        };
        // It is quoted in a header.
        let is_quotable = text.bytes().all(|it| it.is_ascii_graphic() && !b"\"\\#".contains(&it));
        match text.parse().is_ok_and(|uri| is_valid(&uri)) && is_quotable {
            true => Ok(Self(text.trim_end_matches('/').to_owned())),
            false => Err(ParseExternalUrlError(text.to_owned())),
        }
    }
}

impl fmt::Display for ExternalUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How the URL that issues tokens is determined.
#[derive(Debug, Clone, Default)]
pub(super) struct TokenEndpoint {
    pub(super) external: Option<ExternalUrl>,
    pub(super) trust_proxy: bool,
}

impl TokenEndpoint {
    /// The URL for the client of a request; `None` if the request has no valid host.
    pub(super) fn url(&self, parts: &Parts) -> Option<String> {
        if let Some(external) = &self.external {
            return Some(format!("{external}/token"));
        }
        // Of several proxies, the client sees the first.
        let header = |name| {
            let value = parts.headers.get(name)?.to_str().ok()?;
            Some(value.split(',').next()?.trim())
        };
        let forwarded = |name| header(name).filter(|_| self.trust_proxy);
        let https = match forwarded(FORWARDED_PROTO).map(str::to_ascii_lowercase).as_deref() {
            Some("https") => true,
            Some("http") => false,
            _ => parts.extensions.get() == Some(&Scheme::HTTPS),
        };
        let host =
            [forwarded(FORWARDED_HOST), parts.uri.authority().map(|it| it.as_str()), header(HOST)];
        let host = host.into_iter().flatten().find(|it| is_host(it))?;
        Some(format!("{}://{host}/token", if https { "https" } else { "http" }))
    }
}

/// A name or an address, and optionally a port, without characters that have a meaning in a header or a URL.
fn is_host(text: &str) -> bool {
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || b".-_:[]".contains(&it);
    (1..=255).contains(&text.len()) && text.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const TRUSTING: TokenEndpoint = TokenEndpoint { external: None, trust_proxy: true };

    fn parts(uri: &str, headers: &[(&str, &str)], scheme: Option<Scheme>) -> Parts {
        let request =
            headers.iter().fold(Request::get(uri), |it, (name, value)| it.header(*name, *value));
        let mut parts = request.body(()).unwrap().into_parts().0;
        if let Some(scheme) = scheme {
            parts.extensions.insert(scheme);
        }
        parts
    }

    #[track_caller]
    fn assert_url(endpoint: &TokenEndpoint, parts: &Parts, url: &str) {
        assert_eq!(endpoint.url(parts).as_deref(), Some(url));
    }

    #[test]
    fn scheme_and_host_are_those_of_the_request() {
        let headers = [("host", "registry.example:5000")];
        let endpoint = TokenEndpoint::default();
        let url = "http://registry.example:5000/token";
        assert_url(&endpoint, &parts("/v2/", &headers, Some(Scheme::HTTP)), url);
        assert_url(&endpoint, &parts("/v2/", &headers, None), url);
        let url = "https://registry.example:5000/token";
        assert_url(&endpoint, &parts("/v2/", &headers, Some(Scheme::HTTPS)), url);
    }

    #[test]
    fn http_2_has_the_host_elsewhere() {
        let url = "http://[::1]:5000/token";
        assert_url(&TokenEndpoint::default(), &parts("http://[::1]:5000/v2/", &[], None), url);
    }

    #[test]
    fn a_proxy_is_heeded_if_it_is_trusted() {
        let headers = [
            ("host", "inside"),
            ("x-forwarded-host", "outside, between"),
            ("x-forwarded-proto", "HTTPS,http"),
        ];
        assert_url(&TRUSTING, &parts("/", &headers, None), "https://outside/token");
        assert_url(&TokenEndpoint::default(), &parts("/", &headers, None), "http://inside/token");
    }

    #[test]
    fn parts_that_a_proxy_does_not_name_are_those_of_the_request() {
        let headers = [("host", "inside"), ("x-forwarded-proto", "gopher")];
        assert_url(&TRUSTING, &parts("/", &headers, Some(Scheme::HTTPS)), "https://inside/token");
    }

    #[test]
    fn a_configured_url_overrides_the_request() {
        let external = Some("https://registry.example/oci/".parse().unwrap());
        let endpoint = TokenEndpoint { external, trust_proxy: true };
        let url = "https://registry.example/oci/token";
        assert_url(&endpoint, &parts("/", &[("x-forwarded-host", "outside")], None), url);
    }

    #[test]
    fn a_host_that_is_none_is_not_repeated() {
        for host in ["", "a\"b", "a b", "a/b", "user@a", "a\\", "a?b", "\u{e4}"] {
            assert_eq!(
                TokenEndpoint::default().url(&parts("/", &[("host", host)], None)),
                None,
                "{host}"
            );
        }
        assert_eq!(TokenEndpoint::default().url(&parts("/", &[], None)), None);
    }

    #[test]
    fn an_external_url_has_a_scheme_and_a_host() {
        for text in ["http://a", "https://a:5000", "https://[::1]/b/c"] {
            assert_eq!(text.parse::<ExternalUrl>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn invalid_external_urls_are_refused() {
        for text in [
            "",
            "a",
            "a:5000",
            "/a",
            "ftp://a",
            "https://",
            "https://a?b",
            "https://a#b",
            "https://u@a",
            "https://a/\"",
            "https://a/\u{e4}",
            "https://a b",
        ] {
            assert!(text.parse::<ExternalUrl>().is_err(), "{text}");
        }
    }
}
