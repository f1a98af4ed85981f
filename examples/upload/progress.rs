//! [`Progress`]: a bar on a terminal, a few plain lines elsewhere.

use std::{
    io::{self, IsTerminal},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::{failure::Failure, output::say, size::Size};

/// How far one stage has come, told by all its tasks.
pub(crate) struct Progress {
    stage: &'static str,
    total: Option<u64>,
    done: AtomicU64,
    started: Instant,
    /// On standard error, if that is a terminal. Standard output is for what remains.
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Begins a stage of `total` bytes, if that is known.
    pub(crate) fn new(stage: &'static str, total: Option<u64>) -> Self {
        let bar = io::stderr().is_terminal().then(|| bar(stage, total));
        Self { stage, total, done: AtomicU64::new(0), started: Instant::now(), bar }
    }

    /// Tells that `bytes` more are done.
    pub(crate) fn add(&self, bytes: u64) -> Result<(), Failure> {
        let before = self.done.fetch_add(bytes, Ordering::Relaxed);
        match &self.bar {
            Some(bar) => bar.inc(bytes),
            None if self.is_due(before, before + bytes) => say(self.line(before + bytes))?,
            None => {}
        }
        Ok(())
    }

    /// Ends the stage: how many bytes it moved, and how long it took.
    pub(crate) fn finish(&self) -> (u64, Duration) {
        let took = self.started.elapsed();
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        (self.done.load(Ordering::Relaxed), took)
    }

    /// Whether a line is due: at each fifth on the way to a total that is known, and at each
    /// doubling from 64 MiB on otherwise.
    fn is_due(&self, before: u64, done: u64) -> bool {
        let mark = |done: u64| match self.total {
            Some(total) => (u128::from(done) * 5 / u128::from(total.max(1))) as u64,
            None => u64::from((done >> 26).checked_ilog2().map_or(0, |log| log + 1)),
        };
        self.total != Some(done) && mark(before) != mark(done)
    }

    fn line(&self, done: u64) -> String {
        let seconds = self.started.elapsed().as_secs_f64();
        let (stage, so_far, rate) = (self.stage, Size(done), rate(done, seconds));
        match self.total {
            Some(total) => {
                let left = seconds * total.saturating_sub(done) as f64 / done as f64;
                let total = Size(total);
                format!("{stage}: {so_far} of {total}, {rate}, {left:.1} s left")
            }
            None => format!("{stage}: {so_far}, {rate}"),
        }
    }
}

/// So many bytes in so many seconds.
pub(crate) fn rate(bytes: u64, seconds: f64) -> String {
    format!("{}/s", Size((bytes as f64 / seconds.max(1e-9)) as u64))
}

fn bar(stage: &'static str, total: Option<u64>) -> ProgressBar {
    let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    let template = match total {
        Some(_) => {
            "{msg} [{wide_bar}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta} left"
        }
        None => "{msg} {spinner} {binary_bytes} {binary_bytes_per_sec} {elapsed}",
    };
    let style = ProgressStyle::with_template(template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ");
    bar.with_style(style).with_message(stage)
}
