//! Reading a file: its record first, then its extents, which do not change.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use storage_driver::{Error, ErrorKind, Path, Payload, ReadRange, Reader, Result};

use crate::{
    backend::{Backend, file_key},
    error::{corrupted, explain},
    namespace::At,
    objects::Opened,
    record::{Body, Extent},
};

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
                Ok(Reader::from_payload(name, metadata, range, Payload::from(bytes)))
            }
            (Body::Extents(extents), _) => {
                let stream = Arc::clone(self).extents(path, &extents, range.clone());
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
                let got = self.objects.get(&key, Some(range.clone()), Some(&file.tag)).await?;
                let got = got.ok_or(ErrorKind::ContentChanged)?;
                Ok(Reader::new(name, metadata, range, got.into_stream().map_err(explain)))
            }
        }
    }

    /// The bytes `range` of the content that `extents` hold.
    fn extents(
        self: Arc<Self>,
        path: &Path,
        extents: &[Extent],
        range: Range<u64>,
    ) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
        let mut pieces = Vec::new();
        let mut start = 0;
        for extent in extents {
            let end = start + extent.length;
            let (from, to) = (range.start.max(start), range.end.min(end));
            if from < to {
                pieces.push((extent.clone(), from - start..to - start));
            }
            start = end;
        }
        let path = path.clone();
        let opened = stream::iter(pieces).then(move |(extent, range)| {
            let (backend, path) = (Arc::clone(&self), path.clone());
            async move { backend.piece(&path, &extent, range).await }
        });
        opened.try_flatten()
    }

    async fn piece(
        &self,
        path: &Path,
        extent: &Extent,
        range: Range<u64>,
    ) -> Result<impl Stream<Item = Result<Bytes>> + Send + 'static + use<>> {
        let whole = range == (0..extent.length);
        let range = (!whole).then_some(range);
        match self.objects.get(&extent.key(), range, None).await? {
            Some(got) => Ok(got.into_stream().map_err(explain).boxed()),
            None => Err(self.missing(path, extent).await?),
        }
    }

    /// The error for an extent that is gone.
    async fn missing(&self, path: &Path, extent: &Extent) -> Result<Error> {
        let key = extent.key();
        Ok(match self.at(path).await? {
            At::File(file) if file.record.extents().contains(extent) => {
                corrupted(&key, "the store has lost it, or another program has removed it")
            }
            // The file was replaced or removed so long ago that the sweeper has taken its data.
            _ => Error::new(ErrorKind::ContentChanged)
                .with_source(format!("the extent {key} is gone")),
        })
    }
}
