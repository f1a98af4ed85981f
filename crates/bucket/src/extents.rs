//! [`ExtentWriter`]: writes content as objects that never change, in parts and in parallel.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::{PutPayload, multipart::PartId};
use storage_driver::{Error, Result};
use tokio::task::JoinSet;

use crate::{
    backend::Backend,
    budget::{Counted, Held},
    error::{corrupted, explain},
    nonce,
    objects::Tag,
    owner::{self, Holder},
    record::Extent,
};

/// How many parts are sent at once: 95 % of the speed of twice as many.
const IN_FLIGHT: usize = 4;
/// More parts than this are more than one extent.
const MAX_PARTS: usize = 10_000;

/// Bytes on their way to the store, with their share of the budget.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) payload: PutPayload,
    /// Released when the store has the part.
    #[expect(dead_code, reason = "released when it is dropped")]
    pub(crate) held: Option<Held>,
}

/// Writes the extents of one opening of an upload, under names that no other opening uses.
#[derive(Debug)]
pub(crate) struct ExtentWriter {
    backend: Arc<Backend>,
    id: String,
    holder: Holder,
    /// The owner, once there is one.
    pub(crate) owner: Option<Tag>,
    /// The beginning of the names of this opening.
    opening: String,
    next: u32,
    open: Option<Open>,
    /// Extents that are complete.
    pub(crate) done: Vec<Extent>,
}

/// The id of a part, or the part and why it was not stored.
type Sent = Result<PartId, (Part, object_store::Error)>;

/// A multipart upload.
#[derive(Debug)]
struct Open {
    name: String,
    multipart: String,
    /// The ids of the parts, by their place. Contiguous at the end.
    parts: Vec<Option<PartId>>,
    in_flight: JoinSet<(usize, Sent)>,
    failed: Vec<(usize, Part)>,
    length: u64,
    /// The last part was added.
    last: bool,
    /// Counts it among the extents that are sent.
    #[expect(dead_code, reason = "counted until it is dropped")]
    sender: Counted,
}

impl ExtentWriter {
    pub(crate) fn new(
        backend: &Arc<Backend>,
        id: String,
        holder: Holder,
        owner: Option<Tag>,
    ) -> Self {
        let backend = Arc::clone(backend);
        let opening = nonce::fresh();
        Self { backend, id, holder, owner, opening, next: 0, open: None, done: Vec::new() }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn holder(&self) -> &Holder {
        &self.holder
    }

    /// Whether an extent is begun.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// The size of the next part.
    pub(crate) fn next_part(&self) -> usize {
        self.backend.budget.part(self.open.as_ref().map_or(0, |open| open.length))
    }

    /// The bytes in extents, those in flight included.
    pub(crate) fn len(&self) -> u64 {
        let done: u64 = self.done.iter().map(|extent| extent.length).sum();
        done + self.open.as_ref().map_or(0, |open| open.length)
    }

    fn next_name(&mut self) -> String {
        self.next += 1;
        format!("{}.{}", self.opening, self.next)
    }

    async fn ensure_owner(&mut self) -> Result<()> {
        if self.owner.is_none() {
            let tag = owner::create(&self.backend.objects, &self.id, self.holder.clone()).await?;
            self.owner = Some(tag);
        }
        Ok(())
    }

    /// Makes sure that a multipart upload takes parts.
    pub(crate) async fn begin(&mut self) -> Result<()> {
        if self.open.as_ref().is_some_and(|open| open.last || open.parts.len() == MAX_PARTS) {
            self.finish(None).await?;
        }
        if self.open.is_none() {
            let sender = self.backend.budget.sender();
            self.ensure_owner().await?;
            let name = self.next_name();
            let key = self.backend.objects.key(&format!("!data/{}/{name}", self.id))?;
            let multipart = self.backend.objects.clients().bulk.create_multipart(&key);
            let multipart = multipart.await.map_err(explain)?;
            self.open = Some(Open {
                name,
                multipart,
                parts: Vec::new(),
                in_flight: JoinSet::new(),
                failed: Vec::new(),
                length: 0,
                last: false,
                sender,
            });
        }
        // A place for one more.
        while self.open.as_ref().is_some_and(|open| open.in_flight.len() >= IN_FLIGHT) {
            self.join_one().await;
        }
        Ok(())
    }

    /// Starts to send a part. After [`begin`](Self::begin).
    pub(crate) fn send(&mut self, part: Part) -> Result<()> {
        let Some(open) = &mut self.open else {
            return Err(Error::other("no extent is open"));
        };
        let place = open.parts.len();
        open.parts.push(None);
        open.length += part.payload.content_length() as u64;
        self.launch(place, part)
    }

    fn launch(&mut self, place: usize, part: Part) -> Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let key = self.backend.objects.key(&format!("!data/{}/{}", self.id, open.name))?;
        let bulk = Arc::clone(&self.backend.objects.clients().bulk);
        let multipart = open.multipart.clone();
        open.in_flight.spawn(async move {
            let sent = bulk.put_part(&key, &multipart, place, part.payload.clone()).await;
            // Its share of the budget is released here, not when someone waits for the part.
            (place, sent.map_err(|error| (part, error)))
        });
        Ok(())
    }

    async fn join_one(&mut self) {
        let Some(open) = &mut self.open else { return };
        if let Some(Ok((place, sent))) = open.in_flight.join_next().await {
            match sent {
                Ok(id) => open.parts[place] = Some(id),
                Err((part, error)) => {
                    tracing::debug!(%error, place, "a part was not stored");
                    open.failed.push((place, part));
                }
            }
        }
    }

    /// Completes the open extent, with `rest` at its end. After an error, what was sent is sent again by the
    /// next call.
    pub(crate) async fn finish(&mut self, rest: Option<Part>) -> Result<()> {
        if let Some(rest) = rest {
            self.send(rest)?;
        }
        let failed = match &mut self.open {
            None => return Ok(()),
            Some(open) => {
                open.last = true;
                std::mem::take(&mut open.failed)
            }
        };
        for (place, part) in failed {
            self.launch(place, part)?;
        }
        while self.open.as_ref().is_some_and(|open| !open.in_flight.is_empty()) {
            self.join_one().await;
        }
        let Some(open) = &self.open else { return Ok(()) };
        if !open.failed.is_empty() || open.parts.iter().any(Option::is_none) {
            let text = format!("{} parts of an extent were not stored", open.failed.len());
            return Err(Error::new(storage_driver::ErrorKind::Unavailable).with_source(text));
        }
        let extent = Extent { id: self.id.clone(), name: open.name.clone(), length: open.length };
        let key = self.backend.objects.key(&extent.key())?;
        let parts = open.parts.iter().flatten().cloned().collect();
        let bulk = &self.backend.objects.clients().bulk;
        if let Err(error) = bulk.complete_multipart(&key, &open.multipart, parts).await {
            // The response may have been lost.
            if self.backend.objects.size(&extent.key()).await? != Some(extent.length) {
                return Err(explain(error));
            }
        }
        self.open = None;
        self.done.push(extent);
        Ok(())
    }

    /// Writes a whole extent with one put.
    pub(crate) async fn put(&mut self, payload: PutPayload) -> Result<()> {
        self.ensure_owner().await?;
        let length = payload.content_length() as u64;
        let extent = Extent { id: self.id.clone(), name: self.next_name(), length };
        self.backend.objects.put_fresh(&extent.key(), payload).await?;
        self.done.push(extent);
        Ok(())
    }

    /// Writes one extent with the content of several of this upload, if there is memory for it.
    pub(crate) async fn join(&mut self, parts: &[Extent]) -> Result<Option<Extent>> {
        let length = parts.iter().map(|extent| extent.length).sum();
        let Some(_held) = self.backend.budget.try_take(length) else { return Ok(None) };
        let reads = parts.iter().cloned().map(|extent| {
            let backend = Arc::clone(&self.backend);
            async move { read(&backend, &extent).await }
        });
        let contents: Vec<Bytes> = stream::iter(reads).buffered(IN_FLIGHT).try_collect().await?;
        let extent = Extent { id: self.id.clone(), name: self.next_name(), length };
        self.backend.objects.put_fresh(&extent.key(), contents.into_iter().collect()).await?;
        Ok(Some(extent))
    }

    /// Aborts the open extent.
    pub(crate) async fn abort(&mut self) {
        if let Some(open) = self.open.take() {
            abort(&self.backend, &self.id, open).await;
        }
    }
}

/// Reads an extent whole.
async fn read(backend: &Backend, extent: &Extent) -> Result<Bytes> {
    let found = backend.objects.get(&extent.key(), None, None).await?;
    let Some(found) = found.filter(|found| found.meta.size == extent.length) else {
        return Err(corrupted(&extent.key(), "it has not the length that the journal says"));
    };
    found.bytes().await.map_err(explain)
}

async fn abort(backend: &Backend, id: &str, mut open: Open) {
    open.in_flight.shutdown().await;
    let Ok(key) = backend.objects.key(&format!("!data/{id}/{}", open.name)) else { return };
    if let Err(error) = backend.objects.clients().bulk.abort_multipart(&key, &open.multipart).await
    {
        tracing::debug!(%error, "a multipart upload was not aborted");
    }
}

impl Drop for ExtentWriter {
    fn drop(&mut self) {
        // A multipart upload costs money until it is aborted. What this misses, the sweeper finds.
        if let Some(open) = self.open.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let (backend, id) = (Arc::clone(&self.backend), self.id.clone());
            runtime.spawn(async move { abort(&backend, &id, open).await });
        }
    }
}
