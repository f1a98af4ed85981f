//! Ranges of downloads by RFC 9110, and ranges of chunks by the specification of registries.

use std::ops::Range;

use http::{HeaderMap, header};
use storage_driver::ReadRange;

use super::{
    byteranges::ByteRanges,
    error::{Code, Error, Result},
};
use crate::store::Chunk;

/// The largest number of ranges of one request. The response to more is the whole blob.
///
/// Clients that pull parts of a layer, such as podman, ask for up to 1,024.
const MAX_RANGES: usize = 1024;

/// A parsed `Range` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Requested {
    /// The whole: there is no range, or it is ignored.
    Whole,
    /// Parts. Empty if the header is malformed: such a request cannot be satisfied.
    Ranges(Vec<ReadRange>),
}

/// The part of a blob that is sent.
pub(super) enum Selection {
    Whole,
    Part(Range<u64>),
    /// Two or more, in the order of the request.
    Parts(ByteRanges),
    Unsatisfiable,
}

/// Parses the `Range` header of a request (RFC 9110, section 14.2). It is ignored if its unit is not
/// bytes, if it has more than [`MAX_RANGES`] ranges, or if `If-Range` does not match `tag`.
pub(super) fn requested(headers: &HeaderMap, tag: &str) -> Requested {
    let mut lines = headers.get_all(header::RANGE).iter();
    let Some(value) = lines.next() else { return Requested::Whole };
    let mut names_other = headers.get_all(header::IF_RANGE).iter();
    if names_other.any(|it| it.as_bytes() != tag.as_bytes()) {
        return Requested::Whole;
    }
    // The header is no list: two lines of it are malformed.
    let value = if lines.next().is_none() { value.to_str().unwrap_or_default() } else { "bytes=" };
    match value.split_once('=') {
        Some((unit, ranges)) if unit.trim().eq_ignore_ascii_case("bytes") => {
            let ranges = ranges.split(',').map(str::trim).filter(|range| !range.is_empty());
            match ranges.clone().nth(MAX_RANGES) {
                Some(_) => Requested::Whole,
                None => {
                    Requested::Ranges(ranges.map(parse).collect::<Option<_>>().unwrap_or_default())
                }
            }
        }
        _ => Requested::Whole,
    }
}

/// `2-5`, `2-` or `-5`.
fn parse(range: &str) -> Option<ReadRange> {
    match range.split_once('-')? {
        ("", last) => Some(ReadRange::Suffix(number(last)?)),
        (first, "") => Some(ReadRange::Offset(number(first)?)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then(|| ReadRange::from(first..=last))
        }
    }
}

/// Resolves `ranges` of a blob of `size` bytes.
///
/// Ranges that overlap are merged, in the place of the first of them, so that no byte is sent twice.
/// Adjacent ranges are not: podman expects one part for each range that it requests. The whole blob is sent
/// instead if the ranges together have more bytes than the blob, or if their parts do, with the header of each.
pub(super) fn select(ranges: &[ReadRange], size: u64) -> Selection {
    let satisfiable = ranges.iter().filter_map(|range| range.resolve(size).ok());
    let mut ranges: Vec<(usize, Range<u64>)> =
        satisfiable.filter(|range| !range.is_empty()).enumerate().collect();
    let asked =
        ranges.iter().fold(0_u64, |sum, (_, range)| sum.saturating_add(range.end - range.start));
    if asked > size {
        return Selection::Whole;
    }
    ranges.sort_unstable_by_key(|(place, range)| (range.start, *place));
    ranges.dedup_by(|(place, range), (first_place, merged)| {
        let overlaps = range.start < merged.end;
        if overlaps {
            merged.end = merged.end.max(range.end);
            *first_place = (*first_place).min(*place);
        }
        overlaps
    });
    ranges.sort_unstable_by_key(|(place, _)| *place);
    let mut ranges: Vec<Range<u64>> = ranges.into_iter().map(|(_, range)| range).collect();
    match (ranges.pop(), ranges.is_empty()) {
        (None, _) => Selection::Unsatisfiable,
        (Some(one), true) => Selection::Part(one),
        (Some(last), false) => {
            ranges.push(last);
            let parts = ByteRanges::new(size, ranges);
            if parts.length() > size { Selection::Whole } else { Selection::Parts(parts) }
        }
    }
}

/// A number that is too large counts as the largest.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// The `Content-Range` of a chunk: `0-1023`, or, as HTTP would write it, `bytes 0-1023/*`.
pub(super) fn chunk(headers: &HeaderMap) -> Result<Option<Chunk>> {
    let mut values = headers.get_all(header::CONTENT_RANGE).iter();
    let wrong = || {
        let text =
            "Content-Range is not the first and the last offset of the chunk, separated by a dash";
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
