//! [`Name`]: a name in a directory.

use std::sync::Arc;

use storage_driver::Error;

use crate::{Usage, budget::Budget, budget::Charge};

/// A name in a directory, counted in the index. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Name(Arc<(Box<str>, Charge)>);

impl Name {
    pub(crate) fn new(name: &str, budget: &Arc<Budget>) -> Result<Self, Error> {
        let charge = Charge::new(budget, Usage::NAME + name.len())?;
        Ok(Self(Arc::new((Box::from(name), charge))))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0.0
    }
}
