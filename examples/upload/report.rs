//! The whole run: every upload in, every upload out, and what it took.

use std::{iter, sync::Arc, time::Duration};

use futures::future::try_join_all;
use inmemory::InMemory;
use storage_driver::Path;
use tokio::spawn;

use crate::{
    failure::Failure,
    memory,
    options::Options,
    output::say,
    progress::{Progress, rate},
    size::Size,
    source::Sum,
    transfer::{Sent, read_back, upload},
};

/// Uploads, reads back, compares and tells.
pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    let mut driver = InMemory::builder();
    if let Some(capacity) = options.capacity {
        driver = driver.capacity(capacity);
    }
    let driver = Arc::new(driver.build());
    let paths: Vec<Path> = (0..options.parallel)
        .map(|number| Path::new(format!("/upload/{number}")).map_err(storage_driver::Error::from))
        .collect::<Result<_, _>>()?;
    let options = Arc::new(options);

    let total = options.input.size().map(|size| size.saturating_mul(options.parallel as u64));
    let progress = Arc::new(Progress::new("uploading", total));
    let sent: Vec<Sent> = try_join_all(paths.iter().cloned().map(|path| {
        let (driver, options, progress) = (driver.clone(), options.clone(), progress.clone());
        run_task(async move { upload(&*driver, &path, &options, &progress).await })
    }))
    .await?;
    let (bytes, took) = progress.finish();
    for (sent, path) in iter::zip(&sent, &paths) {
        if let Some(at) = sent.resumed_at {
            say(format!("resumed      {path} at {at}, as much as was accepted"))?;
        }
    }
    say(format!("uploaded     {}", speed(bytes, took)))?;

    let progress = Arc::new(Progress::new("reading back", Some(bytes)));
    let read: Vec<Sum> = try_join_all(paths.iter().cloned().map(|path| {
        let (driver, progress) = (driver.clone(), progress.clone());
        run_task(async move { read_back(&*driver, &path, &progress).await })
    }))
    .await?;
    let (bytes, took) = progress.finish();
    say(format!("read back    {}", speed(bytes, took)))?;

    for ((sent, read), path) in iter::zip(iter::zip(&sent, &read), &paths) {
        let sum = hex(&sent.sum);
        if sent.sum != *read {
            let read = hex(read);
            return Err(Failure::run(format!("{path} went in as {sum} and came out as {read}")));
        }
        say(format!("sha256       {sum} {path}, in and out"))?;
    }
    let usage = driver.usage();
    let (held, index) = (Size(usage.held()), Size(usage.index));
    say(format!("memory held  {held}, {index} of it names and indexes"))?;
    if let Some(peak) = memory::peak() {
        say(format!("peak memory  {}, the whole process", Size(peak)))?;
    }
    let in_driver = sent.iter().map(|sent| sent.in_driver.as_secs_f64()).sum::<f64>();
    if bytes > 0 {
        let ratio = in_driver / memory::seconds_to_copy(bytes);
        say(format!(
            "in writes    {in_driver:.3} s of the upload, {ratio:.2} × memcpy into fresh memory"
        ))?;
    }
    Ok(())
}

/// On a worker of its own, so that uploads run side by side.
async fn run_task<T: Send + 'static>(
    task: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Result<T, Failure> {
    spawn(task).await?
}

fn speed(bytes: u64, took: Duration) -> String {
    let seconds = took.as_secs_f64();
    format!("{} ({bytes} bytes) in {seconds:.2} s, {}", Size(bytes), rate(bytes, seconds))
}

fn hex(sum: &Sum) -> String {
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}
