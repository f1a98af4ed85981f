//! Ranges: of a download, as HTTP has them, and of a chunk, as registries do.

use http::{HeaderMap, header};
use storage_driver::ReadRange;

use crate::{
    error::{Code, Error, Result},
    store::Chunk,
};

/// What part of a download is asked for. `None` is the whole: where nothing is asked, where what is
/// asked is no single range, or is of other content than what `tag` names (`If-Range`).
pub(super) fn asked(headers: &HeaderMap, tag: &str) -> Option<ReadRange> {
    if headers.get(header::IF_RANGE).is_some_and(|it| it.as_bytes() != tag.as_bytes()) {
        return None;
    }
    let mut values = headers.get_all(header::RANGE).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    parse(value.to_str().ok()?)
}

/// `bytes=2-5`, `bytes=2-` or `bytes=-5`.
fn parse(text: &str) -> Option<ReadRange> {
    let (unit, range) = text.split_once('=')?;
    let (first, last) = range.trim().split_once('-')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    match (first, last) {
        ("", last) => Some(ReadRange::Last(number(last)?)),
        (first, "") => Some(ReadRange::From(number(first)?)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then(|| ReadRange::from(first..=last))
        }
    }
}

/// More digits than any content has bytes are as good as the most that there can be.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// The `Content-Range` of a chunk: `0-1023`, or, as HTTP would write it, `bytes 0-1023/*`.
pub(super) fn chunk(headers: &HeaderMap) -> Result<Option<Chunk>> {
    let mut values = headers.get_all(header::CONTENT_RANGE).iter();
    let wrong = || {
        let text = "Content-Range is the first and last offset of the chunk, with a dash between";
        Error::new(Code::BlobUploadInvalid, text)
    };
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.to_str().map_err(|_| wrong())?,
        _ => return Err(wrong()),
    };
    let range = value.strip_prefix("bytes ").unwrap_or(value);
    let range = range.split_once('/').map_or(range, |(range, _)| range);
    let parsed = range.split_once('-').and_then(|(first, last)| {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let (true, true) = (digits(first), digits(last)) else { return None };
        let (first, last) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
        Some(Chunk { first, end: last.checked_add(1)? })
    });
    parsed.filter(|chunk| chunk.first < chunk.end).map(Some).ok_or_else(wrong)
}
