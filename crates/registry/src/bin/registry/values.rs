//! Types of settings.

use std::{fmt, net::Ipv6Addr, str::FromStr, time::Duration};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use storage_driver_registry::Redirect;
use storage_driver_url::ByteSize;
use tracing_subscriber::{EnvFilter, filter::ParseError};

/// An interval, or `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interval(pub(crate) Option<Duration>);

impl FromStr for Interval {
    type Err = humantime::DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(Self(None));
        }
        humantime::parse_duration(text).map(|duration| Self(Some(duration)))
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(duration) => humantime::format_duration(duration).fmt(f),
            None => f.write_str("off"),
        }
    }
}

/// Which downloads are redirected: `never`, `always`, or a size from which on they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Redirects(pub(crate) Redirect);

/// The text is not [`Redirects`].
#[derive(Debug, thiserror::Error)]
#[error("not `never`, `always`, or a size such as `1MiB`")]
pub(crate) struct ParseRedirectsError;

impl FromStr for Redirects {
    type Err = ParseRedirectsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(match text {
            "never" => Redirect::Never,
            "always" => Redirect::Always,
            size => Redirect::From(size.parse::<ByteSize>().map_err(|_| ParseRedirectsError)?.0),
        }))
    }
}

impl fmt::Display for Redirects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Redirect::Never => f.write_str("never"),
            Redirect::Always => f.write_str("always"),
            Redirect::From(bytes) => ByteSize(bytes).fmt(f),
        }
    }
}

/// An address to listen at: a host and a port, or a port of all interfaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListenAddress {
    /// A name or an address; `None` is all interfaces, for IPv4 and IPv6.
    pub(crate) host: Option<String>,
    pub(crate) port: u16,
}

/// The text is not a [`ListenAddress`].
#[derive(Debug, thiserror::Error)]
#[error("not a host and a port, as in `127.0.0.1:5000`, `[::1]:5000`, `localhost:5000` or `:5000`")]
pub(crate) struct ParseListenAddressError;

impl FromStr for ListenAddress {
    type Err = ParseListenAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = text.rsplit_once(':').ok_or(ParseListenAddressError)?;
        // The parser would accept a sign too.
        let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|_| is_number).ok_or(ParseListenAddressError)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = match bare {
            Some(bare) if bare.parse::<Ipv6Addr>().is_ok() => bare,
            None if host.bytes().all(|it| it.is_ascii_alphanumeric() || b"-._".contains(&it)) => {
                host
            }
            _ => return Err(ParseListenAddressError),
        };
        Ok(Self { host: (!host.is_empty()).then(|| host.to_owned()), port })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.as_deref().unwrap_or_default() {
            address if address.contains(':') => write!(f, "[{address}]:{}", self.port),
            host => write!(f, "{host}:{}", self.port),
        }
    }
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// A filter of log lines, in the syntax of [`EnvFilter`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogFilter(String);

impl LogFilter {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for LogFilter {
    fn default() -> Self {
        Self("info".to_owned())
    }
}

impl FromStr for LogFilter {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        EnvFilter::try_new(text).map(|_| Self(text.to_owned()))
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_never_always_or_from_a_size() {
        for text in ["never", "always", "1MiB", "0"] {
            assert_eq!(text.parse::<Redirects>().unwrap().to_string(), text);
        }
        for text in ["", "off", "-1", "true"] {
            assert!(text.parse::<Redirects>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_to_listen_at_is_a_host_and_a_port_or_a_port() {
        for text in ["127.0.0.1:5000", "[::1]:5000", "localhost:5000", ":5000", "a-b.example:0"] {
            assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), text);
        }
        for text in [
            "",
            ":",
            "5000",
            "a:",
            "a:b",
            ":65536",
            ":+5",
            "::1:5000",
            "[a]:5",
            "a b:5",
            "http://a:5",
        ] {
            assert!(text.parse::<ListenAddress>().is_err(), "{text}");
        }
    }
}
