//! [`Name`]: a name in a directory, and [`Key`], what one is looked up by.

use std::{cmp::Ordering, sync::Arc};

use storage_driver::Error;

use crate::{Usage, budget::Budget, budget::Charge};

/// A name in a directory, counted in the index. Clones share it.
///
/// The first eight bytes stand in it, so that a search in a node nearly always goes without a look
/// at the text, which is elsewhere in memory.
#[derive(Debug, Clone)]
pub(crate) struct Name {
    head: u64,
    text: Arc<(Box<str>, Charge)>,
}

/// A name to look for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key<'a> {
    head: u64,
    text: &'a str,
}

/// The first eight bytes as a number that orders as they do; zeros where there are fewer, which is
/// no byte of a name.
fn head(text: &str) -> u64 {
    let bytes = text.as_bytes();
    match bytes.first_chunk() {
        Some(first) => u64::from_be_bytes(*first),
        None => {
            let mut first = [0; 8];
            first[..bytes.len()].copy_from_slice(bytes);
            u64::from_be_bytes(first)
        }
    }
}

impl Name {
    pub(crate) fn new(name: &str, budget: &Arc<Budget>) -> Result<Self, Error> {
        let charge = Charge::new(budget, Usage::NAME + name.len())?;
        Ok(Self { head: head(name), text: Arc::new((Box::from(name), charge)) })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text.0
    }

    pub(crate) fn key(&self) -> Key<'_> {
        Key { head: self.head, text: self.as_str() }
    }

    /// How this name orders to the one that is looked for.
    pub(crate) fn cmp(&self, key: Key<'_>) -> Ordering {
        self.head.cmp(&key.head).then_with(|| self.as_str().cmp(key.text))
    }
}

impl<'a> From<&'a str> for Key<'a> {
    fn from(text: &'a str) -> Self {
        Self { head: head(text), text }
    }
}

#[cfg(test)]
mod tests;
