//! [`Query`]: what follows the `?`.

use http::Uri;

use crate::error::{Code, Error, Result};

/// The keys and values of a query.
#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn of(uri: &Uri) -> Self {
        let text = uri.query().unwrap_or_default();
        Self(form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    /// The first value of `key`.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.all(key).next()
    }

    pub(super) fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(it, _)| it == key).map(|(_, value)| value.as_str())
    }

    /// `n`, the number of items that a client wants; at most `most`.
    pub(super) fn limit(&self, default: usize, most: usize) -> Result<usize> {
        let Some(text) = self.get("n") else { return Ok(default) };
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse::<usize>() {
            Ok(n) if digits => Ok(n.min(most)),
            Err(_) if digits => Ok(most),
            _ => Err(Error::new(Code::PaginationNumberInvalid, "n is a number of items")),
        }
    }
}
