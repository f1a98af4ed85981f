//! [`Record`]: the small file about an upload in progress from which it is resumed after a crash.
//!
//! A record is next to the upload's data. It begins with a header of text that never changes and ends with
//! its checksum. Two slots of one size follow. Each holds one state of the upload: how many bytes are kept, and
//! the note that belongs to exactly these bytes. One checksum covers both, so size and note are never
//! out of step. The slots are written alternately: a write that is cut off leaves the other slot intact,
//! and of two valid slots the one with the higher number counts.
//!
//! ```text
//! storage-driver upload 2
//! path /docker/registry/v2/repositories/a/_uploads/8f1c/data
//! started 1732381234123456789
//! base -
//! check 5d41402a
//! kept 00000000000000524288 written 01732381234123456789 number 00000000000000000006 note 0000 check 0a1b2c3d
//! …
//! kept 00000000000001048576 written 01732381234200000000 number 00000000000000000007 note 0005 check 7f83b165
//! bytes…
//! ```

use std::fmt::Write as _;

use bytes::Bytes;
use storage_driver::{Path, Version, Writer};

const TITLE: &str = "storage-driver upload 2";

/// The part of a record that never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) path: Path,
    /// Nanoseconds since 1970.
    pub(crate) started: i64,
    /// The version that an append started from.
    pub(crate) base: Option<Version>,
}

/// One kept state of an upload: data and note as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) size: u64,
    /// When data was written last, in nanoseconds since 1970.
    pub(crate) written: i64,
    /// The note that belongs to the first `size` bytes. Empty if there is none.
    pub(crate) note: Bytes,
}

/// A record as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) header: Header,
    pub(crate) kept: Kept,
    /// The number of the slot that holds `kept`. Even numbers are in the first slot, odd ones in the second.
    pub(crate) number: u64,
}

impl Header {
    pub(crate) fn to_text(&self) -> String {
        let mut text = format!(
            "{TITLE}\npath {}\nstarted {}\nbase {}\n",
            self.path,
            self.started,
            self.base.as_ref().map_or("-", Version::as_str),
        );
        let check = crc32fast::hash(text.as_bytes());
        // Writing to a string never fails.
        let _ = writeln!(text, "{CHECK}{check:08x}");
        text
    }

    /// Reads the header at the beginning of a record, and how long it is.
    fn parse(text: &[u8]) -> Option<(Self, usize)> {
        let checked = 1 + text.windows(CHECK.len() + 1).position(|at| at == b"\ncheck ")?;
        let end = checked + CHECK.len() + DIGITS + 1;
        let check = text.get(checked + CHECK.len()..end)?;
        let checked = checked_text(text.get(..checked)?, check)?;
        let mut lines = checked.lines();
        if lines.next()? != TITLE {
            return None;
        }
        let path = Path::parse(lines.next()?.strip_prefix("path ")?).ok()?;
        let started = lines.next()?.strip_prefix("started ")?.parse().ok()?;
        let base = lines.next()?.strip_prefix("base ")?;
        let base = (base != "-").then(|| Version::new(base));
        Some((Self { path, started, base }, end))
    }
}

const CHECK: &str = "check ";
/// The digits of a checksum.
const DIGITS: usize = 8;

/// `text`, if it is UTF-8 and `check` is its checksum with a newline.
fn checked_text<'a>(text: &'a [u8], check: &[u8]) -> Option<&'a str> {
    (parse_check(check)? == crc32fast::hash(text)).then(|| std::str::from_utf8(text).ok())?
}

fn parse_check(check: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(check).ok()?.strip_suffix('\n')?;
    u32::from_str_radix(digits, 16).ok()
}

impl Kept {
    /// The length of the line of a slot, in bytes.
    pub(crate) const LINE: usize = 108;
    /// The room that a slot takes in a record: its line, and the longest note.
    pub(crate) const SLOT: usize = Self::LINE + Writer::MAX_NOTE;

    /// What is written into the slot with this number: its line and the note.
    pub(crate) fn to_slot(&self, number: u64) -> [Bytes; 2] {
        let Self { size, written, note } = self;
        let length = note.len();
        let mut line =
            format!("kept {size:020} written {written:020} number {number:020} note {length:04} ");
        let check = checksum(line.as_bytes(), note);
        // Writing to a string never fails.
        let _ = writeln!(line, "{CHECK}{check:08x}");
        [line.into(), note.clone()]
    }

    /// Where the slot with this number begins in a record, after a header of this length.
    pub(crate) fn offset(header: usize, number: u64) -> u64 {
        header as u64 + number % 2 * Self::SLOT as u64
    }

    /// Reads a slot, and its number. `None` if its last write was not completed.
    fn parse(slot: &[u8]) -> Option<(u64, Self)> {
        let (line, rest) = slot.split_at_checked(Self::LINE)?;
        let (text, check) = line.split_at(Self::LINE - DIGITS - 1);
        let checked = text.strip_suffix(CHECK.as_bytes())?;
        let mut words = std::str::from_utf8(checked).ok()?.split_ascii_whitespace();
        let mut value = |name: &str| if words.next()? == name { words.next() } else { None };
        let size = value("kept")?.parse().ok()?;
        let written = value("written")?.parse().ok()?;
        let number = value("number")?.parse().ok()?;
        let length = value("note")?.parse().ok()?;
        let note = rest.get(..length)?;
        let is_whole = parse_check(check)? == checksum(checked, note);
        is_whole.then(|| (number, Self { size, written, note: Bytes::copy_from_slice(note) }))
    }
}

fn checksum(line: &[u8], note: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(line);
    hasher.update(note);
    hasher.finalize()
}

impl Record {
    /// The most bytes that a record has.
    pub(crate) const MOST: usize = Path::MAX_BYTES + 1024 + 2 * Kept::SLOT;

    /// Reads a record. `None` if it never was complete.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let (header, end) = Header::parse(text)?;
        let slots = text.get(end..)?;
        let second = slots.get(Kept::SLOT..).unwrap_or_default();
        let valid = [(0, slots), (1, second)].into_iter().filter_map(|(slot, bytes)| {
            // After a cut-off write, a slot may hold any earlier content of the disk.
            Kept::parse(bytes).filter(|(number, _)| number % 2 == slot)
        });
        let (number, kept) = valid.max_by_key(|(number, _)| *number)?;
        Some(Self { header, kept, number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let path = Path::parse("/a/b").unwrap();
        Header { path, started: 5, base: Some(Version::new("v1")) }
    }

    fn kept(size: u64, written: i64, note: &'static str) -> Kept {
        Kept { size, written, note: note.into() }
    }

    /// A record with these states, written one after the other.
    fn text(states: &[Kept]) -> Vec<u8> {
        let header = header().to_text();
        let mut text = header.clone().into_bytes();
        for (number, kept) in states.iter().enumerate() {
            let offset = Kept::offset(header.len(), number as u64) as usize;
            for (at, byte) in (offset..).zip(kept.to_slot(number as u64).concat()) {
                text.resize(text.len().max(at + 1), 0);
                text[at] = byte;
            }
        }
        text
    }

    #[test]
    fn a_record_reads_as_it_was_written() {
        let state = kept(7, 9, "a note");
        let record = Record::parse(&text(std::slice::from_ref(&state))).unwrap();
        assert_eq!(record, Record { header: header(), kept: state, number: 0 });
    }

    #[test]
    fn the_slot_that_was_written_last_counts() {
        // Even if the size, the time or the note went back.
        let states = [kept(7, 9, "x"), kept(7, 9, ""), kept(7, 9, "longer"), kept(6, 8, "y")];
        for count in 1..=states.len() {
            let record = Record::parse(&text(&states[..count])).unwrap();
            let last = count - 1;
            assert_eq!((record.kept, record.number), (states[last].clone(), last as u64));
        }
    }

    #[test]
    fn a_line_has_a_fixed_length() {
        for state in [kept(0, 0, ""), kept(u64::MAX, i64::MAX, "note"), kept(1, i64::MIN, "")] {
            for number in [0, u64::MAX] {
                assert_eq!(state.to_slot(number)[0].len(), Kept::LINE);
            }
        }
    }

    #[test]
    fn a_slot_holds_the_longest_note_of_any_bytes() {
        let note: Vec<u8> = (0..Writer::MAX_NOTE).map(|at| at as u8).collect();
        let states = [0, 1].map(|size| Kept { size, written: 3, note: note.clone().into() });
        let text = text(&states);
        assert!(text.len() <= Record::MOST);
        assert_eq!(Record::parse(&text).unwrap().kept, states[1]);
    }

    #[test]
    fn a_write_that_was_cut_off_anywhere_leaves_the_other_slot() {
        let states = [kept(7, 9, "seven"), kept(8, 10, "eight"), kept(9, 11, "nine is long")];
        let (before, after) = (text(&states[..2]), text(&states));
        let start = Kept::offset(header().to_text().len(), 2) as usize;
        let length = states[2].to_slot(2).concat().len();
        for written in 0..length {
            let mut torn = before.clone();
            torn[start..start + written].copy_from_slice(&after[start..start + written]);
            assert_eq!(Record::parse(&torn).unwrap().kept, states[1], "{written}");
            // The end of the write may reach the disk before its beginning.
            let mut torn = before.clone();
            let end = start + written + 1..start + length;
            torn[end.clone()].copy_from_slice(&after[end]);
            if torn == after {
                continue;
            }
            assert_eq!(Record::parse(&torn).unwrap().kept, states[1], "{written}");
        }
        for end in header().to_text().len() + Kept::SLOT..before.len() {
            assert_eq!(Record::parse(&before[..end]).unwrap().kept, states[0], "{end}");
        }
    }

    #[test]
    fn a_note_that_was_changed_anywhere_is_not_found() {
        let states = [kept(7, 9, "seven"), kept(8, 10, "eight")];
        let whole = text(&states);
        for at in whole.len() - "eight".len()..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert_eq!(Record::parse(&changed).unwrap().kept, states[0], "{at}");
        }
    }

    #[test]
    fn a_header_that_was_cut_off_or_changed_anywhere_is_no_record() {
        let whole = text(&[kept(7, 9, "")]);
        for end in 0..whole.len() {
            assert_eq!(Record::parse(&whole[..end]), None, "{end}");
        }
        for at in 0..header().to_text().len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert_eq!(Record::parse(&changed), None, "{at}");
        }
    }

    #[test]
    fn the_longest_record_is_within_its_bound() {
        let path = Path::parse("/a".repeat(Path::MAX_BYTES / 2)).unwrap();
        let base = Some(Version::new("f".repeat(60)));
        let text = Header { path, started: i64::MIN, base }.to_text();
        assert!(text.len() + 2 * Kept::SLOT <= Record::MOST);
    }
}
