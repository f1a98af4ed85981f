//! [`Random`]: random values from a seed.

/// Marsaglia's xorshift.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize].clone()
    }

    pub(crate) fn bytes(&mut self, most: u64) -> Vec<u8> {
        (0..self.below(most + 1)).map(|_| self.below(256) as u8).collect()
    }

    /// Bytes that are valid in a header.
    pub(crate) fn header_bytes(&mut self) -> Vec<u8> {
        let valid = |byte: &u8| *byte >= 0x20 && *byte != 0x7f;
        self.bytes(40).into_iter().filter(valid).collect()
    }

    /// The text, or a changed copy of it.
    pub(crate) fn bent(&mut self, text: String) -> String {
        if !self.one_in(3) || text.is_empty() {
            return text;
        }
        let mut text = text.into_bytes();
        for _ in 0..=self.below(2) {
            let at = self.below(text.len() as u64) as usize;
            match self.below(5) {
                0 => drop(text.remove(at)),
                1 => text.insert(at, self.pick(b"/:.-_%?&=#aZ0~\"<> ")),
                2 => text[at] = self.below(256) as u8,
                3 => text.truncate(at),
                _ => {
                    let copy = text.clone();
                    text.splice(at..at, copy);
                }
            }
            if text.is_empty() {
                break;
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}
