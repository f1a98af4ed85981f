//! [`Slabs`]: memory for what is smaller than a mapping.

pub(crate) mod block;
mod chunk;
mod class;
mod memory;
pub(crate) mod space;

use std::{fmt, mem, ptr::NonNull, sync::Arc};

use self::{
    chunk::{Chunk, Token},
    class::{Classes, class_of},
};
use crate::{
    budget::Budget,
    sync::{Mutex, lock},
};

/// An allocator of a store and its forks, for small files and for buffers below [`LARGEST`].
///
/// Memory comes from the system in *chunks* of 1 MiB, each of which is cut into *slots* of one size. There is a
/// size for every eight bytes up to 8 KiB, and eight in each doubling above. So what is freed together is together:
/// chunks without a used slot, and pages without one, go back to the system, which the allocator of the program
/// does not promise.
///
/// ```text
///  chunk ─▶ │ header │ slot │ slot │ free │ slot │ free │ never used …
///           └─ at a multiple of 1 MiB: found from the address of a slot
/// ```
///
/// Memory that becomes free is kept for a moment, as it is often needed again; [`tick`](Self::tick) gives back what
/// was not needed since the last call.
pub(crate) struct Slabs {
    locked: Mutex<Locked>,
}

/// The largest slot.
pub(crate) const LARGEST: usize = 256 << 10;

struct Locked {
    token: Token,
    classes: Classes,
    /// Chunks without a used slot, and the least number of them since the last tick.
    idle: Vec<Chunk>,
    least_idle: usize,
    /// Bytes of the slots in use.
    used: u64,
    /// Bytes of the pages that the system has provided.
    backed: u64,
}

impl Slabs {
    pub(crate) fn new() -> Self {
        let (token, classes) = (Token::new(), Classes::new());
        let (idle, least_idle, used, backed) = (Vec::new(), 0, 0, 0);
        Self { locked: Mutex::new(Locked { token, classes, idle, least_idle, used, backed }) }
    }

    /// The bytes of memory that the system has provided, and in which nothing is stored.
    pub(crate) fn slack(&self) -> u64 {
        let locked = lock(&self.locked);
        locked.backed - locked.used
    }

    /// Bytes of the slots in use.
    #[cfg(test)]
    pub(crate) fn used(&self) -> u64 {
        lock(&self.locked).used
    }

    /// Gives back the memory that was not needed since the last call: chunks, and the free pages of the calm
    /// classes. Returns whether there is more, which may go back at the next call. Each step is short: other threads may
    /// take slots in between.
    pub(crate) fn tick(&self) -> bool {
        self.give_back(|locked| mem::replace(&mut locked.least_idle, locked.idle.len()));
        let mut next = 0;
        while let Some((number, surplus)) = self.next_surplus(next) {
            next = number + 1;
            if surplus {
                self.give_back_pages(number);
            }
        }
        let locked = lock(&self.locked);
        !locked.idle.is_empty() || locked.classes.next_dirty(0).is_some()
    }

    /// Gives back the chunks without a used slot.
    pub(crate) fn give_back_idle(&self) {
        self.give_back(|locked| locked.idle.len());
    }

    /// Gives back all memory that is not in use.
    pub(crate) fn trim(&self) {
        self.give_back_idle();
        let mut next = 0;
        loop {
            let Some(number) = lock(&self.locked).classes.next_dirty(next) else { return };
            next = number + 1;
            lock(&self.locked).classes.get(number).dirty = false;
            self.give_back_pages(number);
        }
    }

    /// The next class that has freed slots, and whether it is calm.
    fn next_surplus(&self, next: usize) -> Option<(usize, bool)> {
        let mut locked = lock(&self.locked);
        let number = locked.classes.next_dirty(next)?;
        let class = locked.classes.get(number);
        let surplus = class.is_calm();
        class.dirty = !surplus;
        Some((number, surplus))
    }

    /// Unmaps so many idle chunks, one at a time.
    #[expect(unsafe_code, reason = "memory is unmapped")]
    fn give_back(&self, count: impl FnOnce(&mut Locked) -> usize) {
        let count = count(&mut lock(&self.locked));
        for _ in 0..count {
            let chunk = {
                let locked = &mut *lock(&self.locked);
                let Some(chunk) = locked.idle.pop() else { return };
                locked.least_idle = locked.least_idle.min(locked.idle.len());
                locked.backed -= chunk.state(&mut locked.token).backed() as u64;
                chunk
            };
            // SAFETY: it was idle, so that no slot is in use, and was taken out of the list.
            unsafe { chunk.unmap() };
        }
    }

    /// Gives back the free pages of a class, a chunk at a time.
    fn give_back_pages(&self, number: usize) {
        let mut last = None;
        loop {
            let locked = &mut *lock(&self.locked);
            let class = locked.classes.get(number);
            let next = match last {
                None => class.open.last(),
                Some(last) => class.open.range(..last).next_back(),
            };
            let Some(&chunk) = next else { return };
            let state = chunk.state(&mut locked.token);
            let before = state.backed();
            state.give_back_pages();
            locked.backed -= (before - state.backed()) as u64;
            last = Some(chunk);
        }
    }

    /// A slot of at least so many bytes, aligned to eight. It must be [freed](free).
    pub(crate) fn allocate(&self, budget: &Arc<Budget>, bytes: usize) -> NonNull<u8> {
        debug_assert!(std::ptr::eq(self, budget.slabs()));
        let (number, size) = class_of(bytes);
        let locked = &mut *lock(&self.locked);
        let class = locked.classes.get(number);
        let chunk = match class.open.first() {
            Some(&chunk) => chunk,
            None => {
                let chunk = locked.idle.pop();
                locked.least_idle = locked.least_idle.min(locked.idle.len());
                let is_new = chunk.is_none();
                let chunk = chunk.unwrap_or_else(|| Chunk::new(budget));
                let state = chunk.state(&mut locked.token);
                locked.backed += if is_new { state.backed() as u64 } else { 0 };
                state.begin(size, budget);
                class.open.insert(chunk);
                chunk
            }
        };
        let state = chunk.state(&mut locked.token);
        let (before, holes) = (state.backed(), state.holes());
        let slot = state.take();
        locked.backed += (state.backed() - before) as u64;
        locked.used += size as u64;
        class.fill(holes - state.holes());
        if state.is_full() {
            class.open.remove(&chunk);
        }
        slot
    }

    /// Takes back a slot of this chunk. Returns a reference to the budget if it was the last one.
    fn give(&self, chunk: Chunk, slot: NonNull<u8>) -> Option<Arc<Budget>> {
        let locked = &mut *lock(&self.locked);
        let state = chunk.state(&mut locked.token);
        let (number, size) = class_of(state.size());
        let class = locked.classes.get(number);
        let was_full = state.is_full();
        state.give(slot);
        locked.used -= size as u64;
        class.dig();
        if state.is_empty() {
            class.fill(state.holes());
            class.open.remove(&chunk);
            let budget = state.end();
            locked.idle.push(chunk);
            return budget;
        }
        if was_full {
            class.open.insert(chunk);
        }
        None
    }
}

/// Frees a slot.
///
/// # Safety
///
/// It was [allocated](Slabs::allocate), and is not used again.
#[expect(unsafe_code, reason = "the slot must be one")]
pub(crate) unsafe fn free(slot: NonNull<u8>) {
    let chunk = Chunk::of(slot);
    // SAFETY: the slot is in use until the next line but one.
    let budget = unsafe { chunk.budget_arc() };
    // The budget has to outlive the lock on its slabs.
    let last = budget.slabs().give(chunk, slot);
    budget.freed(last.is_some());
}

/// The budget of a slot.
///
/// # Safety
///
/// The slot was [allocated](Slabs::allocate), and is not freed for `'a`.
#[expect(unsafe_code, reason = "the slot must be one")]
pub(crate) unsafe fn budget_of<'a>(slot: NonNull<u8>) -> &'a Budget {
    // SAFETY: the slot is in use.
    unsafe { Chunk::of(slot).budget() }
}

/// Another reference to the budget of a slot.
///
/// # Safety
///
/// The slot was [allocated](Slabs::allocate), and is not freed yet.
#[expect(unsafe_code, reason = "the slot must be one")]
pub(crate) unsafe fn budget_arc_of(slot: NonNull<u8>) -> Arc<Budget> {
    // SAFETY: the slot is in use.
    unsafe { Chunk::of(slot).budget_arc() }
}

impl Drop for Slabs {
    fn drop(&mut self) {
        // Every chunk with a used slot holds the budget, and so this: all chunks are idle.
        self.give_back_idle();
    }
}

impl fmt::Debug for Slabs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slabs").field("slack", &self.slack()).finish_non_exhaustive()
    }
}

/// The size of the slot for so many bytes.
pub(crate) fn slot_size(bytes: usize) -> usize {
    class_of(bytes).1
}

#[cfg(test)]
mod tests;
