//! [`Partitions`]: the prefixes by which a service could divide a bucket.

use std::cmp::Ordering;

/// Keys below one prefix, which have one limit together.
#[derive(Debug, Clone)]
pub(super) struct Partition {
    pub(super) prefix: String,
    /// The load of all keys.
    pub(super) load: f64,
    keys: std::ops::Range<usize>,
}

/// A bucket, whose busiest prefix is divided again and again.
#[derive(Debug)]
pub(super) struct Partitions {
    /// In the order of bytes, each with its load.
    keys: Vec<(String, f64)>,
    /// In the order of bytes too.
    pub(super) all: Vec<Partition>,
}

impl Partitions {
    /// A bucket that is not divided yet.
    pub(super) fn new(mut keys: Vec<(String, f64)>) -> Self {
        keys.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        keys.dedup_by(|next, kept| {
            let is_same = next.0 == kept.0;
            kept.1 += if is_same { next.1 } else { 0.0 };
            is_same
        });
        let mut partitions = Self { keys, all: Vec::new() };
        let whole = partitions.partition(0..partitions.keys.len(), String::new());
        partitions.all.push(whole);
        partitions
    }

    fn partition(&self, keys: std::ops::Range<usize>, prefix: String) -> Partition {
        Partition { prefix, load: self.keys[keys.clone()].iter().map(|key| key.1).sum(), keys }
    }

    /// The busiest one.
    pub(super) fn hottest(&self) -> &Partition {
        let order =
            |a: &&Partition, b: &&Partition| a.load.partial_cmp(&b.load).unwrap_or(Ordering::Equal);
        self.all.iter().max_by(order).expect("there is one always")
    }

    /// Divides the busiest one by the first character in which its keys differ. Returns `false` if it is a single key.
    pub(super) fn divide(&mut self) -> bool {
        let hottest = self.hottest().keys.clone();
        let Some(at) = self.all.iter().position(|it| it.keys == hottest) else { return false };
        if hottest.len() < 2 {
            return false;
        }
        let keys = &self.keys[hottest.clone()];
        let common = common(&keys[0].0, &keys[keys.len() - 1].0);
        let character = |key: usize| self.keys[key].0.as_bytes().get(common).copied();
        let mut parts = Vec::new();
        let mut from = hottest.start;
        while from < hottest.end {
            let first = character(from);
            let length = (from..hottest.end).take_while(|key| character(*key) == first).count();
            let end = common + usize::from(first.is_some());
            let prefix = String::from_utf8_lossy(&self.keys[from].0.as_bytes()[..end]).into_owned();
            parts.push(self.partition(from..from + length, prefix));
            from += length;
        }
        self.all.splice(at..=at, parts);
        true
    }

    /// The number of the partition of each key in [`keys`](Self::keys).
    pub(super) fn numbers(&self) -> Vec<u32> {
        let mut numbers = vec![0; self.keys.len()];
        for (number, partition) in self.all.iter().enumerate() {
            numbers[partition.keys.clone()].fill(number as u32);
        }
        numbers
    }

    /// The place of a key.
    pub(super) fn place(&self, key: &str) -> usize {
        self.keys.binary_search_by(|it| it.0.as_str().cmp(key)).expect("all keys are there")
    }
}

/// The number of bytes that both begin with.
fn common(a: &str, b: &str) -> usize {
    a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partitions(keys: &[(&str, f64)]) -> Partitions {
        Partitions::new(keys.iter().map(|(key, load)| ((*key).to_owned(), *load)).collect())
    }

    fn prefixes(partitions: &Partitions) -> Vec<(&str, f64)> {
        partitions.all.iter().map(|it| (it.prefix.as_str(), it.load)).collect()
    }

    #[test]
    fn the_busiest_prefix_is_divided_where_its_keys_differ() {
        let keys = [("data/a", 3.0), ("data/b", 4.0), ("up/1", 2.0), ("up/2", 1.0)];
        let mut bucket = partitions(&keys);
        assert_eq!(prefixes(&bucket), [("", 10.0)]);
        assert!(bucket.divide());
        assert_eq!(prefixes(&bucket), [("d", 7.0), ("u", 3.0)]);
        assert!(bucket.divide());
        assert_eq!(prefixes(&bucket), [("data/a", 3.0), ("data/b", 4.0), ("u", 3.0)]);
        assert_eq!(bucket.numbers(), [0, 1, 2, 2]);
        assert!(!bucket.divide(), "a single key cannot be divided");
    }

    #[test]
    fn a_key_that_others_begin_with_is_a_part_of_its_own() {
        let mut bucket = partitions(&[("a", 1.0), ("a", 1.0), ("a/b", 1.0)]);
        assert!(bucket.divide());
        assert_eq!(prefixes(&bucket), [("a", 2.0), ("a/", 1.0)]);
    }
}
