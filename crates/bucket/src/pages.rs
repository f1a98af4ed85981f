//! [`Pages`]: the pages of a flat listing in order. Of a long listing, several are read at once.
//!
//! The pages of a listing form a chain: a request for a page has the token of the page before it. A listing that has
//! several pages is therefore divided into ranges, each with its own chain. One request lists the directories that follow
//! the one whose keys are being listed; they are where ranges can begin.
//!
//! A range begins behind a cut, `dir/name`, where the name has only letters, digits and `_`. Servers that order keys by
//! bytes and servers that order them by components agree on which keys of the directory are behind a cut: those below
//! `name/` are, as are `name-x` and `name.x`, and those of `nam` are not. So the keys of all ranges are those of the
//! undivided listing, in the same order. A server that ignores offsets is recognized by the list of directories, and its listing
//! is not divided.

use std::{collections::VecDeque, sync::Arc};

use storage_driver::{ErrorKind, Result};
use tokio::task::JoinSet;

use crate::{
    backend::Backend,
    objects::{Item, Items, Listing},
};

/// How many pages are read at once.
const AT_ONCE: usize = 4;
/// How many pages of a divided listing are held or under way: eight that wait for those before them, and four more.
const AHEAD: usize = 12;
/// A listing is divided after so many pages.
const PATIENCE: usize = 4;
/// The most pages of a range, as far as they can be foreseen. The end of its last page is read in vain.
const RANGE: usize = 7;
/// A request for the directories pays if each of them has so many keys.
const KEYS: usize = 32;

/// The pages of a flat listing.
pub(crate) struct Pages {
    listing: Listing,
    /// Whether the listing may be divided.
    divides: bool,
    /// The ranges that have been begun, in order. Only the last one can be divided.
    ranges: VecDeque<Range>,
    /// Where the next ranges begin.
    cuts: Option<Cuts>,
    /// What the last range has listed.
    run: Run,
    /// Requests under way: those for a page have the number of its range, others are for cuts.
    requests: JoinSet<(Option<usize>, Result<Items>)>,
    /// How many ranges there were.
    count: usize,
}

impl Pages {
    pub(crate) fn new(listing: Listing, divides: bool) -> Self {
        let mut pages = Self {
            listing: listing.clone(),
            divides,
            ranges: VecDeque::new(),
            cuts: None,
            run: Run::default(),
            requests: JoinSet::new(),
            count: 0,
        };
        pages.push(listing, None, 0);
        pages
    }

    /// Continues behind `offset`, with whatever page comes next there.
    pub(crate) fn skip_to(&mut self, offset: String) {
        let listing = Listing { offset: Some(offset), ..self.listing.clone() };
        *self = Self::new(listing, self.divides);
    }

    /// Whether it is known that no page follows.
    pub(crate) fn is_ended(&self) -> bool {
        self.ranges.is_empty() && self.cuts.is_none()
    }

    /// The next page; `None` at the end. Those that follow it are read while it is used.
    ///
    /// # Cancel safety
    ///
    /// No page is lost if the future is dropped.
    pub(crate) async fn next(&mut self, backend: &Arc<Backend>) -> Result<Option<Vec<Item>>> {
        loop {
            while let Some(response) = self.requests.try_join_next() {
                self.receive(response)?;
            }
            self.request(backend);
            if self.is_ended() {
                return Ok(None);
            }
            if let Some(page) = self.ranges.front_mut().and_then(|first| first.pages.pop_front()) {
                self.request(backend);
                return page.map(Some);
            }
            let response = self.requests.join_next().await;
            self.receive(response.ok_or(ErrorKind::Unavailable)?)?;
        }
    }

    fn push(&mut self, listing: Listing, end: Option<String>, parts: usize) {
        let (number, pages) = (self.count, VecDeque::new());
        self.count += 1;
        self.ranges.push_back(Range {
            number,
            chain: Chain::new(listing),
            end,
            pages,
            keys: 0,
            parts,
        });
    }

    /// Sends as many requests as may be under way.
    fn request(&mut self, backend: &Arc<Backend>) {
        loop {
            while self.ranges.front().is_some_and(Range::is_used_up) {
                self.ranges.pop_front();
            }
            if self.requests.len() >= AT_ONCE {
                return;
            }
            let Some((range, listing, token)) = self.next_request() else { return };
            let backend = Arc::clone(backend);
            self.requests
                .spawn(async move { (range, backend.objects.list(&listing, token).await) });
        }
    }

    /// The request that is needed first.
    fn next_request(&mut self) -> Option<(Option<usize>, Listing, Option<String>)> {
        loop {
            let ahead: usize = self.ranges.iter().map(Range::ahead).sum();
            let divided = self.ranges.len() > 1 || self.cuts.as_ref().is_some_and(Cuts::is_found);
            let most = if divided { AHEAD } else { 1 };
            for (at, range) in self.ranges.iter_mut().enumerate() {
                // One place is left for the first range, which all others wait for.
                if ahead + usize::from(at > 0) < most
                    && let Some((listing, token)) = range.chain.next()
                {
                    return Some((Some(range.number), listing, token));
                }
            }
            if self.cuts.is_none() && self.divides && self.run.pages >= self.run.patience {
                self.cuts = self.run.cuts(&self.listing);
                if self.cuts.is_none() {
                    self.run.renew();
                }
            }
            let cuts = self.cuts.as_mut()?;
            if !cuts.suffice()
                && let Some((listing, token)) = cuts.chain.next()
            {
                return Some((None, listing, token));
            }
            if ahead + 1 >= most || !cuts.is_found() || !cuts.suffice() {
                return None;
            }
            self.begin_range();
        }
    }

    /// Begins the next range, and behind the last cut also the rest of the listing.
    fn begin_range(&mut self) {
        let Some(cuts) = &mut self.cuts else { return };
        let parts = cuts.group().min(cuts.found.len());
        let Some(start) = cuts.found.drain(..parts).next() else { return };
        let end = cuts.found.front().cloned();
        let dir = cuts.dir().to_owned();
        let listing = Listing { prefix: dir.clone(), offset: Some(start), ..self.listing.clone() };
        let is_last = end.is_none();
        self.push(listing, end, parts);
        if is_last {
            self.cuts = None;
            self.run = Run::default();
            if dir != self.listing.prefix {
                // `~` is behind everything below it.
                let offset = Some(format!("{dir}~"));
                self.push(Listing { offset, ..self.listing.clone() }, None, 0);
            }
        }
    }

    /// Takes a response.
    fn receive(
        &mut self,
        response: std::result::Result<(Option<usize>, Result<Items>), tokio::task::JoinError>,
    ) -> Result<()> {
        // A task that was cut off by the end of its runtime.
        let (number, page) = response.map_err(|_| ErrorKind::Unavailable)?;
        let Some(number) = number else {
            self.receive_cuts(page);
            return Ok(());
        };
        let at = self.ranges.iter().position(|range| range.number == number);
        let Some(at) = at else { return Ok(()) };
        let is_last = at + 1 == self.ranges.len();
        let range = &mut self.ranges[at];
        range.receive(page);
        let is_ended = range.chain.is_ended();
        match (&range.end, &mut self.cuts) {
            (Some(_), Some(cuts)) if is_ended && *cuts.dir() == range.chain.listing.prefix => {
                cuts.keys += range.keys;
                cuts.parts += range.parts;
            }
            // Nothing is left to be divided.
            (None, _) if is_last && is_ended => {
                self.cuts = None;
                self.run = Run::default();
            }
            (None, _) if is_last => {
                if let Some(Ok(items)) = range.pages.back() {
                    self.run.add(items);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes a page of directories. If they are the first, the last range ends where the next one begins.
    fn receive_cuts(&mut self, page: Result<Items>) {
        let Some(cuts) = &mut self.cuts else { return };
        let page = page.unwrap_or_else(|error| {
            tracing::debug!(%error, dir = cuts.dir(), "a listing is not divided");
            Items { items: Vec::new(), token: None }
        });
        cuts.chain.move_to(page.token);
        if cuts.is_found() {
            cuts.add(&page.items, &self.run.last);
            return;
        }
        // A server that ignores the offset, or begins earlier, lists the directory that was listed last, or one before it.
        self.divides = page.items.iter().all(|item| item.key > cuts.listed);
        if self.divides && self.run.last.starts_with(cuts.dir()) {
            cuts.add(&page.items, &self.run.last);
        }
        let parts = cuts.group();
        match self.ranges.back_mut() {
            Some(last) if cuts.found.len() > parts => {
                cuts.found.drain(..parts);
                last.end = cuts.found.front().cloned();
            }
            _ => {
                self.cuts = None;
                self.run.renew();
            }
        }
    }
}

/// A listing, and how far it has been read.
struct Chain {
    listing: Listing,
    place: Place,
}

enum Place {
    /// Before a page, the first one or that of a token.
    Before(Option<String>),
    Reading,
    End,
}

impl Chain {
    fn new(listing: Listing) -> Self {
        Self { listing, place: Place::Before(None) }
    }

    /// The request for the next page, unless it is under way.
    fn next(&mut self) -> Option<(Listing, Option<String>)> {
        let Place::Before(token) = &mut self.place else { return None };
        let token = token.take();
        self.place = Place::Reading;
        Some((self.listing.clone(), token))
    }

    /// Moves to the page of a token; without one, to the end.
    fn move_to(&mut self, token: Option<String>) {
        self.place = token.map_or(Place::End, |token| Place::Before(Some(token)));
    }

    fn is_ended(&self) -> bool {
        matches!(self.place, Place::End)
    }
}

/// A part of the keys of the listing, without a gap between it and the next one.
struct Range {
    number: usize,
    chain: Chain,
    /// The cut that it ends with. Otherwise it ends with its listing.
    end: Option<String>,
    /// Pages that were not taken yet.
    pages: VecDeque<Result<Vec<Item>>>,
    /// How many keys it has.
    keys: usize,
    /// How many cuts it has.
    parts: usize,
}

impl Range {
    fn is_used_up(&self) -> bool {
        self.chain.is_ended() && self.pages.is_empty()
    }

    /// How many pages it holds or is reading.
    fn ahead(&self) -> usize {
        self.pages.len() + usize::from(matches!(self.chain.place, Place::Reading))
    }

    fn receive(&mut self, page: Result<Items>) {
        let page = page.map(|Items { mut items, token }| {
            self.chain.move_to(token);
            if let Some(end) = &self.end {
                let dir = &end[..end.rfind('/').map_or(0, |slash| slash + 1)];
                let is_behind = |key: &str| key > end.as_str() || !key.starts_with(dir);
                if let Some(first) = items.iter().position(|item| is_behind(&item.key)) {
                    items.truncate(first);
                    self.chain.move_to(None);
                }
            }
            self.keys += items.len();
            items
        });
        if page.is_err() {
            self.chain.move_to(None);
        }
        self.pages.push_back(page);
    }
}

/// The keys of a directory where ranges can begin.
struct Cuts {
    /// The listing of the directories.
    chain: Chain,
    /// The child of the directory whose keys were being listed.
    listed: String,
    /// The cuts behind all ranges that have been begun.
    found: VecDeque<String>,
    /// So many keys were between so many cuts.
    keys: usize,
    parts: usize,
    /// How many keys a page has.
    page: usize,
}

impl Cuts {
    /// The directory: empty, or with a slash at its end.
    fn dir(&self) -> &str {
        &self.chain.listing.prefix
    }

    /// Whether the listing is divided. From then on there is a cut left, until the directory ends.
    fn is_found(&self) -> bool {
        !self.found.is_empty()
    }

    /// Whether the end of the next range is known.
    fn suffice(&self) -> bool {
        self.found.len() > self.group() || self.chain.is_ended()
    }

    /// Adds a cut for each directory whose name does not begin with that of the one before.
    fn add(&mut self, items: &[Item], last: &str) {
        for item in items.iter().filter(|item| item.size.is_none()) {
            let Some(name) = item.key.strip_prefix(self.dir()) else { continue };
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            let length = name.bytes().take_while(|byte| is_plain(*byte)).count();
            let cut = &item.key[..self.dir().len() + length];
            if length > 0 && cut > self.found.back().map_or(last, String::as_str) {
                self.found.push_back(cut.to_owned());
            }
        }
    }

    /// How many cuts the next range has: up to [`RANGE`] pages, the last of which is full, as far as that can be foreseen.
    fn group(&self) -> usize {
        let part = (self.keys / self.parts).max(1);
        let most = (RANGE * self.page / part).max(1);
        let requests = |keys: usize| (keys + self.page / 8).div_ceil(self.page);
        let waste = |parts: &usize| requests(parts * part) * self.page * 1000 / (parts * part);
        (most.div_ceil(2)..=most).min_by_key(waste).unwrap_or(1)
    }
}

/// What the pages of one range have listed.
struct Run {
    keys: usize,
    pages: usize,
    /// The key that was listed last.
    last: String,
    /// By a number of slashes: how often a key had so many in common with the one before it, and how many keys were
    /// before the last of these.
    changes: Vec<(usize, usize)>,
    /// After so many pages the range is divided.
    patience: usize,
}

impl Default for Run {
    fn default() -> Self {
        let (last, changes) = (String::new(), Vec::new());
        Self { keys: 0, pages: 0, last, changes, patience: PATIENCE }
    }
}

impl Run {
    fn add(&mut self, items: &[Item]) {
        let mut last = self.last.as_str();
        for item in items {
            if !last.is_empty() {
                let common = last.bytes().zip(item.key.bytes()).take_while(|(a, b)| a == b);
                let depth = common.filter(|(byte, _)| *byte == b'/').count();
                if self.changes.len() <= depth {
                    self.changes.resize(depth + 1, (0, 0));
                }
                self.changes[depth] = (self.changes[depth].0 + 1, self.keys);
            }
            last = &item.key;
            self.keys += 1;
        }
        self.last = last.to_owned();
        self.pages += 1;
    }

    /// Begins a run that is twice as long, because the keys of this one did not show where to divide the range.
    fn renew(&mut self) {
        *self = Self {
            last: std::mem::take(&mut self.last),
            patience: 2 * self.pages,
            ..Self::default()
        };
    }

    /// Where cuts are looked for: in the innermost directory that has all keys of the run, or, if its children have few keys
    /// each, in the one above it.
    fn cuts(&self, listing: &Listing) -> Option<Cuts> {
        let depth = self.changes.iter().position(|(count, _)| *count > 0)?;
        // The last child is left out, which may have more keys.
        let (parts, keys) = self.changes[depth];
        let (depth, parts, keys) = match keys / parts < KEYS {
            true => (depth.checked_sub(1)?, 1, self.keys),
            false => (depth, parts, keys),
        };
        // The ends of the directories on the way to the last key.
        let mut ends = self.last.match_indices('/').map(|(slash, _)| slash + 1);
        let start = if depth == 0 { 0 } else { ends.nth(depth - 1)? };
        if start < listing.prefix.len() {
            return None;
        }
        let end = ends.next().map_or(self.last.len(), |end| end - 1);
        let listed = self.last[..end].to_owned();
        let listing = Listing {
            prefix: self.last[..start].to_owned(),
            // `~` is behind everything below it.
            offset: Some(format!("{listed}/~")),
            by_directory: true,
            limit: None,
        };
        let page = (self.keys / self.pages).max(1);
        let chain = Chain::new(listing);
        Some(Cuts { chain, listed, found: VecDeque::new(), keys, parts, page })
    }
}
