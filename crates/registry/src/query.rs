//! [`Query`]: what follows the `?`, or is a form.

use http::Uri;

use crate::error::{Code, Error, Result};

/// The keys and values of a query or a form.
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn of(uri: &Uri) -> Self {
        Self::parse(uri.query().unwrap_or_default().as_bytes())
    }

    pub(crate) fn parse(text: &[u8]) -> Self {
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
