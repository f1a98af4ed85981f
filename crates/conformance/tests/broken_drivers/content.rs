//! Lies about whole content, preconditions, and what is read.

use std::sync::Mutex;

use futures::{StreamExt, stream};
use tokio::task::yield_now;

use crate::breakage::*;

broken! {
    /// 3.3: a put goes through a half-written file.
    TornPut {
        async fn put_content(
            &self,
            path: &Path,
            content: Payload,
            precondition: Precondition,
        ) -> Result<Metadata> {
            let bytes = content.into_bytes();
            let half = bytes.slice(..bytes.len() / 2);
            self.0.put_content(path, half.into(), precondition).await?;
            yield_now().await;
            self.0.put_content(path, bytes.into(), Precondition::None).await
        }
    }
}

broken! {
    /// 3.3: shorter content leaves the end of the longer that it replaces.
    KeepsTheTail {
        async fn put_content(
            &self,
            path: &Path,
            content: Payload,
            precondition: Precondition,
        ) -> Result<Metadata> {
            let mut bytes = content.into_bytes().to_vec();
            if let Ok(old) = self.0.get_bytes(path, u64::MAX).await {
                bytes.extend_from_slice(old.get(bytes.len()..).unwrap_or_default());
            }
            self.0.put_content(path, bytes.into(), precondition).await
        }
    }
}

broken! {
    /// 3.1: content of more than 64 KiB comes back with its halves swapped.
    SwapsParts {
        async fn get_content(&self, path: &Path, limit: u64) -> Result<Content> {
            let content = self.0.get_content(path, limit).await?;
            let (metadata, bytes) = (content.metadata().clone(), content.into_bytes());
            if bytes.len() <= 64 << 10 {
                return Ok(Content::new(metadata, bytes.into()));
            }
            let (first, second) = (bytes.slice(..bytes.len() / 2), bytes.slice(bytes.len() / 2..));
            Ok(Content::new(metadata, Payload::from_iter([second, first])))
        }
    }
}

broken! {
    /// 3.2: the limit is not looked at.
    IgnoresTheLimit {
        async fn get_content(&self, path: &Path, _: u64) -> Result<Content> {
            self.0.get_content(path, u64::MAX).await
        }
    }
}

broken! {
    /// 3.4: `IfVersion` is taken for no condition.
    IgnoresIfVersion {
        async fn put_content(
            &self,
            path: &Path,
            content: Payload,
            precondition: Precondition,
        ) -> Result<Metadata> {
            let precondition = match precondition {
                Precondition::IfVersion(_) => Precondition::None,
                other => other,
            };
            self.0.put_content(path, content, precondition).await
        }
    }
}

broken! {
    /// 3.4: the precondition is checked first, and the put is made later.
    ChecksThenPuts {
        async fn put_content(
            &self,
            path: &Path,
            content: Payload,
            precondition: Precondition,
        ) -> Result<Metadata> {
            let current = match self.0.stat(path).await {
                Ok(Stat::File(file)) => Some(file.version),
                _ => None,
            };
            precondition.check(current.as_ref())?;
            yield_now().await;
            self.0.put_content(path, content, Precondition::None).await
        }
    }
}

broken! {
    /// 9.2: the same without an await in between, so that only real threads come between.
    ChecksThenPutsAtOnce {
        async fn put_content(
            &self,
            path: &Path,
            content: Payload,
            precondition: Precondition,
        ) -> Result<Metadata> {
            let current = match self.0.stat(path).await {
                Ok(Stat::File(file)) => Some(file.version),
                _ => None,
            };
            precondition.check(current.as_ref())?;
            (0..2000).for_each(|_| std::hint::spin_loop());
            self.0.put_content(path, content, Precondition::None).await
        }
    }
}

/// The size that was asked for first.
#[derive(Debug, Default)]
pub(crate) struct RemembersSizes {
    honest: Reference,
    sizes: Mutex<std::collections::HashMap<Path, u64>>,
}

/// 6.1: `stat` gives the size that it gave first.
#[async_trait]
impl Breakage for RemembersSizes {
    fn honest(&self) -> &Reference {
        &self.honest
    }

    async fn stat(&self, path: &Path) -> Result<Stat> {
        let stat = self.honest.stat(path).await?;
        Ok(match stat {
            Stat::File(mut file) => {
                let mut sizes = self.sizes.lock().unwrap();
                file.size = *sizes.entry(path.clone()).or_insert(file.size);
                Stat::File(file)
            }
            directory => directory,
        })
    }
}

broken! {
    /// 4.1: the end of a range is taken in.
    TakesTheEndIn {
        async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader> {
            let range = match range {
                ReadRange::Bounded(range) => ReadRange::Bounded(range.start..range.end + 1),
                other => other,
            };
            self.0.reader(path, range).await
        }
    }
}

broken! {
    /// 4.1: the last bytes may be no more than there are.
    CountsLastBytes {
        async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader> {
            let size = self.0.stat(path).await?.into_file()?.size;
            let range = match range {
                ReadRange::Suffix(length) => ReadRange::Offset(size.wrapping_sub(length)),
                other => other,
            };
            self.0.reader(path, range).await
        }
    }
}

broken! {
    /// 4.1: an offset past the end gives nothing, as if it were the end.
    ForgivesOffsets {
        async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader> {
            match self.0.reader(path, range).await {
                Err(error) if matches!(error.kind(), ErrorKind::InvalidOffset { .. }) => {
                    self.0.reader(path, ReadRange::Suffix(0)).await
                }
                other => other,
            }
        }
    }
}

/// A reader that looks at the file as it is now, at every chunk.
async fn live_reader(driver: &Reference, path: &Path, range: ReadRange) -> Result<Reader> {
    let (metadata, range) = {
        let reader = driver.reader(path, range).await?;
        (reader.metadata().clone(), reader.range())
    };
    let (driver, path, end) = (driver.clone(), path.clone(), range.end);
    // A few bytes, and then long chunks.
    let chunks = stream::unfold(range.start, move |offset| {
        let (driver, path) = (driver.clone(), path.clone());
        async move {
            let next = end.min(offset + if offset < 64 { 7 } else { 1 << 16 });
            if next == offset {
                return None;
            }
            let chunk = driver.get_range(&path, (offset..next).into(), 1 << 16).await;
            Some((chunk.map(Content::into_bytes), next))
        }
    });
    Ok(Reader::new("reference", metadata, range, chunks))
}

broken! {
    /// 4.3: a reader looks at the file as it is now, at every chunk.
    ReadsLive {
        async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader> {
            live_reader(&self.0, path, range).await
        }
    }
}

/// Where files were appended to.
#[derive(Debug, Default)]
pub(crate) struct ReadsAppendsLive {
    honest: Reference,
    appended: Mutex<std::collections::HashSet<Path>>,
}

/// 4.3: a reader of a file that came from an append goes live: it gives zeros for what was there
/// when it was opened, once more was appended.
#[async_trait]
impl Breakage for ReadsAppendsLive {
    fn honest(&self) -> &Reference {
        &self.honest
    }

    async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
        if let WriteMode::Append { .. } = options.mode {
            self.appended.lock().unwrap().insert(path.clone());
        }
        self.honest.writer(path, options).await
    }

    async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader> {
        if !self.appended.lock().unwrap().contains(path) {
            return self.honest.reader(path, range).await;
        }
        let (driver, at) = (self.honest.clone(), path.clone());
        let reader = self.honest.reader(path, range).await?;
        let (metadata, range) = (reader.metadata().clone(), reader.range());
        let size = metadata.size;
        let chunks = reader.then(move |chunk| {
            let (driver, at) = (driver.clone(), at.clone());
            async move {
                let chunk = chunk?;
                match driver.stat(&at).await.and_then(Stat::into_file) {
                    Ok(file) if file.size != size => Ok(vec![0; chunk.len()].into()),
                    _ => Ok(chunk),
                }
            }
        });
        Ok(Reader::new("reference", metadata, range, chunks))
    }
}

/// 2.1: a version is made of the time and the size.
#[derive(Debug, Default)]
pub(crate) struct SameMomentSameVersion(Reference);

fn dated(mut file: Metadata) -> Metadata {
    file.version = storage_driver::Version::new(format!("{:?} {}", file.modified, file.size));
    file
}

#[async_trait]
impl Breakage for SameMomentSameVersion {
    fn honest(&self) -> &Reference {
        &self.0
    }

    async fn put_content(
        &self,
        path: &Path,
        content: Payload,
        precondition: Precondition,
    ) -> Result<Metadata> {
        self.0.put_content(path, content, precondition).await.map(dated)
    }

    async fn stat(&self, path: &Path) -> Result<Stat> {
        Ok(match self.0.stat(path).await? {
            Stat::File(file) => Stat::File(dated(file)),
            directory => directory,
        })
    }
}

broken! {
    /// 4.4: a reader ends one byte early, as if that were all.
    EndsEarly {
        async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader> {
            let reader = self.0.reader(path, range).await?;
            let (metadata, range) = (reader.metadata().clone(), reader.range());
            let range = range.start..range.end.saturating_sub(1).max(range.start);
            let mut left = (range.end - range.start) as usize;
            let chunks = reader.map(move |chunk| {
                let chunk = chunk?;
                let taken = chunk.slice(..left.min(chunk.len()));
                left -= taken.len();
                Ok(taken)
            });
            Ok(Reader::new("reference", metadata, range, chunks))
        }
    }
}

broken! {
    /// 4.6: a directory is said not to be there.
    DeniesDirectories {
        async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader> {
            self.0.reader(path, range).await.map_err(|error| match error.kind() {
                ErrorKind::IsADirectory => Error::new(ErrorKind::PathNotFound).at(path).context(
                    "reference",
                    storage_driver::Operation::Reader,
                    path,
                ),
                _ => error,
            })
        }
    }
}

broken! {
    /// 8.1: an error says what, and not where.
    GivesNoContext {
        async fn get_content(&self, path: &Path, limit: u64) -> Result<Content> {
            self.0.get_content(path, limit).await.map_err(|error| Error::new(error.kind()))
        }
    }
}
