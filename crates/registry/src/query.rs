//! [`Query`]: the parameters of a URL or a form.

use http::Uri;
use percent_encoding::percent_decode_str;

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

    /// A form, where a `+` is a space.
    #[cfg(feature = "tokens")]
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
}
