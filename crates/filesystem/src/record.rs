//! [`Record`]: what is written down of an upload in progress, so that it can be resumed after a
//! crash.
//!
//! A record is a small text file beside the upload's data: lines that never change, which end with
//! their checksum, and two lines of one length that say how much is kept. They are written in turns, so
//! that a write that is cut off leaves the other.
//!
//! ```text
//! storage-driver upload 1
//! path /docker/registry/v2/repositories/a/_uploads/8f1c/data
//! started 1732381234123456789
//! base -
//! check 5d41402a
//! kept 00000000000001048576 written 01732381234200000000 check 7f83b165
//! kept 00000000000000524288 written 01732381234123456789 check 0a1b2c3d
//! ```

use std::fmt::Write as _;

use storage_driver::{Path, Version};

const TITLE: &str = "storage-driver upload 1";

/// What never changes of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) path: Path,
    /// Nanoseconds since 1970.
    pub(crate) started: i64,
    /// The version that an append started from.
    pub(crate) base: Option<Version>,
}

/// How far an upload is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) size: u64,
    /// When data was written last, in nanoseconds since 1970.
    pub(crate) written: i64,
}

/// A record as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) header: Header,
    pub(crate) kept: Kept,
    /// Which of the two lines says so.
    pub(crate) turn: u64,
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
        let _ = writeln!(text, "check {check:08x}");
        text
    }

    fn parse(text: &str) -> Option<Self> {
        let (checked, check) = text.rsplit_once("check ")?;
        if u32::from_str_radix(check.trim_end(), 16).ok()? != crc32fast::hash(checked.as_bytes()) {
            return None;
        }
        let mut lines = checked.lines();
        if lines.next()? != TITLE {
            return None;
        }
        let path = Path::parse(lines.next()?.strip_prefix("path ")?).ok()?;
        let started = lines.next()?.strip_prefix("started ")?.parse().ok()?;
        let base = lines.next()?.strip_prefix("base ")?;
        let base = (base != "-").then(|| Version::new(base));
        Some(Self { path, started, base })
    }
}

impl Kept {
    /// The length of a line, in bytes.
    pub(crate) const LINE: usize = 70;

    pub(crate) fn to_line(self) -> String {
        let text = format!("kept {:020} written {:020} ", self.size, self.written);
        let check = crc32fast::hash(text.as_bytes());
        format!("{text}check {check:08x}\n")
    }

    fn parse(line: &str) -> Option<Self> {
        let (checked, check) = line.split_once("check ")?;
        if u32::from_str_radix(check, 16).ok()? != crc32fast::hash(checked.as_bytes()) {
            return None;
        }
        let (size, written) = checked.strip_prefix("kept ")?.trim_end().split_once(" written ")?;
        Some(Self { size: size.parse().ok()?, written: written.parse().ok()? })
    }
}

impl Record {
    /// The most bytes that a record has.
    pub(crate) const MOST: usize = Path::MAX_BYTES + 1024;

    /// Reads a record. `None` if it never was complete.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        // What was cut off in the middle of a write may hold anything.
        let text = String::from_utf8_lossy(text);
        let end = text.find("\nkept ")? + 1;
        let (header, rest) = text.split_at(end);
        let header = Header::parse(header)?;
        let line = |turn: u64| {
            let start = turn as usize * Kept::LINE;
            let line = rest.get(start..start + Kept::LINE)?.strip_suffix('\n')?;
            Kept::parse(line).map(|kept| (kept, turn))
        };
        let lines = [line(0), line(1)].into_iter().flatten();
        let (kept, turn) = lines.max_by_key(|(kept, _)| (kept.written, kept.size))?;
        Some(Self { header, kept, turn })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let path = Path::parse("/a/b").unwrap();
        Header { path, started: 5, base: Some(Version::new("v1")) }
    }

    fn kept(size: u64, written: i64) -> Kept {
        Kept { size, written }
    }

    fn text(lines: &[Kept]) -> String {
        lines.iter().fold(header().to_text(), |text, line| text + &line.to_line())
    }

    #[test]
    fn a_record_says_what_was_written_down() {
        let record = Record::parse(text(&[kept(7, 9)]).as_bytes()).unwrap();
        assert_eq!(record, Record { header: header(), kept: kept(7, 9), turn: 0 });
    }

    #[test]
    fn of_its_two_lines_the_later_counts() {
        let record = Record::parse(text(&[kept(7, 9), kept(8, 10)]).as_bytes()).unwrap();
        assert_eq!((record.kept, record.turn), (kept(8, 10), 1));
        let record = Record::parse(text(&[kept(9, 11), kept(8, 10)]).as_bytes()).unwrap();
        assert_eq!((record.kept, record.turn), (kept(9, 11), 0));
    }

    #[test]
    fn a_line_has_its_length() {
        for line in [kept(0, 0), kept(u64::MAX, i64::MAX), kept(1, -1)] {
            assert_eq!(line.to_line().len(), Kept::LINE);
        }
    }

    #[test]
    fn a_write_that_was_cut_off_anywhere_leaves_the_other_line() {
        let (whole, first) = (text(&[kept(7, 9), kept(8, 10)]), text(&[kept(7, 9)]).len());
        for end in first..whole.len() {
            assert_eq!(Record::parse(&whole.as_bytes()[..end]).unwrap().kept, kept(7, 9));
        }
    }

    #[test]
    fn a_header_that_was_cut_off_or_changed_anywhere_is_no_record() {
        let whole = text(&[kept(7, 9)]);
        for end in 0..whole.len() {
            assert_eq!(Record::parse(&whole.as_bytes()[..end]), None, "{end}");
        }
        for at in 0..header().to_text().len() {
            let mut changed = whole.clone().into_bytes();
            changed[at] ^= 1;
            assert_eq!(Record::parse(&changed), None, "{at}");
        }
    }

    #[test]
    fn the_longest_record_is_within_its_bound() {
        let path = Path::parse("/a".repeat(Path::MAX_BYTES / 2)).unwrap();
        let base = Some(Version::new("f".repeat(60)));
        let text = Header { path, started: i64::MIN, base }.to_text();
        assert!(text.len() + 2 * Kept::LINE <= Record::MOST);
    }
}
