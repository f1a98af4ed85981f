//! [`Budget`]: bounds the memory for manifests.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::error::{Error, Result};

/// The bytes of one permit of a semaphore, which counts in 32 bits.
const UNIT: u64 = 1 << 10;

/// The memory for the content of manifests, in two shares.
///
/// A quarter is for manifests that are read from the driver. They are parsed and dropped at once, so that a
/// request can wait for its part. The rest is for content that slow clients keep in memory: manifests that are being
/// pushed, and lists that are being sent. A request that finds no room there is refused. In this way, slow
/// clients cannot stop reads.
///
/// A waiting request holds no part of the share that it waits for.
#[derive(Debug)]
pub(crate) struct Budget {
    reading: Semaphore,
    reading_units: u32,
    held: Arc<Semaphore>,
}

impl Budget {
    /// The part of the whole that is for reading.
    const READING: u64 = 4;

    pub(crate) fn new(bytes: u64) -> Self {
        let reading_units = units(bytes / Self::READING).max(1);
        let held_units = units(bytes - bytes / Self::READING);
        Self {
            reading: Semaphore::new(reading_units as usize),
            reading_units,
            held: Arc::new(Semaphore::new(held_units as usize)),
        }
    }

    /// Waits for room to read `bytes`, at most for the whole share.
    pub(crate) async fn read(&self, bytes: u64) -> Result<SemaphorePermit<'_>> {
        let units = units(bytes).min(self.reading_units);
        // The semaphore is never closed.
        self.reading.acquire_many(units).await.map_err(Error::internal)
    }

    /// An empty reservation, which can grow.
    pub(crate) fn reserve(&self) -> Reservation {
        Reservation { semaphore: Arc::clone(&self.held), permit: None }
    }
}

/// Memory that is reserved until this is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    semaphore: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Reservation {
    /// Changes the reservation to `bytes` in total.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfMemory`] if there is no room at the moment. The old reservation is kept.
    pub(crate) fn resize(&mut self, bytes: u64) -> Result<()> {
        let reserved = self.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let wanted = units(bytes);
        if let Some(permit) = &mut self.permit {
            drop(permit.split(reserved.saturating_sub(wanted as usize)));
        }
        let missing = wanted.saturating_sub(u32::try_from(reserved).unwrap_or(u32::MAX));
        if missing == 0 {
            return Ok(());
        }
        let more = Arc::clone(&self.semaphore)
            .try_acquire_many_owned(missing)
            .map_err(|_| Error::OutOfMemory)?;
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}

fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).min(MOST_UNITS)
}

/// The most permits of a semaphore, also on 32-bit systems.
const MOST_UNITS: u32 = 1 << 28;

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn held_memory_is_given_back() {
        let budget = Budget::new(8 << 10);
        let (mut one, mut other) = (budget.reserve(), budget.reserve());
        one.resize(4 << 10).unwrap();
        one.resize(6 << 10).unwrap();
        assert!(matches!(other.resize(1), Err(Error::OutOfMemory)));
        drop(one);
        other.resize(6 << 10).unwrap();
    }

    #[test]
    fn a_smaller_reservation_gives_back_the_difference() {
        let budget = Budget::new(8 << 10);
        let (mut one, mut other) = (budget.reserve(), budget.reserve());
        one.resize(6 << 10).unwrap();
        one.resize(2 << 10).unwrap();
        other.resize(4 << 10).unwrap();
        assert!(other.resize(5 << 10).is_err());
    }

    #[test]
    fn a_full_share_of_slow_clients_leaves_room_to_read() {
        let budget = Budget::new(8 << 10);
        let mut slow = budget.reserve();
        slow.resize(6 << 10).unwrap();
        assert!(budget.read(2 << 10).now_or_never().is_some());
    }

    #[test]
    fn a_read_that_is_larger_than_the_share_waits_for_the_whole_share() {
        let budget = Budget::new(8 << 10);
        let all = budget.read(1 << 30).now_or_never().unwrap().unwrap();
        assert!(budget.read(1).now_or_never().is_none());
        drop(all);
        assert!(budget.read(1).now_or_never().is_some());
    }
}
