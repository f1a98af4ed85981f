//! [`Range`]: small pieces of a large blob, and all of it.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{BLOB, upload};
use crate::{
    harness::{
        Figures, Random, Source,
        clock::{Times, median},
        runtime,
    },
    memory::Subject,
};

const SEED: u64 = 3;
/// How large a range is.
pub const RANGE: usize = 4 << 10;
/// Who is slow is drawn less often.
const LONGEST: Duration = Duration::from_secs(4);
/// Reads of the whole.
const READS: usize = 21;

/// Reads ranges anywhere in a blob, and then all of it without looking at a byte.
///
/// - `p50`, `p99`: nanoseconds a range. Each is timed on its own, and the median of what the clock
///   takes (`clock`) is subtracted.
/// - `reader p50`: the same by a stream of the range.
/// - `read`: microseconds to pull the whole, piece by piece.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Range {
    /// How large the blob is.
    pub size: u64,
    /// In what chunks it was written.
    pub chunk: usize,
    /// How many ranges are read.
    pub draws: usize,
}

impl Range {
    /// Measures a store.
    pub(crate) fn run<S: Subject>(&self) -> Figures {
        let (source, key) = (Source::new(), S::key(BLOB));
        let mut random = Random::new(SEED);
        runtime::single().block_on(async {
            let store = S::new(None);
            upload(&store, &key, &source, self.size, self.chunk).await;

            let mut times =
                self.draw(&mut random, async |range| store.range(&key, range).await).await;
            let mut streams =
                self.draw(&mut random, async |range| store.read_range(&key, range).await).await;

            let read = median(READS, async || {
                let start = Instant::now();
                assert_eq!(black_box(store.read(&key).await), self.size);
                start.elapsed().as_nanos() as f64 / 1e3
            });
            Figures::default()
                .with("read", read.await)
                .with("p50", times.quantile(0.5))
                .with("p99", times.quantile(0.99))
                .with("reader p50", streams.quantile(0.5))
                .with("clock", times.own())
        })
    }

    /// Reads ranges anywhere, and times each.
    async fn draw(
        &self,
        random: &mut Random,
        read: impl AsyncFn(std::ops::Range<u64>) -> usize,
    ) -> Times {
        let mut times = Times::new(self.draws);
        let end = Instant::now() + LONGEST;
        for draw in 0..self.draws {
            let begin = random.below(self.size as usize - RANGE) as u64;
            let start = Instant::now();
            let size = read(begin..begin + RANGE as u64).await;
            times.add(start);
            assert_eq!(size, RANGE);
            if draw % 1024 == 0 && Instant::now() > end {
                break;
            }
        }
        times
    }
}
