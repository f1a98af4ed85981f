//! Reading a file: its record first, then its extents, which do not change.

mod ahead;

use std::sync::Arc;

use futures::{TryStreamExt, stream};
use storage_driver::{ErrorKind, Path, Payload, ReadRange, Reader, Result};

use crate::{
    backend::{Backend, file_key},
    error::{corrupted, explain},
    namespace::At,
    objects::Opened,
    record::Body,
};
use ahead::Content;

impl Backend {
    pub(crate) async fn reader(
        self: &Arc<Self>,
        name: &'static str,
        path: &Path,
        range: &ReadRange,
    ) -> Result<Reader> {
        let key = file_key(path);
        let opened = self.objects.open(&key).await?;
        let at = match &opened {
            None => At::Nothing(None),
            Some(Opened::Envelope(found) | Opened::Foreign(found, _)) => At::of(&key, Some(found))?,
        };
        let At::File(file) = at else { return Err(self.no_file(path).await) };
        let metadata = file.metadata(path);
        let range = range.resolve(file.record.size)?;
        match (file.record.body, opened) {
            (Body::Inline(bytes), _) => {
                if bytes.len() as u64 != file.record.size {
                    return Err(corrupted(&key, "it is shorter than its header says"));
                }
                let bytes = bytes.slice(range.start as usize..range.end as usize);
                let bytes = self.budget.take(bytes.len() as u64).into_bytes(bytes);
                Ok(Reader::from_payload(name, metadata, range, Payload::from(bytes)))
            }
            (Body::Extents(extents), _) => {
                let content = Content::new(Arc::clone(self), path.clone(), &extents, range.clone());
                let stream = stream::try_unfold(content, async |mut content| {
                    Ok(content.next().await?.map(|chunk| (chunk, content)))
                });
                Ok(Reader::new(name, metadata, range, stream))
            }
            (Body::Foreign, Some(Opened::Foreign(_, got))) if range == (0..file.record.size) => {
                let stream = got.into_stream().map_err(explain);
                Ok(Reader::new(name, metadata, range, stream))
            }
            (Body::Foreign, _) if range.is_empty() => {
                Ok(Reader::from_payload(name, metadata, range, Payload::new()))
            }
            (Body::Foreign, _) => {
                let got =
                    self.objects.get(&key, Some(range.clone()), Some(&file.state.tag)).await?;
                let got = got.ok_or(ErrorKind::ContentChanged)?;
                Ok(Reader::new(name, metadata, range, got.into_stream().map_err(explain)))
            }
        }
    }
}
