//! The catalog: all repositories.

use futures::{Stream, StreamExt, TryStreamExt, future::ready, stream};
use storage_driver::{Path, WalkOptions};

use super::{
    base::Store,
    error::{Error, Result},
    files::{CONCURRENCY, Page},
};
use crate::{layout, name::Name};

impl Store {
    /// At most `limit` repositories with manifests that order after `last`. As in distribution, the order is that
    /// of a walk: a repository is where its `_manifests` is.
    pub(crate) async fn catalog(&self, last: Option<&Name>, limit: usize) -> Result<Page<Name>> {
        let mut names = self.repositories(last, limit.saturating_add(1)).await?;
        let more = names.len() > limit;
        names.truncate(limit);
        Ok(Page { items: names, more })
    }

    async fn repositories(&self, last: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
        let root = layout::repositories();
        // After everything in the manifests of the last one, and before its other entries.
        let after = last.and_then(|last| layout::repository(last).join("_manifests-").ok());
        let ordered = self.capabilities.ordered_walk;
        let options = match &after {
            Some(after) if ordered => WalkOptions::new().start_after(after.clone()),
            _ => WalkOptions::new(),
        };
        let candidates = self.inner_directories(options).try_filter_map(move |dir| {
            // Only valid names count. Otherwise a page could end early.
            let name = repository_of(&root, &dir).filter(|_| dir.name() == Some("_manifests"));
            ready(Ok(name.map(|name| (dir, name))))
        });
        // The walk continues meanwhile.
        let looked_up =
            candidates.map_err(Error::from).map_ok(async |(dir, name): (Path, Name)| {
                // Directories without it are leftovers of interrupted pushes and deletions.
                let Ok(revisions) = dir.join("revisions") else { return Ok(None) };
                Ok(self.is_dir(&revisions).await?.then_some((dir, name)))
            });
        let found = looked_up.try_buffered(CONCURRENCY).try_filter_map(|found| ready(Ok(found)));
        let most = if ordered { limit } else { usize::MAX };
        let mut found: Vec<(Path, Name)> = found.take(most).try_collect().await?;
        if !ordered {
            found.sort();
            found.retain(|(path, _)| after.as_ref().is_none_or(|after| path > after));
            found.truncate(limit);
        }
        Ok(found.into_iter().map(|(_, name)| name).collect())
    }

    /// Every repository that has any entry, each once.
    pub(super) fn all_repositories(
        &self,
    ) -> impl Stream<Item = storage_driver::Result<Name>> + Send {
        let root = layout::repositories();
        let mut before = None;
        self.inner_directories(WalkOptions::new()).try_filter_map(move |dir| {
            // Its directories follow one another, except for repositories inside it.
            let name = repository_of(&root, &dir).filter(|name| before.as_ref() != Some(name));
            if name.is_some() {
                before.clone_from(&name);
            }
            ready(Ok(name))
        })
    }

    /// The directories of repositories, whose names begin with an underscore, without their content.
    fn inner_directories(
        &self,
        options: WalkOptions,
    ) -> impl Stream<Item = storage_driver::Result<Path>> + Send + Unpin {
        let walk = self.driver.walk(&layout::repositories(), options.names_only());
        Box::pin(stream::try_unfold(walk, async |mut walk| {
            loop {
                let entry = match walk.try_next().await {
                    Ok(Some(entry)) => entry,
                    Err(error) if !error.is_not_found() => return Err(error),
                    _ => return Ok(None),
                };
                if entry.name().starts_with('_') {
                    walk.skip_dir();
                    if entry.is_dir() {
                        return Ok(Some((entry.path().clone(), walk)));
                    }
                }
            }
        }))
    }
}

/// The repository that a directory belongs to.
fn repository_of(root: &Path, dir: &Path) -> Option<Name> {
    let (name, _) = dir.strip_prefix(root)?.rsplit_once('/')?;
    Name::parse(name).ok()
}
