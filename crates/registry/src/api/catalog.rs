//! The catalog: the repositories that the sender of a request may pull from, a page at a time.

use http::request::Parts;

use super::{error::Result, service::Api};
use crate::{access::Action, name::Name};

/// How many repositories one request scans. A page that is not full by then ends, and the next page
/// continues from there.
const MAX_SCANNED: usize = 10_000;

/// A page of the catalog.
pub(crate) struct Repositories {
    pub(crate) names: Vec<Name>,
    /// The value of `last` for the next page, if there may be one.
    pub(crate) next: Option<String>,
}

impl Api {
    /// At most `limit` repositories that come after `last` and that the sender may pull from.
    pub(crate) async fn repositories(
        &self,
        parts: &Parts,
        last: Option<&str>,
        limit: usize,
    ) -> Result<Repositories> {
        self.admit(parts, None, Action::Catalog).await?;
        let last = last.filter(|last| !last.is_empty());
        let mut last = last.map(|last| self.cursors.parse(last)).transpose()?;
        let mut names = Vec::new();
        if limit == 0 {
            return Ok(Repositories { names, next: None });
        }
        // One more than the page has, to know whether another follows.
        let (mut scanned, mut size) = (0, limit + 1);
        loop {
            let page = self.store.catalog(last.as_ref(), size).await?;
            scanned += page.items.len();
            last = page.items.last().cloned().or(last);
            names.extend(self.visible(parts, page.items).await?);
            if names.len() > limit {
                names.truncate(limit);
                let next = names.last().map(Name::to_string);
                return Ok(Repositories { names, next });
            }
            if !page.more || scanned >= MAX_SCANNED {
                let next = last.filter(|_| page.more).map(|last| self.cursors.seal(&last));
                return Ok(Repositories { names, next: next.transpose()? });
            }
            size = (size * 2).min(MAX_SCANNED - scanned);
        }
    }

    async fn visible(&self, parts: &Parts, names: Vec<Name>) -> Result<Vec<Name>> {
        let Some(authorize) = &self.authorize else { return Ok(names) };
        let asked: Vec<&str> = names.iter().map(Name::as_str).collect();
        let allowed = authorize.may_pull(parts, &asked).await?;
        let names = names.into_iter().zip(allowed);
        Ok(names.filter_map(|(name, allowed)| allowed.then_some(name)).collect())
    }
}
