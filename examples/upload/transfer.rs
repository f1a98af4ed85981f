//! One blob on its way into a driver, and out of it again.

use std::time::{Duration, Instant};

use futures::TryStreamExt;
use sha2::{Digest, Sha256};
use storage_driver::{Path, ReadRange, StorageDriver, Writer, WriterOptions};
use tokio::select;

use crate::{
    failure::Failure,
    options::Options,
    progress::Progress,
    source::{Source, Sum},
    stop::Stop,
};

/// An upload that is open for writing.
pub(crate) struct Started {
    pub(crate) writer: Writer,
    /// How many bytes of it an earlier run left, if there was one to go on with.
    pub(crate) kept: Option<u64>,
}

/// How an upload ended that did not fail.
pub(crate) enum Ended {
    Committed(Sent),
    /// Somebody wanted it to end before its time.
    Stopped {
        path: Path,
        kept: u64,
    },
}

/// An upload that was committed.
pub(crate) struct Sent {
    pub(crate) path: Path,
    pub(crate) size: u64,
    /// Where this run began; what lies before is an earlier run's.
    pub(crate) began_at: u64,
    /// The checksum of what went in, from the beginning.
    pub(crate) sum: Sum,
    /// Where a second writer took over.
    pub(crate) taken_over_at: Option<u64>,
    /// How long the driver took for all of it; the rest is making and hashing it.
    pub(crate) in_driver: Duration,
}

/// Opens the upload at `path`: the one in progress if `options` ask for that and there is one, and
/// otherwise a new one, which takes its place.
pub(crate) async fn start(
    driver: &dyn StorageDriver,
    path: &Path,
    options: &Options,
) -> Result<Started, Failure> {
    let hinted = |open: WriterOptions| {
        // Each chunk is a buffer of its own and no slice of a bigger one.
        let open = open.owned_buffers();
        options.input.size().into_iter().fold(open, WriterOptions::size_hint)
    };
    if options.resume {
        match driver.writer(path, hinted(WriterOptions::resume())).await {
            Ok(writer) => {
                let kept = writer.size();
                if let Some(at) = options.interrupt_at.filter(|at| *at < kept) {
                    return Err(Failure::run(format!(
                        "{path} is past --interrupt-at {at}: {kept}"
                    )));
                }
                return Ok(Started { writer, kept: Some(kept) });
            }
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
    }
    let writer = driver.writer(path, hinted(WriterOptions::create())).await?;
    Ok(Started { writer, kept: None })
}

/// Streams the source that `options` names to an upload, from where that stands, and commits it;
/// unless `stop` says to keep it for later.
pub(crate) async fn upload(
    driver: &dyn StorageDriver,
    started: Started,
    options: &Options,
    progress: &Progress,
    mut stop: Stop,
) -> Result<Ended, Failure> {
    let Started { mut writer, .. } = started;
    let (path, began_at) = (writer.path().clone(), writer.size());
    let mut source = Source::start(options.input.clone(), options.chunk, began_at);
    let (mut interrupt_at, mut taken_over_at) = (options.interrupt_at, None);
    // A driver that ends with the process has nothing to keep for another.
    let sync_every = driver.capabilities().durable.then_some(options.sync_every);
    let (mut synced, mut in_driver) = (began_at, Duration::ZERO);
    loop {
        let batch = select! {
            biased;
            () = stop.asked() => {
                let kept = writer.size();
                writer.close().await?;
                return Ok(Ended::Stopped { path, kept });
            }
            batch = source.next() => batch,
        };
        let Some(batch) = batch else { break };
        let (before, start) = (writer.size(), Instant::now());
        for mut chunk in batch {
            let end = writer.size() + chunk.len() as u64;
            if let Some(at) = interrupt_at.filter(|at| *at <= end) {
                let first = chunk.split_to((at - writer.size()) as usize);
                writer.write(first).await?;
                writer = interrupt(driver, writer).await?;
                (interrupt_at, taken_over_at) = (None, Some(writer.size()));
            }
            writer.write(chunk).await?;
            if sync_every.is_some_and(|every| writer.size() - synced >= every) {
                writer.sync().await?;
                synced = writer.size();
            }
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
    let size = writer.commit().await?.size;
    in_driver += start.elapsed();
    Ok(Ended::Committed(Sent { path, size, began_at, sum, taken_over_at, in_driver }))
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
