//! The catalog: all repositories.

use futures::{Stream, TryStreamExt, future::ready, stream};
use storage_driver::{Path, WalkOptions};

use super::{base::Store, error::Result, files::Page};
use crate::{layout, name::Name};

impl Store {
    /// The repositories with manifests that come after `last`, in the order of a walk: at most
    /// `limit`. As in distribution, a repository comes where its `_manifests` does.
    pub(crate) async fn catalog(&self, last: Option<&Name>, limit: usize) -> Result<Page<Name>> {
        let mut names = self.repositories(last, limit.saturating_add(1)).await?;
        let more = names.len() > limit;
        names.truncate(limit);
        Ok(Page { items: names, more })
    }

    async fn repositories(&self, last: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
        let root = layout::repositories();
        // Behind all that is in the last one's manifests, and before what may come next to them.
        let after = last.and_then(|last| layout::repository(last).join("_manifests-").ok());
        let ordered = self.capabilities.ordered_walk;
        let options = match &after {
            Some(after) if ordered => WalkOptions::new().start_after(after.clone()),
            _ => WalkOptions::new(),
        };
        // Only what has the name of a repository counts, or a page would end early.
        let mut found: Vec<(Path, Name)> = Vec::new();
        let mut inner = self.inner_directories(options);
        while found.len() < limit || !ordered {
            let Some(dir) = inner.try_next().await? else { break };
            // What else is there names no manifest: leftovers of pushes and deletions that were cut off.
            if dir.name() == Some("_manifests")
                && let Some(name) = repository_of(&root, &dir)
                && let Ok(revisions) = dir.join("revisions")
                && self.is_dir(&revisions).await?
            {
                found.push((dir, name));
            }
        }
        if !ordered {
            found.sort();
            found.retain(|(path, _)| after.as_ref().is_none_or(|after| path > after));
            found.truncate(limit);
        }
        Ok(found.into_iter().map(|(_, name)| name).collect())
    }

    /// Every repository of which anything is left, each once.
    pub(super) fn all_repositories(
        &self,
    ) -> impl Stream<Item = storage_driver::Result<Name>> + Send {
        let root = layout::repositories();
        let mut before = None;
        self.inner_directories(WalkOptions::new()).try_filter_map(move |dir| {
            // Its directories come one after the other, but for repositories that are in it.
            let name = repository_of(&root, &dir).filter(|name| before.as_ref() != Some(name));
            if name.is_some() {
                before.clone_from(&name);
            }
            ready(Ok(name))
        })
    }

    /// The directories that make a repository one: those whose names begin with an underscore. What
    /// is in them is left out.
    fn inner_directories(
        &self,
        options: WalkOptions,
    ) -> impl Stream<Item = storage_driver::Result<Path>> + Send + Unpin {
        let walk = self.driver.walk(&layout::repositories(), options);
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
