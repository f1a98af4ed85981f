//! Values that a file has as text: `#[serde(with = "text")]`.

use std::{any::Any, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serializer, de::Error};
use storage_driver_url::ParseLocationError;

pub(crate) fn serialize<T: fmt::Display, S: Serializer>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

pub(crate) fn deserialize<'de, T: FromStr<Err: fmt::Display + 'static>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let value = text.parse().map_err(|error| match is_secret(&error) {
        true => D::Error::custom(error),
        false => D::Error::custom(format_args!("`{text}`: {error}")),
    });
    value.map(Some)
}

/// Whether an error is about a value that has a secret in it, which must not be repeated.
fn is_secret(error: &(dyn Any + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(ParseLocationError::Credentials { .. }))
}
