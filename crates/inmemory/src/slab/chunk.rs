//! [`Chunk`]: memory that is cut into slots of one size.

use std::{
    cell::UnsafeCell,
    ptr::{self, NonNull},
    sync::Arc,
};

use super::memory::{CHUNK, Memory, PAGE};
use crate::budget::Budget;

/// How much is populated at once: less than 50 µs of work.
const PIECE: usize = 64 << 10;
/// Words with a bit for each page.
const WORDS: usize = CHUNK / PAGE / 64;
/// Where the slots begin.
const FIRST: usize = size_of::<Header>().next_multiple_of(16);

/// A chunk, whose [`Header`] is at its beginning, so that it is found from the address of any slot.
///
/// It is a reference to mapped memory: a chunk with a used slot is mapped, and so are those that a
/// [`Slabs`](super::Slabs) keeps in its lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Chunk(NonNull<Header>);

// SAFETY: what it refers to is `Send`, and only changed with a `Token`.
#[expect(unsafe_code, reason = "a pointer to what is protected by a lock")]
unsafe impl Send for Chunk {}

#[derive(Debug)]
struct Header {
    /// The budget that the chunk belongs to for all its life. While a slot is in use, `State::budget` keeps it alive.
    budget: *const Budget,
    state: UnsafeCell<State>,
}

/// There is one in each [`Slabs`](super::Slabs), behind its lock: who borrows it mutably may change any one of its
/// chunks.
#[derive(Debug)]
pub(super) struct Token(());

impl Token {
    /// For a new `Slabs`.
    pub(super) fn new() -> Self {
        Self(())
    }
}

/// The state of a chunk.
#[derive(Debug)]
pub(super) struct State {
    memory: Memory,
    /// The budget whose slabs the chunk belongs to, while a slot is in use.
    budget: Option<Arc<Budget>>,
    /// The bytes of a slot.
    size: usize,
    /// How many slots there are, and are in use.
    count: usize,
    used: usize,
    /// Slots from this one on have never been used.
    fresh: usize,
    /// A bit for each slot before `fresh`: whether it is free.
    free: Vec<u64>,
    /// There is no free slot in the words before this one.
    first: usize,
    /// Pages before this byte were provided by the system, unless they were given back since.
    touched: usize,
    given_back: [u64; WORDS],
}

#[expect(unsafe_code, reason = "the header is found from the address of a slot")]
impl Chunk {
    /// A chunk without slots.
    pub(super) fn new(budget: &Arc<Budget>) -> Self {
        let memory = Memory::new();
        let at = memory.start().cast::<Header>();
        let state = State {
            memory,
            budget: None,
            size: 0,
            count: 0,
            used: 0,
            fresh: 0,
            free: Vec::new(),
            first: 0,
            touched: PAGE,
            given_back: [0; WORDS],
        };
        let header = Header { budget: Arc::as_ptr(budget), state: UnsafeCell::new(state) };
        // SAFETY: the memory is `CHUNK` bytes, aligned, and has no other user.
        unsafe { at.write(header) };
        Self(at)
    }

    /// The chunk of a slot.
    pub(super) fn of(slot: NonNull<u8>) -> Self {
        let start = slot.as_ptr().map_addr(|address| address & !(CHUNK - 1));
        // A slot is never at the beginning of its chunk, nor is that address zero.
        Self(NonNull::new(start.cast()).unwrap_or(NonNull::dangling()))
    }

    /// The budget that the chunk belongs to.
    ///
    /// # Safety
    ///
    /// For `'a`, a slot of the chunk is in use.
    pub(super) unsafe fn budget<'a>(self) -> &'a Budget {
        // SAFETY: the chunk is mapped and keeps its budget alive while a slot is in use. The field is never
        // changed.
        unsafe { &*(*self.0.as_ptr()).budget }
    }

    /// Another reference to the budget.
    ///
    /// # Safety
    ///
    /// A slot of the chunk is in use.
    pub(super) unsafe fn budget_arc(self) -> Arc<Budget> {
        // SAFETY: the pointer is of an `Arc` that the chunk holds while a slot is in use.
        unsafe {
            let budget = (*self.0.as_ptr()).budget;
            Arc::increment_strong_count(budget);
            Arc::from_raw(budget)
        }
    }

    /// The state of the chunk, which must be one of the `Slabs` of this token.
    pub(super) fn state(self, _token: &mut Token) -> &mut State {
        // SAFETY: the chunk is mapped, as it is in a list or has a used slot. The token of its slabs is borrowed
        // mutably for as long as the state is, so that there is no other reference to it.
        unsafe { &mut *(*self.0.as_ptr()).state.get() }
    }

    /// Gives its memory back to the system.
    ///
    /// # Safety
    ///
    /// No slot is in use, and the chunk is in no list.
    pub(super) unsafe fn unmap(self) {
        // SAFETY: the caller has the only copy of the chunk. The state is moved out, and its drop unmaps the memory that it was in.
        drop(unsafe { ptr::read((*self.0.as_ptr()).state.get()) });
    }
}

impl State {
    /// Cuts it into slots of `size` bytes. No slot is in use.
    pub(super) fn begin(&mut self, size: usize, budget: &Arc<Budget>) {
        self.budget = Some(Arc::clone(budget));
        (self.size, self.count) = (size, (CHUNK - FIRST) / size);
        (self.used, self.fresh, self.first) = (0, 0, 0);
        self.free.clear();
    }

    /// Ends the use as slots of this size; returns the reference to the budget.
    pub(super) fn end(&mut self) -> Option<Arc<Budget>> {
        self.budget.take()
    }

    pub(super) fn is_full(&self) -> bool {
        self.used == self.count
    }

    pub(super) fn is_empty(&self) -> bool {
        self.used == 0
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// How many slots were used and are free.
    pub(super) fn holes(&self) -> usize {
        self.fresh - self.used
    }

    /// Bytes of the pages that the system has provided.
    pub(super) fn backed(&self) -> usize {
        let given_back: u32 = self.given_back.iter().map(|word| word.count_ones()).sum();
        self.touched - given_back as usize * PAGE
    }

    /// Takes a slot; there is one. A slot that was used before comes first: its pages are there, and warm.
    #[expect(unsafe_code, reason = "the address of a slot")]
    pub(super) fn take(&mut self) -> NonNull<u8> {
        let index = match self.holes() {
            0 => {
                if self.fresh.is_multiple_of(64) {
                    self.free.push(0);
                }
                self.fresh += 1;
                self.fresh - 1
            }
            _ => self.take_hole(),
        };
        self.used += 1;
        let start = FIRST + index * self.size;
        self.touch(start, start + self.size);
        // SAFETY: the slot is inside of the chunk.
        unsafe { self.memory.start().add(start) }
    }

    fn take_hole(&mut self) -> usize {
        while self.free[self.first] == 0 {
            self.first += 1;
        }
        let bit = self.free[self.first].trailing_zeros() as usize;
        self.free[self.first] &= !(1 << bit);
        self.first * 64 + bit
    }

    /// Takes back a slot.
    pub(super) fn give(&mut self, slot: NonNull<u8>) {
        let offset = slot.as_ptr().addr() - self.memory.start().as_ptr().addr();
        let index = (offset - FIRST) / self.size;
        debug_assert_eq!(self.free[index / 64] >> (index % 64) & 1, 0, "freed twice");
        self.free[index / 64] |= 1 << (index % 64);
        self.first = self.first.min(index / 64);
        self.used -= 1;
    }

    /// Notes that these bytes are about to be written. From the second piece of a chunk on, pages are provided a
    /// piece at a time.
    fn touch(&mut self, start: usize, end: usize) {
        if end > self.touched {
            let mut until = end.next_multiple_of(PAGE);
            if self.touched >= PIECE {
                until = until.max((self.touched + PIECE).min(CHUNK));
                self.memory.populate(self.touched..until);
            }
            self.touched = until;
        }
        if self.given_back != [0; WORDS] {
            for page in start / PAGE..end.div_ceil(PAGE) {
                self.given_back[page / 64] &= !(1 << (page % 64));
            }
        }
    }

    /// Gives back the pages on which no slot is in use.
    pub(super) fn give_back_pages(&mut self) {
        let (mut run, mut index) = (FIRST, 0);
        while index < self.fresh {
            let word = self.free[index / 64] >> (index % 64);
            if word == 0 {
                // Nothing is free up to the end of the word.
                self.give_back_between(run, FIRST + index * self.size);
                index = (index / 64 + 1) * 64;
                run = FIRST + index.min(self.fresh) * self.size;
            } else if word & 1 == 0 {
                self.give_back_between(run, FIRST + index * self.size);
                index += 1;
                run = FIRST + index * self.size;
            } else {
                index += 1;
            }
        }
        self.give_back_between(run, self.touched);
    }

    /// Gives back the pages that lie between two bytes, with nothing in use in between.
    #[expect(unsafe_code, reason = "the content of free slots is lost")]
    fn give_back_between(&mut self, start: usize, end: usize) {
        let (mut page, last) = (start.div_ceil(PAGE), end.min(self.touched) / PAGE);
        while page < last {
            let is_there = |page: usize| self.given_back[page / 64] >> (page % 64) & 1 == 0;
            let Some(first) = (page..last).find(|&page| is_there(page)) else { return };
            page = (first..last).find(|&page| !is_there(page)).unwrap_or(last);
            // SAFETY: only free slots are there, which are written before they are read again.
            let given_back = unsafe { self.memory.give_back(first * PAGE..page * PAGE) };
            if given_back {
                (first..page).for_each(|page| self.given_back[page / 64] |= 1 << (page % 64));
            }
        }
    }
}
