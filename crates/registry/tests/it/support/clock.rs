//! A store that was written to long ago.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use inmemory::InMemory;

/// Stamps what is written with a time that is so much in the past.
#[derive(Debug, Clone, Default)]
pub struct Clock(Arc<AtomicU64>);

impl Clock {
    /// An empty store in which all is as old as this says.
    pub fn store(&self) -> InMemory {
        let clock = self.clone();
        InMemory::builder().clock(move || clock.now()).build()
    }

    /// From now on, what is written was written so long ago.
    pub fn write_as_of(&self, ago: Duration) {
        self.0.store(ago.as_secs(), Ordering::Relaxed);
    }

    fn now(&self) -> SystemTime {
        SystemTime::now() - Duration::from_secs(self.0.load(Ordering::Relaxed))
    }
}
