//! One blob on its way into a driver, and out of it again.

use std::time::{Duration, Instant};

use futures::TryStreamExt;
use sha2::{Digest, Sha256};
use storage_driver::{Path, ReadRange, StorageDriver, Writer, WriterOptions};

use crate::{
    failure::Failure,
    options::Options,
    progress::Progress,
    source::{Source, Sum},
};

/// An upload that was committed.
pub(crate) struct Sent {
    /// The checksum of what went in.
    pub(crate) sum: Sum,
    /// Where a second writer took over.
    pub(crate) resumed_at: Option<u64>,
    /// How long the driver took for all of it; the rest is making and hashing it.
    pub(crate) in_driver: Duration,
}

/// Streams the source that `options` names to `path`.
pub(crate) async fn upload(
    driver: &dyn StorageDriver,
    path: &Path,
    options: &Options,
    progress: &Progress,
) -> Result<Sent, Failure> {
    let mut source = Source::start(options.input.clone(), options.chunk);
    // Each chunk is a buffer of its own and no slice of a bigger one.
    let mut open = WriterOptions::create().owned_buffers();
    if let Some(size) = options.input.size() {
        open = open.size_hint(size);
    }
    let mut writer = driver.writer(path, open).await?;
    let (mut interrupt_at, mut resumed_at) = (options.interrupt_at, None);
    let mut in_driver = Duration::ZERO;
    while let Some(batch) = source.next().await {
        let (before, start) = (writer.size(), Instant::now());
        for mut chunk in batch {
            let end = writer.size() + chunk.len() as u64;
            if let Some(at) = interrupt_at.filter(|at| *at <= end) {
                let first = chunk.split_to((at - writer.size()) as usize);
                writer.write(first).await?;
                writer = interrupt(driver, writer).await?;
                (interrupt_at, resumed_at) = (None, Some(writer.size()));
            }
            writer.write(chunk).await?;
        }
        in_driver += start.elapsed();
        progress.add(writer.size() - before)?;
    }
    let sum = source.sum().await?;
    if let Some(at) = interrupt_at {
        let size = writer.size();
        return Err(Failure::run(format!(
            "the source ended at {size}, before --interrupt-at {at}"
        )));
    }
    let start = Instant::now();
    writer.commit().await?;
    in_driver += start.elapsed();
    Ok(Sent { sum, resumed_at, in_driver })
}

/// What a broken connection does to an upload, and what its client does then.
async fn interrupt(driver: &dyn StorageDriver, writer: Writer) -> Result<Writer, Failure> {
    let (path, accepted) = (writer.path().clone(), writer.size());
    drop(writer);
    let writer = driver.writer(&path, WriterOptions::resume()).await?;
    let kept = writer.size();
    if kept != accepted {
        return Err(Failure::run(format!("{accepted} bytes were accepted, {kept} kept")));
    }
    Ok(writer)
}

/// Reads the file at `path` whole and returns its checksum.
pub(crate) async fn read_back(
    driver: &dyn StorageDriver,
    path: &Path,
    progress: &Progress,
) -> Result<Sum, Failure> {
    let mut reader = driver.reader(path, ReadRange::Full).await?;
    let mut hasher = Sha256::new();
    while let Some(data) = reader.try_next().await? {
        hasher.update(&data);
        progress.add(data.len() as u64)?;
    }
    Ok(hasher.finalize().into())
}
