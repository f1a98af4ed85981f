//! [`Count`]: how many requests, and what they cost.

use std::ops::{Add, Div, Mul, Sub};

use super::{
    recorder::{Kind, Sent},
    terms::Terms,
};

/// Requests by kind.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Count {
    pub(super) writes: f64,
    pub(super) reads: f64,
    pub(super) lists: f64,
    pub(super) deletes: f64,
}

impl Count {
    pub(super) fn of(sent: &[Sent]) -> Self {
        sent.iter().fold(Self::default(), |count, sent| count + Self::one(sent.kind))
    }

    fn one(kind: Kind) -> Self {
        let mut count = Self::default();
        match kind {
            Kind::Write => count.writes = 1.0,
            Kind::Read => count.reads = 1.0,
            Kind::List => count.lists = 1.0,
            Kind::Delete => count.deletes = 1.0,
        }
        count
    }

    pub(super) fn total(self) -> f64 {
        self.writes + self.reads + self.lists + self.deletes
    }

    /// In US dollars.
    pub(super) fn price(self, terms: &Terms) -> f64 {
        ((self.writes + self.lists) * terms.put_price + self.reads * terms.get_price) / 1000.0
    }

    /// For how many seconds these requests take all that one prefix takes.
    pub(super) fn load(self, terms: &Terms) -> f64 {
        (self.writes + self.deletes) / terms.puts + (self.reads + self.lists) / terms.gets
    }

    /// The load of one request.
    pub(super) fn load_of(kind: Kind, terms: &Terms) -> f64 {
        Self::one(kind).load(terms)
    }

    fn zip(self, other: Self, with: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            writes: with(self.writes, other.writes),
            reads: with(self.reads, other.reads),
            lists: with(self.lists, other.lists),
            deletes: with(self.deletes, other.deletes),
        }
    }
}

impl Add for Count {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
}

impl Sub for Count {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
}

impl Mul<f64> for Count {
    type Output = Self;

    fn mul(self, times: f64) -> Self {
        self.zip(self, |a, _| a * times)
    }
}

impl Div<f64> for Count {
    type Output = Self;

    fn div(self, by: f64) -> Self {
        self.zip(self, |a, _| a / by)
    }
}

#[test]
fn deletions_are_free_and_count_for_the_limit() {
    let terms = Terms::default();
    let count = Count { deletes: 3_500.0, ..Count::default() };
    assert_eq!((count.price(&terms), count.load(&terms)), (0.0, 1.0));
}
