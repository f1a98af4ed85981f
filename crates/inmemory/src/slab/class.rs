//! [`Class`]: the chunks with slots of one size.

use std::collections::BTreeSet;

use super::chunk::Chunk;

/// Up to this size there is a class for every eight bytes: the content of a small file wastes no more than seven.
const FINE: usize = 8 << 10;
const STEP: usize = 8;
/// The smallest slot: a chunk has so few that its bits fit into 4 KiB.
const LEAST: usize = 32;
const GROUP: usize = 32;

/// The chunks of one class.
#[derive(Debug, Default)]
pub(super) struct Class {
    /// Those with a free slot, by address. The first is used first, so that the others become empty.
    pub(super) open: BTreeSet<Chunk>,
    /// How many free slots were used before, and the least number since the last look.
    pub(super) holes: usize,
    pub(super) least: usize,
    /// Whether a slot was freed since free pages were given back.
    pub(super) dirty: bool,
}

impl Class {
    pub(super) fn fill(&mut self, holes: usize) {
        self.holes -= holes;
        self.least = self.least.min(self.holes);
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
