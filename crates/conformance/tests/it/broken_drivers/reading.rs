//! Broken drivers: readers and ranges.

use std::{collections::HashSet, sync::Mutex};

use futures::{StreamExt, stream};

use super::breakage::*;

broken_drivers! {
    TakesTheEndIn as off_by_one_range: [
        "reading::a_bounded_range_leaves_out_its_end",
        "model::sequences_return_what_the_model_returns",
    ];
    CountsLastBytes as more_last_bytes_than_there_are: [
        "reading::more_last_bytes_than_there_are_give_all",
    ];
    ForgivesOffsets as forgiven_offset: ["reading::offset_past_the_size_is_an_invalid_offset"];
    ReadsLive as reader_of_the_current_content: [
        "snapshots::a_reader_holds_its_content_under_a_put",
        "model::sequences_return_what_the_model_returns",
    ];
    ReadsAppendsLive as reader_of_the_current_content_after_an_append: [
        "snapshots::a_reader_of_an_appended_file_holds_its_content_under_an_append",
    ];
    EndsEarly as early_end: ["reading::a_reader_gives_all"];
    DeniesDirectories as wrong_kind_of_error: ["reading::a_directory_cannot_be_read"];
}

broken! {
    /// 4.1: a range includes its end.
    TakesTheEndIn {
        async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader> {
            let range = match range {
                ReadRange::Bounded(range) => ReadRange::Bounded(range.start..range.end + 1),
                other => other,
            };
            self.inner.reader(path, range).await
        }
    }
}

broken! {
    /// 4.1: more last bytes than the file has are an error.
    CountsLastBytes {
        async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader> {
            let size = self.inner.stat(path).await?.into_file()?.size;
            let range = match range {
                ReadRange::Suffix(length) => ReadRange::Offset(size.wrapping_sub(length)),
                other => other,
            };
            self.inner.reader(path, range).await
        }
    }
}

broken! {
    /// 4.1: an offset past the end gives an empty stream.
    ForgivesOffsets {
        async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader> {
            match self.inner.reader(path, range).await {
                Err(error) if matches!(error.kind(), ErrorKind::InvalidOffset { .. }) => {
                    self.inner.reader(path, ReadRange::Suffix(0)).await
                }
                other => other,
            }
        }
    }
}

/// A reader that reads each chunk from the current file.
async fn live_reader(driver: &Reference, path: &Path, range: ReadRange) -> Result<Reader> {
    let (metadata, range) = {
        let reader = driver.reader(path, range).await?;
        (reader.metadata().clone(), reader.range())
    };
    let (driver, path, end) = (driver.clone(), path.clone(), range.end);
    // A few short chunks, and then long ones.
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
    /// 4.3: a reader reads each chunk from the current file.
    ReadsLive {
        async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader> {
            live_reader(&self.inner, path, range).await
        }
    }
}

broken! {
    /// 4.3: a reader of a file that was appended to returns zeros once the file is appended to again.
    ReadsAppendsLive(appended: Mutex<HashSet<Path>>) {
        async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
            if let WriteMode::Append { .. } = options.mode {
                self.appended.lock().unwrap().insert(path.clone());
            }
            self.inner.writer(path, options).await
        }

        async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader> {
            if !self.appended.lock().unwrap().contains(path) {
                return self.inner.reader(path, range).await;
            }
            let (driver, at) = (self.inner.clone(), path.clone());
            let reader = self.inner.reader(path, range).await?;
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
}

broken! {
    /// 4.4: a reader ends one byte early.
    EndsEarly {
        async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader> {
            let reader = self.inner.reader(path, range).await?;
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
    /// 4.6: a directory is not found.
    DeniesDirectories {
        async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader> {
            self.inner.reader(path, range).await.map_err(|error| match error.kind() {
                ErrorKind::IsADirectory => Error::new(ErrorKind::PathNotFound)
                    .at(path)
                    .context("reference", Operation::Reader, path),
                _ => error,
            })
        }
    }
}
