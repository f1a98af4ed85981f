//! The limits of the machine: an upload without a store.

use std::{hint::black_box, time::Instant};

use bytes::Bytes;
use memmap2::{MmapMut, MmapOptions};

use crate::{
    harness::{Figures, MIB, Random, Source, Who, clock::Times},
    memory::jobs,
};

/// A huge page.
const HUGE: usize = 2 << 20;
const SEED: u64 = 5;

impl jobs::Upload {
    /// Copies the chunks into memory of this kind.
    pub(crate) fn limit(&self, who: Who) -> Figures {
        let source = Source::new();
        let seconds = match who {
            Who::Small => self.small(&source),
            Who::Populated => self.populated(&source),
            Who::Huge => self.huge(&source),
            _ => self.touched(&source),
        };
        Figures::default().with("seconds", seconds)
    }

    /// Into fresh vectors of a MiB, page fault by page fault.
    fn small(&self, source: &Source) -> f64 {
        let mut blocks: Vec<Vec<u8>> = Vec::with_capacity((self.size / MIB) as usize);
        let start = Instant::now();
        for chunk in source.chunks(self.size, self.chunk) {
            if blocks.last().is_none_or(|block| block.len() == block.capacity()) {
                blocks.push(Vec::with_capacity(MIB as usize));
            }
            let block = blocks.last_mut().expect("there is one");
            block.extend_from_slice(black_box(chunk));
        }
        let seconds = start.elapsed().as_secs_f64();
        drop(black_box(blocks));
        seconds
    }

    /// Into mappings of 2 MiB, populated as they are made.
    fn populated(&self, source: &Source) -> f64 {
        let mut blocks = Vec::with_capacity((self.size / HUGE as u64) as usize);
        let mut chunks = source.chunks(self.size, self.chunk);
        let start = Instant::now();
        for _ in 0..self.size / HUGE as u64 {
            let mapped = MmapOptions::new().len(HUGE).populate().map_anon();
            let mut block = mapped.expect("there is memory");
            fill(&mut block, self.chunk, &mut chunks);
            blocks.push(block);
        }
        let seconds = start.elapsed().as_secs_f64();
        drop(black_box(blocks));
        seconds
    }

    /// Into one mapping that is aligned to huge pages and requests them.
    fn huge(&self, source: &Source) -> f64 {
        let start = Instant::now();
        let mut map = MmapMut::map_anon(self.size as usize + HUGE).expect("there is memory");
        // Where the kernel has none, this is a limit of small pages.
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage);
        let begin = map.as_ptr().align_offset(HUGE);
        let into = &mut map[begin..][..self.size as usize];
        fill(into, self.chunk, &mut source.chunks(self.size, self.chunk));
        let seconds = start.elapsed().as_secs_f64();
        drop(black_box(map));
        seconds
    }

    /// Into vectors of a MiB that have been written before.
    fn touched(&self, source: &Source) -> f64 {
        let mut blocks = vec![vec![1; MIB as usize]; (self.size / MIB) as usize];
        let mut chunks = source.chunks(self.size, self.chunk);
        let start = Instant::now();
        for block in &mut blocks {
            fill(block, self.chunk, &mut chunks);
        }
        let seconds = start.elapsed().as_secs_f64();
        drop(black_box(blocks));
        seconds
    }
}

fn fill<'a>(into: &mut [u8], size: usize, chunks: &mut impl Iterator<Item = &'a [u8]>) {
    for (place, chunk) in into.chunks_mut(size).zip(chunks) {
        place.copy_from_slice(black_box(chunk));
    }
}

impl jobs::Range {
    /// A slice of one `Bytes`: two counts and nothing to look up.
    pub(crate) fn limit(&self) -> Figures {
        let mut random = Random::new(SEED);
        let blob = Bytes::from(vec![1_u8; self.size as usize]);
        let mut times = Times::new(self.draws);
        for _ in 0..self.draws {
            let begin = random.below(self.size as usize - jobs::RANGE);
            let start = Instant::now();
            drop(black_box(blob.slice(begin..begin + jobs::RANGE)));
            times.add(start);
        }
        Figures::default().with("p50", times.quantile(0.5)).with("p99", times.quantile(0.99))
    }
}
