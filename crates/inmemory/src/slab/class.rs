//! [`Class`]: the chunks with slots of one size.

use std::{collections::BTreeSet, mem};

use super::chunk::Chunk;

/// Up to this size there is a class for every eight bytes: the content of a small file wastes no more than seven.
const FINE: usize = 8 << 10;
const STEP: usize = 8;
/// The smallest slot: a chunk has so few that its bits fit into 4 KiB.
const LEAST: usize = 32;
const GROUP: usize = 32;
/// A class is calm while fewer than one free slot in so many changes between two looks.
const CALM: usize = 16;

/// The chunks of one class.
#[derive(Debug, Default)]
pub(super) struct Class {
    /// Those with a free slot, by address. The first is used first, so that the others become empty.
    pub(super) open: BTreeSet<Chunk>,
    /// How many free slots were used before.
    pub(super) holes: usize,
    /// How many slots were freed, or used again, since the last look.
    pub(super) changes: usize,
    /// Whether a slot was freed since free pages were given back.
    pub(super) dirty: bool,
}

impl Class {
    /// So many free slots are in use again, or their chunk has another use.
    pub(super) fn fill(&mut self, holes: usize) {
        self.holes -= holes;
        self.changes += holes;
    }

    /// A slot was freed.
    pub(super) fn dig(&mut self) {
        self.holes += 1;
        self.changes += 1;
        self.dirty = true;
    }

    /// Whether hardly any of its free slots was needed, or freed, since the last call. While many are, the free pages of
    /// chunks in use stay: each costs a call of the system, and most chunks will soon be full, or go back as a whole.
    pub(super) fn is_calm(&mut self) -> bool {
        CALM * mem::take(&mut self.changes) <= self.holes
    }
}

/// All classes, made as they are needed.
#[derive(Debug)]
pub(super) struct Classes([Option<Box<[Class; GROUP]>>; 34]);

impl Classes {
    pub(super) fn new() -> Self {
        Self([const { None }; 34])
    }

    pub(super) fn get(&mut self, number: usize) -> &mut Class {
        let group = self.0[number / GROUP].get_or_insert_with(Box::default);
        &mut group[number % GROUP]
    }

    /// The number of the next class, from `number` on, that has freed slots.
    pub(super) fn next_dirty(&self, number: usize) -> Option<usize> {
        let mut groups = self.0.iter().enumerate().skip(number / GROUP);
        groups.find_map(|(at, group)| {
            let mut classes = group.as_ref()?.iter().enumerate();
            let found = |&(in_group, class): &(usize, &Class)| {
                class.dirty && at * GROUP + in_group >= number
            };
            classes.find(found).map(|(in_group, _)| at * GROUP + in_group)
        })
    }
}

/// The number of the class for so many bytes, and the size of its slots. Larger sizes grow by an eighth.
pub(super) fn class_of(bytes: usize) -> (usize, usize) {
    let bytes = bytes.max(LEAST);
    if bytes <= FINE {
        let size = bytes.next_multiple_of(STEP);
        return (size / STEP, size);
    }
    let octave = bytes.next_power_of_two();
    let step = octave / 16;
    let size = bytes.next_multiple_of(step);
    let octaves = (octave / FINE).trailing_zeros() as usize - 1;
    (FINE / STEP + 1 + octaves * 8 + size / step - 9, size)
}
