//! Changes of manifests and tags that depend on [`Conditions`].

use storage_driver::{Metadata, Path, Payload, Precondition};

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

    /// Writes the link of `reference` if `conditions` hold. Checking and writing are one step: if another
    /// client writes in between, the driver refuses, and the conditions are evaluated again.
    ///
    /// # Errors
    ///
    /// [`Error::PreconditionFailed`] if they do not hold; [`Error::PreconditionUnsupported`] on a driver without
    /// `preconditions`.
    pub(super) async fn put_link_if(
        &self,
        name: &Name,
        reference: &Reference,
        digest: &Digest,
        conditions: &Conditions,
    ) -> Result<Metadata> {
        let path = link_of(name, reference);
        if conditions.is_none() {
            return Ok(self.put_link(&path, digest).await?);
        }
        loop {
            let seen = self.seen(&path).await?;
            conditions.check(self.current(name, reference).await?.as_ref())?;
            if let (Reference::Tag(tag), true) = (reference, self.options.immutable_tags) {
                self.require_free(name, tag, digest).await?;
            }
            let content = Payload::from(digest.to_string());
            match self.driver.put_content(&path, content, seen).await {
                Err(error) if error.is_precondition_failed() => {}
                put => return Ok(put?),
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
            let seen = self.seen(&path).await?;
            if seen == Precondition::IfAbsent {
                return Err(Error::manifest_unknown(tag));
            }
            conditions.check(self.current(name, &reference).await?.as_ref())?;
            match self.driver.delete(&path, seen).await {
                Err(error) if error.is_not_found() || error.is_precondition_failed() => {}
                deleted => {
                    deleted?;
                    break;
                }
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

    /// The precondition that the file at `path` is unchanged.
    async fn seen(&self, path: &Path) -> Result<Precondition> {
        self.require_preconditions()?;
        let file = self.file(path).await?;
        Ok(file.map_or(Precondition::IfAbsent, |file| Precondition::IfVersion(file.version)))
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
    use crate::options::Options;

    #[tokio::test]
    async fn a_condition_fails_on_a_driver_without_conditional_writes() {
        let driver = Arc::new(inmemory::InMemory::new());
        let mut store = Store::new(driver, Options::default());
        store.capabilities.preconditions = false;
        let conditions = Conditions { not_matching: Some(Selector::Any), ..Conditions::default() };
        let (name, tag) = (Name::parse("a").unwrap(), Tag::parse("b").unwrap());
        let checked = store.check(&name, &Reference::Tag(tag), &conditions).await;
        assert!(matches!(checked, Err(Error::PreconditionUnsupported)), "{checked:?}");
    }
}
