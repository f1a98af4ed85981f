//! [`Keyed`]: state that concurrent requests of this node on the same key share. Only the uploads use it, as an economy.

use std::{
    collections::HashMap,
    hash::Hash,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A value for each key that is in use. The first request on a key creates the value, the last one
/// removes it, so that the table is as large as the number of keys in use.
#[derive(Debug)]
pub(super) struct Keyed<K, V>(Mutex<HashMap<K, Slot<V>>>);

#[derive(Debug)]
struct Slot<V> {
    value: Arc<V>,
    requests: usize,
}

/// A key in use. It is in the table until this is dropped.
#[derive(Debug)]
pub(super) struct InUse<'a, K: Eq + Hash, V> {
    table: &'a Keyed<K, V>,
    key: K,
    value: Arc<V>,
}

impl<K, V> Default for Keyed<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V> Keyed<K, V> {
    fn table(&self) -> MutexGuard<'_, HashMap<K, Slot<V>>> {
        // A panic cannot leave the map in an inconsistent state.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter(&self, key: K) -> InUse<'_, K, V>
    where
        K: Clone,
        V: Default,
    {
        let mut table = self.table();
        let slot =
            table.entry(key.clone()).or_insert_with(|| Slot { value: Arc::default(), requests: 0 });
        slot.requests += 1;
        InUse { table: self, key, value: Arc::clone(&slot.value) }
    }

    /// The value of a key that is in use.
    pub(super) fn get(&self, key: &K) -> Option<Arc<V>> {
        self.table().get(key).map(|slot| Arc::clone(&slot.value))
    }
}

impl<K: Eq + Hash, V> Deref for InUse<'_, K, V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.value
    }
}

impl<K: Eq + Hash, V> Drop for InUse<'_, K, V> {
    fn drop(&mut self) {
        let mut table = self.table.table();
        if let Some(slot) = table.get_mut(&self.key) {
            slot.requests -= 1;
            if slot.requests == 0 {
                table.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_in_the_table_until_its_last_request_ends() {
        let table = Keyed::<&str, Mutex<u64>>::default();
        let first = table.enter("key");
        *first.lock().unwrap() = 1;
        let second = table.enter("key");
        let reference = table.get(&"key");
        drop(first);
        assert_eq!(*table.get(&"key").unwrap().lock().unwrap(), 1);
        drop(second);
        assert!(reference.is_some() && table.get(&"key").is_none() && table.table().is_empty());
    }
}
