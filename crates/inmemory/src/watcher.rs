//! The watcher: a thread that gives idle memory back to the system.
//!
//! Memory that was freed is kept for a moment, because it is often needed again. It has to go back also if no
//! operation follows, and the driver has no runtime: so one thread looks after all stores of the process. It runs
//! only while a store has idle memory, and it does what would otherwise make the operations of a store wait:
//! unmapping a gigabyte takes a tenth of a second.

use std::{
    sync::{Arc, Mutex, Weak},
    thread,
    time::Duration,
};

use crate::{
    budget::Budget,
    sync::Ordering::{AcqRel, Release},
};

/// How often it looks. Memory that was idle between two looks goes back: at most twice as long after it was freed.
const PERIOD: Duration = Duration::from_millis(400);

static WATCHED: Mutex<Watched> = Mutex::new(Watched { budgets: Vec::new(), runs: false });

struct Watched {
    budgets: Vec<Weak<Budget>>,
    /// Whether the thread runs.
    runs: bool,
}

fn watched() -> std::sync::MutexGuard<'static, Watched> {
    WATCHED.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Looks after the idle memory of a store from now on, unless it already does.
pub(crate) fn watch(budget: &Arc<Budget>) {
    // Neither Miri nor Shuttle lets a thread run that nobody waits for.
    if cfg!(any(miri, shuttle)) || budget.watched.swap(true, AcqRel) {
        return;
    }
    let mut watched = watched();
    watched.budgets.push(Arc::downgrade(budget));
    if !watched.runs {
        watched.runs = thread::Builder::new().name("inmemory".to_owned()).spawn(run).is_ok();
        if !watched.runs {
            // No thread can be started now: a later call tries again.
            watched.budgets.pop();
            budget.watched.store(false, Release);
        }
    }
}

fn run() {
    loop {
        thread::sleep(PERIOD);
        let mut budgets = std::mem::take(&mut watched().budgets);
        budgets.retain(|budget| budget.upgrade().is_some_and(|budget| look_after(&budget)));
        let mut watched = watched();
        watched.budgets.append(&mut budgets);
        if watched.budgets.is_empty() {
            watched.runs = false;
            return;
        }
    }
}

/// Gives back what is idle; returns whether there is more to look after.
fn look_after(budget: &Arc<Budget>) -> bool {
    // Memory that is freed from here on is either seen by the tick, or its store is watched again.
    budget.watched.store(false, Release);
    budget.tick() && !budget.watched.swap(true, AcqRel)
}
