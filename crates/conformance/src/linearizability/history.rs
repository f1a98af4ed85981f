//! [`History`]: what threads did at the same time, and the search for a sequential order with the same results.

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use super::{
    event::{Call, Event},
    spec::Store,
};

/// The operations of a round.
#[derive(Debug)]
pub(super) struct History {
    before: Store,
    events: Vec<Event>,
    rejects_conflicts: bool,
}

impl History {
    /// A history of at most 32 operations, in a store that held `before`.
    pub(super) fn new(before: Store, mut events: Vec<Event>, rejects_conflicts: bool) -> Self {
        events.sort_by_key(|event| event.called);
        Self { before, events, rejects_conflicts }
    }

    /// Whether there is a sequential order with the same results.
    pub(super) fn is_linearizable(&self) -> bool {
        self.explains(0, &self.before, &mut HashMap::new())
    }

    /// Whether the operations that are not in the set `done` can follow in some order. `tried` has the states from
    /// which they cannot.
    fn explains(&self, done: u32, store: &Store, tried: &mut HashMap<u32, HashSet<Store>>) -> bool {
        let rest = || self.events.iter().enumerate().filter(|(i, _)| done & (1 << i) == 0);
        // An operation that was called after another returned cannot come before it.
        let Some(latest) = rest().map(|(_, event)| event.returned).min() else { return true };
        if tried.get(&done).is_some_and(|stores| stores.contains(store)) {
            return false;
        }
        let found = rest().filter(|(_, event)| event.called < latest).any(|(i, event)| {
            store
                .after(event, self.rejects_conflicts)
                .is_some_and(|store| self.explains(done | (1 << i), &store, tried))
        });
        if !found {
            tried.entry(done).or_default().insert(store.clone());
        }
        found
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  before: {:?}", self.before)?;
        for event in &self.events {
            let Event { thread, call, content, condition, called, returned, outcome } = event;
            write!(f, "  {called:3} to {returned:3}, thread {thread}: {call:?}")?;
            match call {
                Call::Put { .. } | Call::CommitTo { .. } => write!(f, " of {content}")?,
                _ => {}
            }
            if !condition.is_none() {
                write!(f, " under {condition:?}")?;
            }
            writeln!(f, " => {outcome:?}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use storage_driver::{ErrorKind, Precondition, Version};

    use super::*;
    use crate::linearizability::event::{Outcome, When};

    fn put(thread: usize, at: (u64, u64), condition: Precondition, outcome: Outcome) -> Event {
        let call = Call::Put { at: "/a", when: When::Always };
        let (called, returned, content) = (at.0, at.1, thread as u32);
        Event { thread, call, content, condition, called, returned, outcome }
    }

    fn get(at: (u64, u64), outcome: Outcome) -> Event {
        let (called, returned, condition) = (at.0, at.1, Precondition::None);
        let call = Call::Get { at: "/a" };
        Event { thread: 9, call, content: 9, condition, called, returned, outcome }
    }

    fn stored(version: u64) -> Outcome {
        Outcome::File { version: Version::from(version), content: None }
    }

    fn read(version: u64, content: u32) -> Outcome {
        Outcome::File { version: Version::from(version), content: Some(content) }
    }

    #[test]
    fn operations_that_overlap_may_come_in_any_order() {
        for (version, content) in [(1, 1), (2, 2)] {
            let history = vec![
                put(1, (0, 3), Precondition::None, stored(1)),
                put(2, (1, 2), Precondition::None, stored(2)),
                get((4, 5), read(version, content)),
            ];
            assert!(History::new(Store::default(), history, true).is_linearizable());
        }
    }

    #[test]
    fn an_operation_comes_before_one_that_was_called_after_its_return() {
        let history = |read| {
            vec![
                put(1, (0, 1), Precondition::None, stored(1)),
                put(2, (2, 3), Precondition::None, stored(2)),
                get((4, 5), read),
            ]
        };
        assert!(History::new(Store::default(), history(read(2, 2)), true).is_linearizable());
        assert!(
            !History::new(Store::default(), history(read(1, 1)), true).is_linearizable(),
            "a stale read"
        );
        let missing = Outcome::Failed(ErrorKind::PathNotFound);
        assert!(!History::new(Store::default(), history(missing), true).is_linearizable());
    }

    #[test]
    fn one_of_two_puts_if_absent_fails() {
        let history = |second| {
            vec![
                put(1, (0, 3), Precondition::IfAbsent, stored(1)),
                put(2, (1, 2), Precondition::IfAbsent, second),
            ]
        };
        let failed = Outcome::Failed(ErrorKind::PreconditionFailed);
        assert!(History::new(Store::default(), history(failed), true).is_linearizable());
        assert!(!History::new(Store::default(), history(stored(2)), true).is_linearizable());
    }
}
