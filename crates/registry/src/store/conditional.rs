//! Changes of manifests and tags that depend on [`Conditions`].

use storage_driver::{Metadata, Path, Payload};

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
        match digest {
            Some(digest) if self.file(&layout::revision(name, &digest)).await?.is_some() => {
                Ok(digest.into())
            }
            _ => Ok(None),
        }
    }

    /// Evaluates `conditions` on the manifest that `reference` names now.
    ///
    /// # Errors
    ///
    /// As [`put_link_if`](Self::put_link_if).
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

    /// Writes the link of `reference` if `conditions` hold. Returns its metadata, and whether it is new.
    ///
    /// Checking and writing are one step: if another client writes in between, the driver refuses, and the
    /// conditions are evaluated again. On a driver without `preconditions`, a concurrent write is not noticed.
    ///
    /// # Errors
    ///
    /// [`Error::PreconditionFailed`] if they do not hold; [`Error::PreconditionUnsupported`] if there are any on a
    /// driver without `preconditions`.
    pub(super) async fn put_link_if(
        &self,
        name: &Name,
        reference: &Reference,
        digest: &Digest,
        conditions: &Conditions,
    ) -> Result<(Metadata, bool)> {
        let path = link_of(name, reference);
        loop {
            let seen = self.file(&path).await?;
            self.check(name, reference, conditions).await?;
            if let (Reference::Tag(tag), true) = (reference, self.options.immutable_tags) {
                self.require_free(name, tag, digest).await?;
            }
            let (is_new, content) = (seen.is_none(), Payload::from(digest.to_string()));
            match self.driver.put_content(&path, content, self.if_unchanged(seen)).await {
                Err(error) if error.is_precondition_failed() => {}
                put => return Ok((put?, is_new)),
            }
        }
    }

    /// Deletes a tag if `conditions` hold, in one step as [`put_link_if`](Self::put_link_if).
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

fn link_of(name: &Name, reference: &Reference) -> Path {
    match reference {
        Reference::Tag(tag) => layout::current(name, tag),
        Reference::Digest(digest) => layout::revision(name, digest),
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
