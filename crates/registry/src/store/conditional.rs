//! Changes of manifests and tags that depend on [`Conditions`].

use super::{
    base::Store,
    conditions::Conditions,
    error::{Error, Result},
};
use crate::{
    digest::Digest,
    layout,
    name::{Name, Reference, Tag},
};

impl Store {
    /// The digest of the manifest that `reference` names, if that manifest can be pulled.
    pub(crate) async fn current(
        &self,
        name: &Name,
        reference: &Reference,
    ) -> Result<Option<Digest>> {
        let digest = match reference {
            Reference::Digest(digest) => Some(*digest),
            Reference::Tag(tag) => self.tagged(name, tag).await?,
        };
        self.if_present(name, digest).await
    }

    /// Evaluates `conditions` on the manifest that `reference` names now.
    ///
    /// # Errors
    ///
    /// [`Error::PreconditionFailed`] if they do not hold; [`Error::PreconditionUnsupported`] if there are any on a
    /// driver without `preconditions`.
    pub(crate) async fn check(
        &self,
        name: &Name,
        reference: &Reference,
        conditions: &Conditions,
    ) -> Result<()> {
        if conditions.is_none() {
            return Ok(());
        }
        self.require_preconditions()?;
        conditions.check(self.current(name, reference).await?.as_ref())
    }

    /// Deletes a tag if `conditions` hold, in one step: if another client writes in between, the conditions are
    /// evaluated again.
    pub(super) async fn delete_tag_if(
        &self,
        name: &Name,
        tag: &Tag,
        conditions: &Conditions,
    ) -> Result<()> {
        let path = layout::current(name, tag);
        let reference = Reference::Tag(tag.clone());
        loop {
            let Some(seen) = self.file(&path).await? else {
                return Err(Error::manifest_unknown(tag));
            };
            self.check(name, &reference, conditions).await?;
            if self.deleted(&path, self.if_version(seen.version)).await? {
                break;
            }
        }
        // Not the whole directory of the tag: another client may have pushed it again.
        self.delete_dir_if_any(&layout::tag_indexes(name, tag)).await
    }

    fn require_preconditions(&self) -> Result<()> {
        if self.capabilities.preconditions {
            return Ok(());
        }
        Err(Error::PreconditionUnsupported)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{super::conditions::Selector, *};
    use crate::{metrics::CacheMetrics, options::Options};

    #[tokio::test]
    async fn a_condition_fails_on_a_driver_without_conditional_writes() {
        let driver = Arc::new(inmemory::InMemory::new());
        let mut store = Store::new(driver, Options::default(), CacheMetrics::default());
        store.capabilities.preconditions = false;
        let conditions = Conditions { not_matching: Some(Selector::Any), ..Conditions::default() };
        let (name, tag) = (Name::parse("a").unwrap(), Tag::parse("b").unwrap());
        let checked = store.check(&name, &Reference::Tag(tag), &conditions).await;
        assert!(matches!(checked, Err(Error::PreconditionUnsupported)), "{checked:?}");
    }
}
