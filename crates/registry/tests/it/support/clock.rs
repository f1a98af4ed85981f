//! [`Clock`]: a store with files from the past.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use inmemory::InMemory;

/// A clock that is behind by a duration.
#[derive(Debug, Clone, Default)]
pub struct Clock(Arc<AtomicU64>);

impl Clock {
    /// An empty store whose files have the time of this clock.
    pub fn store(&self) -> InMemory {
        let clock = self.clone();
        InMemory::builder().clock(move || clock.now()).build()
    }

    /// From now on, written files are as old as `ago`.
    pub fn write_as_of(&self, ago: Duration) {
        self.0.store(ago.as_secs(), Ordering::Relaxed);
    }

    fn now(&self) -> SystemTime {
        SystemTime::now() - Duration::from_secs(self.0.load(Ordering::Relaxed))
    }
}
