//! [`Object`] and [`Value`]: a view of JSON text that is read at least as leniently as Go's
//! `encoding/json` reads it.
//!
//! The text is checked once, and then read in place: nothing is copied, and a value of any type
//! that is not read costs nothing. Keys match in any case, and a key that occurs several times
//! has several values. Text that is not UTF-8 is read with replacement characters.

use std::borrow::Cow;

use memchr::{memchr, memchr2};
use serde::de::{Deserialize, Deserializer, IgnoredAny, Visitor};

/// A JSON value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    Null,
    /// A number, or `true` or `false`.
    Scalar(&'a [u8]),
    Text(Text<'a>),
    Array(Array<'a>),
    Object(Object<'a>),
}

/// A string, with its quotes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'a>(&'a [u8]);

/// An array, without its brackets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Array<'a>(&'a [u8]);

/// An object, without its braces.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Object<'a>(&'a [u8]);

impl<'a> Value<'a> {
    /// Reads `text`, all of it.
    ///
    /// # Errors
    ///
    /// The text is not JSON. The error does not repeat the text.
    pub(crate) fn parse(text: &'a [u8]) -> serde_json::Result<Self> {
        serde_json::from_slice::<IgnoredAny>(text)?;
        Ok(Self::of(text.trim_ascii()))
    }

    /// A value of text that was checked.
    fn of(text: &'a [u8]) -> Self {
        let inner = || text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
        match text.first() {
            Some(b'n') => Self::Null,
            Some(b'"') => Self::Text(Text(text)),
            Some(b'[') => Self::Array(Array(inner())),
            Some(b'{') => Self::Object(Object(inner())),
            _ => Self::Scalar(text),
        }
    }

    /// A number of at least zero and without a fraction.
    pub(crate) fn as_size(self) -> Option<u64> {
        match self {
            Self::Scalar(text) => std::str::from_utf8(text).ok()?.parse().ok(),
            _ => None,
        }
    }

    pub(crate) fn as_text(self) -> Option<Text<'a>> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_array(self) -> Option<Array<'a>> {
        match self {
            Self::Array(array) => Some(array),
            _ => None,
        }
    }

    pub(crate) fn as_object(self) -> Option<Object<'a>> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }
}

impl<'a> Text<'a> {
    /// How many bytes it has as it is written, quotes and escapes included.
    pub(crate) fn written_len(self) -> usize {
        self.0.len()
    }

    pub(crate) fn read(self) -> Cow<'a, str> {
        if memchr(b'\\', self.0).is_none() {
            return String::from_utf8_lossy(self.0.get(1..self.0.len() - 1).unwrap_or_default());
        }
        let Unescaped(bytes) = serde_json::from_slice(self.0).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned().into()
    }

    /// Whether Go reads this key as `field`. Letters may have another case; `ſ` and the sign of Kelvin
    /// fold to ASCII letters.
    pub(crate) fn names(self, field: &str) -> bool {
        let key = self.read();
        let folded = key.chars().map(|letter| match letter {
            'ſ' => 's',
            '\u{212A}' => 'k',
            other => other.to_ascii_lowercase(),
        });
        folded.eq(field.chars().map(|letter| letter.to_ascii_lowercase()))
    }
}

impl<'a> Array<'a> {
    pub(crate) fn items(self) -> impl Iterator<Item = Value<'a>> {
        Values(self.0).map(Value::of)
    }
}

impl<'a> Object<'a> {
    /// Every key with its value, in the order of the text.
    pub(crate) fn members(self) -> impl Iterator<Item = (Text<'a>, Value<'a>)> {
        let mut values = Values(self.0);
        std::iter::from_fn(move || Some((Text(values.next()?), Value::of(values.next()?))))
    }

    /// The values of `key` that are not `null`, in the order of the text.
    pub(crate) fn given(self, key: &'static str) -> impl Iterator<Item = Value<'a>> {
        let values = self.members().filter(move |(name, _)| name.names(key));
        values.map(|(_, value)| value).filter(|value| !matches!(value, Value::Null))
    }

    /// The last value of `key` that is a text, if that is not empty, as Go reads it.
    pub(crate) fn text(self, key: &'static str) -> Option<Cow<'a, str>> {
        let text = self.given(key).filter_map(Value::as_text).last()?.read();
        Some(text).filter(|text| !text.is_empty())
    }

    /// The last value of `key` that is an object.
    pub(crate) fn object(self, key: &'static str) -> Option<Object<'a>> {
        self.given(key).filter_map(Value::as_object).last()
    }
}

/// The values that follow one another in text that was checked.
struct Values<'a>(&'a [u8]);

impl<'a> Iterator for Values<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let is_between = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':');
        let start = self.0.iter().position(|byte| !is_between(byte))?;
        let text = &self.0[start..];
        let (value, rest) = text.split_at(length(text));
        self.0 = rest;
        Some(value)
    }
}

/// The length of the value at the beginning of `text`.
fn length(text: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => at = end_of_string(text, at),
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ if depth == 0 => {
                let is_end = |byte: &u8| b" \t\n\r,:]}".contains(byte);
                return text.iter().position(is_end).unwrap_or(text.len());
            }
            _ => {}
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    at.min(text.len())
}

/// Where the string that begins at `start` has its second quote.
fn end_of_string(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = text.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found;
        if text[at] == b'"' {
            return at;
        }
        at += 2;
    }
    text.len()
}

/// The bytes that a string stands for, which need not be UTF-8.
#[derive(Default)]
struct Unescaped(Vec<u8>);

impl<'de> Deserialize<'de> for Unescaped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl Visitor<'_> for Bytes {
            type Value = Unescaped;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Unescaped, E> {
                Ok(Unescaped(bytes.to_vec()))
            }
        }

        deserializer.deserialize_bytes(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The text, written again from the parsed value.
    fn written(value: Value<'_>) -> serde_json::Value {
        match value {
            Value::Null => serde_json::Value::Null,
            Value::Scalar(text) => serde_json::from_slice(text).unwrap(),
            Value::Text(text) => text.read().into(),
            Value::Array(array) => array.items().map(written).collect(),
            Value::Object(object) => object
                .members()
                .map(|(key, value)| (key.read().into_owned(), written(value)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
            "[\\[\\]{}\",:\\\\ ]*".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::hash_map(any::<String>(), inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_json_is_read_as_it_is_written(value in json()) {
            for text in [value.to_string(), format!(" {value:#}\n")] {
                prop_assert_eq!(&written(Value::parse(text.as_bytes()).unwrap()), &value);
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[\\[\\]{}\",:\\\\ 0-9enul.-]{0,20}") {
            if let Ok(value) = Value::parse(text.as_bytes()) {
                written(value);
            }
        }
    }

    fn object(text: &[u8]) -> Object<'_> {
        Value::parse(text).unwrap().as_object().unwrap()
    }

    #[test]
    fn keys_match_as_go_folds_them() {
        for key in ["manifests", "Manifests", "MANIFESTS", "manifest\u{17F}", "m\\u0061nifests"] {
            let text = format!("{{\"{key}\": 1}}");
            assert_eq!(object(text.as_bytes()).given("manifests").count(), 1, "{key}");
        }
        assert_eq!(object(br#"{"manifest": 1, "manifestss": 1}"#).given("manifests").count(), 0);
    }

    #[test]
    fn text_that_is_not_unicode_is_read() {
        let (bytes, surrogate) = (b"{\"a\": \"x\xff\"}", br#"{"a": "x\ud800"}"#);
        for text in [&bytes[..], surrogate] {
            let read = object(text).text("a").unwrap();
            assert!(read.starts_with("x\u{FFFD}"), "{read}");
        }
    }

    #[test]
    fn deep_nesting_is_read() {
        let deep = format!(r#"{{"a":{}1{},"b":"x"}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(object(deep.as_bytes()).text("b").as_deref(), Some("x"));
    }
}
