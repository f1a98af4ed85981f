//! [`Turns`]: which writers fill their parts while memory is short.
//!
//! If all went on, none would have a whole part when there is no memory left, and each would send a small extent: many small
//! extents are dear to write and slow to read. So a few go on, and the others wait until one of them has sent its part. A writer
//! whose client sends nothing loses its turn after [`IDLE`], so that no other writer waits for this client.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// A turn that was not used for so long is free for others. A writer that waits for a turn asks as often.
pub(crate) const IDLE: Duration = Duration::from_millis(100);

/// The turns of all writers of a driver.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    writers: u64,
    /// As few as fit into the budget.
    taken: Vec<Claim>,
    /// Those that wait, the longest first.
    queue: VecDeque<Claim>,
}

/// A turn that a writer has or waits for.
#[derive(Debug)]
struct Claim {
    writer: u64,
    /// When it was used or asked for last.
    used: Instant,
}

impl Turns {
    /// A number for a new writer.
    pub(crate) fn register(&self) -> u64 {
        let mut state = self.state();
        state.writers += 1;
        state.writers
    }

    /// Uses the turn of this writer, or takes it if fewer than `most` are taken, those included that wait longer. Returns
    /// whether it has one.
    pub(crate) fn take(&self, writer: u64, most: usize) -> bool {
        let used = Instant::now();
        let State { taken, queue, .. } = &mut *self.state();
        if let Some(claim) = taken.iter_mut().find(|claim| claim.writer == writer) {
            claim.used = used;
            return true;
        }
        taken.retain(|claim| used - claim.used < IDLE);
        queue.retain(|claim| claim.writer == writer || used - claim.used < 2 * IDLE);
        let waits = queue.iter().position(|claim| claim.writer == writer);
        let place = waits.unwrap_or(queue.len());
        if taken.len() + place < most {
            queue.remove(place);
            taken.push(Claim { writer, used });
            return true;
        }
        match queue.get_mut(place) {
            Some(claim) => claim.used = used,
            None => queue.push_back(Claim { writer, used }),
        }
        false
    }

    /// Ends the turn of this writer. Returns whether it had one.
    pub(crate) fn end(&self, writer: u64) -> bool {
        let State { taken, queue, .. } = &mut *self.state();
        queue.retain(|claim| claim.writer != writer);
        let before = taken.len();
        taken.retain(|claim| claim.writer != writer);
        taken.len() < before
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Turns, and the numbers of three writers.
    fn turns() -> (Turns, [u64; 3]) {
        let turns = Turns::default();
        let writers = [(); 3].map(|()| turns.register());
        (turns, writers)
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_is_not_used_is_free_for_others() {
        let (turns, [a, b, c]) = turns();
        assert!(turns.take(a, 2) && turns.take(b, 2) && !turns.take(c, 2));
        tokio::time::advance(IDLE / 2).await;
        assert!(turns.take(b, 2) && !turns.take(c, 2));
        tokio::time::advance(IDLE / 2).await;
        assert!(turns.take(c, 2) && !turns.take(a, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_longest_is_next() {
        let (turns, [a, b, c]) = turns();
        assert!(turns.take(a, 1) && !turns.take(b, 1) && !turns.take(c, 1));
        assert!(turns.end(a) && !turns.end(a));
        assert!(!turns.take(a, 1) && !turns.take(c, 1) && turns.take(b, 1));
        assert!(turns.end(b) && !turns.take(a, 1) && turns.take(c, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_ask_any_more_waits_no_longer() {
        let (turns, [a, b, c]) = turns();
        assert!(turns.take(a, 1) && !turns.take(b, 1));
        tokio::time::advance(2 * IDLE).await;
        assert!(turns.take(c, 1));
        assert!(!turns.take(a, 1) && !turns.take(b, 1));
        turns.end(a);
        turns.end(c);
        assert!(turns.take(b, 1));
    }
}
