//! Pages of a listing.

use futures::{Stream, stream};
use object_store::list::PaginatedListOptions;
use storage_driver::Result;

use super::Objects;
use crate::{envelope::TOMBSTONE_LENGTH, error::explain};

/// One item of a listing: an object, or all that share the beginning of a key up to a slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    /// Below the root of the driver. A prefix has no slash at its end.
    pub(crate) key: String,
    /// The size of an object; `None` for a prefix.
    pub(crate) size: Option<u64>,
    pub(crate) modified: Option<std::time::SystemTime>,
}

impl Item {
    /// Whether it has the length of a tombstone. Nothing else in an envelope has it.
    pub(crate) fn may_be_tombstone(&self) -> bool {
        self.size == Some(TOMBSTONE_LENGTH as u64)
    }
}

/// A page of items.
#[derive(Debug)]
pub(crate) struct Items {
    pub(crate) items: Vec<Item>,
    pub(crate) token: Option<String>,
}

/// Which page of which listing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listing {
    /// The beginning of the keys: empty, or with a slash at its end.
    pub(crate) prefix: String,
    /// Only keys behind this one. A hint: servers ignore it, or start earlier.
    pub(crate) offset: Option<String>,
    /// Whether keys below a further slash are one item.
    pub(crate) by_directory: bool,
    pub(crate) limit: Option<usize>,
}

impl Objects {
    /// All pages of a listing, one after the other.
    pub(crate) fn pages(&self, listing: Listing) -> impl Stream<Item = Result<Vec<Item>>> + Send {
        // Before the first page, behind a page with its token, or at the end.
        let start = Some((listing, None));
        stream::try_unfold(start, async |place| {
            let Some((listing, token)) = place else { return Ok(None) };
            let page = self.list(&listing, token).await?;
            Ok(Some((page.items, page.token.map(|token| (listing, Some(token))))))
        })
    }

    /// All objects whose keys begin with `prefix`, in pages.
    pub(crate) fn pages_below(
        &self,
        prefix: impl Into<String>,
    ) -> impl Stream<Item = Result<Vec<Item>>> + Send {
        self.pages(Listing { prefix: prefix.into(), ..Listing::default() })
    }

    pub(crate) async fn list(&self, listing: &Listing, token: Option<String>) -> Result<Items> {
        let prefix = format!("{}{}", self.root, listing.prefix);
        let options = PaginatedListOptions {
            offset: listing.offset.as_ref().map(|offset| format!("{}{offset}", self.root)),
            delimiter: listing.by_directory.then_some("/".into()),
            max_keys: listing.limit,
            page_token: token,
            ..PaginatedListOptions::default()
        };
        let prefix = Some(prefix.as_str()).filter(|prefix| !prefix.is_empty());
        let page = self.clients.reads.list_paginated(prefix, options).await.map_err(explain)?;
        let below = |key: &str| key.strip_prefix(self.root.as_str()).map(str::to_owned);
        let mut items = Vec::new();
        for object in page.result.objects {
            if let Some(key) = below(object.location.as_ref()) {
                let modified = Some(object.last_modified.into());
                items.push(Item { key, size: Some(object.size), modified });
            }
        }
        for prefix in page.result.common_prefixes {
            if let Some(key) = below(prefix.as_ref()) {
                items.push(Item { key, size: None, modified: None });
            }
        }
        Ok(Items { items, token: page.page_token })
    }
}
