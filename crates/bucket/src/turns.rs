//! [`Turns`]: which writers fill their parts while memory is short.
//!
//! If all went on, none would have a whole part when there is no memory left, and each would send a small extent: many small
//! extents are dear to write and slow to read. So a few go on, and the others wait until one of them has sent its part. A writer
//! whose client sends nothing loses its turn after [`IDLE`], so that nobody waits for it.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

/// A turn that was not used for so long is free for others.
pub(crate) const IDLE: Duration = Duration::from_millis(100);

/// The turns of all writers of a driver.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    writers: AtomicU64,
    /// The writers that have a turn, and when each used it last. As few as fit into the budget.
    taken: Mutex<Vec<(u64, Instant)>>,
}

impl Turns {
    /// A number for a new writer.
    pub(crate) fn register(&self) -> u64 {
        self.writers.fetch_add(1, Ordering::Relaxed)
    }

    /// Uses the turn of this writer, which it takes if fewer than `most` are taken. Returns whether it has one.
    pub(crate) fn take(&self, writer: u64, most: usize) -> bool {
        let now = Instant::now();
        let mut taken = self.taken();
        if let Some((_, used)) = taken.iter_mut().find(|(taker, _)| *taker == writer) {
            *used = now;
            return true;
        }
        if taken.len() >= most {
            taken.retain(|(_, used)| now.duration_since(*used) < IDLE);
        }
        let has_room = taken.len() < most;
        if has_room {
            taken.push((writer, now));
        }
        has_room
    }

    /// Ends the turn of this writer. Returns whether it had one.
    pub(crate) fn end(&self, writer: u64) -> bool {
        let mut taken = self.taken();
        let found = taken.iter().position(|(taker, _)| *taker == writer);
        found.map(|at| taken.swap_remove(at)).is_some()
    }

    fn taken(&self) -> MutexGuard<'_, Vec<(u64, Instant)>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_turn_is_for_a_few_and_ends_when_it_is_given_back_or_not_used() {
        let turns = Turns::default();
        let [first, second, third] = [(); 3].map(|()| turns.register());
        assert!(turns.take(first, 2) && turns.take(second, 2) && !turns.take(third, 2));
        assert!(turns.end(first) && !turns.end(first));
        assert!(turns.take(third, 2) && !turns.take(first, 2));
        tokio::time::advance(IDLE / 2).await;
        assert!(turns.take(second, 2) && !turns.take(first, 2));
        tokio::time::advance(IDLE / 2).await;
        // The third has not used its own.
        assert!(turns.take(first, 2) && !turns.take(third, 2));
    }
}
