//! [`Query`]: what follows the `?`, or is a form.

use http::Uri;
use percent_encoding::percent_decode_str;

use crate::error::{Code, Error, Result};

/// The keys and values of a query or a form.
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// The query of an endpoint of the registry. A `+` is a plus, as RFC 3986 has it: no parameter has
    /// spaces, and media types such as `application/vnd.oci.image.config.v1+json` have a plus.
    pub(crate) fn of(uri: &Uri) -> Self {
        let decode = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        Self(pairs.map(|(key, value)| (decode(key), decode(value))).collect())
    }

    /// A form, in which a `+` is a space.
    #[cfg(feature = "program")]
    pub(crate) fn parse_form(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// The first value of `key`.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.all(key).next()
    }

    pub(crate) fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(it, _)| it == key).map(|(_, value)| value.as_str())
    }

    /// `n`, the number of items that a client wants; at most `most`.
    pub(crate) fn limit(&self, default: usize, most: usize) -> Result<usize> {
        let Some(text) = self.get("n") else { return Ok(default) };
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse::<usize>() {
            Ok(n) if digits => Ok(n.min(most)),
            Err(_) if digits => Ok(most),
            _ => {
                let error = Error::new(Code::Unsupported, "n is a number of items");
                Err(error.status(http::StatusCode::BAD_REQUEST))
            }
        }
    }
}
