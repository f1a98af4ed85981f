//! Reading a file: its record first, then its extents, which do not change.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use storage_driver::{Error, ErrorKind, Path, Payload, ReadRange, Reader, Result};

use crate::{
    backend::{Backend, file_key},
    error::explain,
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
                    return Err(crate::error::corrupted(
                        &key,
                        "it is shorter than its header says",
                    ));
                }
                let bytes = bytes.slice(range.start as usize..range.end as usize);
                Ok(Reader::from_payload(name, metadata, range, Payload::from(bytes)))
            }
            (Body::Extents(extents), _) => {
                let stream = Arc::clone(self).extents(&extents, range.clone());
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
        let opened = stream::iter(pieces).then(move |(extent, range)| {
            let backend = Arc::clone(&self);
            async move { backend.piece(&extent, range).await }
        });
        opened.try_flatten()
    }

    async fn piece(
        &self,
        extent: &Extent,
        range: Range<u64>,
    ) -> Result<impl Stream<Item = Result<Bytes>> + Send + 'static + use<>> {
        let whole = range == (0..extent.length);
        let range = (!whole).then_some(range);
        let Some(got) = self.objects.get(&extent.key(), range, None).await? else {
            // The file was removed so long ago that the sweeper has taken its data.
            let text = format!("the extent {} is gone", extent.key());
            return Err(Error::new(ErrorKind::ContentChanged).with_source(text));
        };
        Ok(got.into_stream().map_err(explain).boxed())
    }
}
