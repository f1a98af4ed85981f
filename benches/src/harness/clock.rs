//! Times of single operations, with the clock's own taken off.

use std::time::Instant;

/// How often the clock is read to find out what that takes.
const READINGS: usize = 100_001;

/// Times of one operation after another.
#[derive(Debug)]
pub(crate) struct Times {
    nanoseconds: Vec<u32>,
    own: u32,
}

impl Times {
    /// Makes room for `count` of them, and measures the clock.
    pub(crate) fn new(count: usize) -> Self {
        let mut own: Vec<u32> = (0..READINGS).map(|_| since(Instant::now())).collect();
        let middle = own.len() / 2;
        let own = *own.select_nth_unstable(middle).1;
        Self { nanoseconds: Vec::with_capacity(count), own }
    }

    /// Adds what has passed since `start`, less the clock's own time.
    pub(crate) fn add(&mut self, start: Instant) {
        self.nanoseconds.push(since(start).saturating_sub(self.own));
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.nanoseconds.len()
    }

    /// The time that a share of `part` of all stays below.
    pub(crate) fn quantile(&mut self, part: f64) -> f64 {
        if self.nanoseconds.is_empty() {
            return f64::NAN;
        }
        let at = ((self.len() - 1) as f64 * part).round() as usize;
        f64::from(*self.nanoseconds.select_nth_unstable(at).1)
    }

    /// The mean.
    pub(crate) fn mean(&self) -> f64 {
        self.nanoseconds.iter().map(|&time| f64::from(time)).sum::<f64>() / self.len() as f64
    }

    /// What the clock itself takes, in nanoseconds.
    pub(crate) fn own(&self) -> f64 {
        f64::from(self.own)
    }

    /// How many fall into each of `buckets`, of which there are `per_octave` from one nanosecond
    /// to two, and so on.
    pub(crate) fn histogram(&self, per_octave: usize, buckets: usize) -> Vec<f64> {
        let mut counts = vec![0.0; buckets];
        for &time in &self.nanoseconds {
            let at = f64::from(time.max(1)).log2() * per_octave as f64;
            counts[(at as usize).min(buckets - 1)] += 1.0;
        }
        counts
    }
}

/// Four seconds and more count as four.
fn since(start: Instant) -> u32 {
    u32::try_from(start.elapsed().as_nanos()).unwrap_or(u32::MAX)
}

/// Milliseconds since `start`.
pub(crate) fn milliseconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

/// The median of what `measure` returns, called `times` times.
pub(crate) async fn median(times: usize, mut measure: impl AsyncFnMut() -> f64) -> f64 {
    let mut all = Vec::with_capacity(times);
    for _ in 0..times {
        all.push(measure().await);
    }
    middle(&mut all)
}

/// The median of `numbers`.
pub(crate) fn middle(numbers: &mut [f64]) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}
