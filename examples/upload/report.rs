//! The whole run: every upload in, every upload out, and what it took.

use std::{iter, sync::Arc, time::Duration};

use futures::future::try_join_all;
use storage_driver::Path;
use tokio::{select, spawn};

use crate::{
    failure::Failure,
    options::Options,
    output::say,
    progress::{Progress, rate},
    size::Size,
    source::Sum,
    stop::Stop,
    store::Store,
    transfer::{Ended, Sent, Started, read_back, start, upload},
};

/// Uploads, reads back, compares and tells.
pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    let store = Store::open(&options.to).await?;
    let result = transfer(&store, options).await;
    // Leaves the store in order for the next run, whatever came of this one.
    let shut = store.driver.shutdown().await;
    result.and(shut.map_err(Failure::from))
}

async fn transfer(store: &Store, options: Options) -> Result<(), Failure> {
    let mut stop = store.stop();
    let sent = send(store, Arc::new(options), &stop).await?;
    let read = select! {
        read = receive(store, &sent) => read?,
        () = stop.asked() => {
            return Err(Failure::interrupted("interrupted; all of it is committed"));
        }
    };
    compare(&sent, &read)?;
    let bytes = sent.iter().map(|sent| sent.size - sent.began_at).sum();
    let in_driver = sent.iter().map(|sent| sent.in_driver.as_secs_f64()).sum();
    store.tell(sent.iter().map(|sent| (&sent.path, sent.size)), bytes, in_driver)
}

/// Uploads to every path, all at once.
async fn send(store: &Store, options: Arc<Options>, stop: &Stop) -> Result<Vec<Sent>, Failure> {
    let paths: Vec<Path> = (0..options.parallel)
        .map(|number| Path::new(format!("/upload/{number}")).map_err(storage_driver::Error::from))
        .collect::<Result<_, _>>()?;
    let started: Vec<Started> =
        try_join_all(paths.iter().map(|path| start(&*store.driver, path, &options))).await?;
    if options.resume {
        for Started { writer, kept } in &started {
            let path = writer.path();
            say(match kept {
                Some(at) => format!("resumed      {path} at {at}, kept by an earlier run"),
                None => format!("started      {path} anew, for no upload is in progress there"),
            })?;
        }
    }

    let kept: u64 = started.iter().map(|started| started.writer.size()).sum();
    let total = options.input.size().map(|size| size.saturating_mul(options.parallel as u64));
    let total = total.map(|total| total.saturating_sub(kept));
    let progress = Arc::new(Progress::new("uploading", total));
    let ended = try_join_all(started.into_iter().map(|started| {
        let (driver, options, progress) = (store.driver.clone(), options.clone(), progress.clone());
        let stop = stop.clone();
        run_task(async move { upload(&*driver, started, &options, &progress, stop).await })
    }))
    .await;
    let (bytes, took) = progress.finish();
    let sent = all_committed(ended?)?;
    for Sent { path, taken_over_at, .. } in &sent {
        if let Some(at) = taken_over_at {
            say(format!("resumed      {path} at {at}, as much as was accepted"))?;
        }
    }
    say(format!("uploaded     {}", speed(bytes, took)))?;
    Ok(sent)
}

fn all_committed(ended: Vec<Ended>) -> Result<Vec<Sent>, Failure> {
    let (mut sent, mut stopped) = (Vec::new(), false);
    for ended in ended {
        match ended {
            Ended::Committed(one) => sent.push(one),
            Ended::Stopped { path, kept } => {
                stopped = true;
                say(format!("kept         {path}, {} ({kept} bytes)", Size(kept)))?;
            }
        }
    }
    if stopped {
        return Err(Failure::interrupted("interrupted; the same with --resume goes on"));
    }
    Ok(sent)
}

/// Reads every path back, all at once.
async fn receive(store: &Store, sent: &[Sent]) -> Result<Vec<Sum>, Failure> {
    let total = sent.iter().map(|sent| sent.size).sum();
    let progress = Arc::new(Progress::new("reading back", Some(total)));
    let read = try_join_all(sent.iter().map(|sent| {
        let (driver, path, progress) = (store.driver.clone(), sent.path.clone(), progress.clone());
        run_task(async move { read_back(&*driver, &path, &progress).await })
    }))
    .await?;
    let (bytes, took) = progress.finish();
    say(format!("read back    {}", speed(bytes, took)))?;
    Ok(read)
}

fn compare(sent: &[Sent], read: &[Sum]) -> Result<(), Failure> {
    for (sent, read) in iter::zip(sent, read) {
        let (path, sum) = (&sent.path, hex(&sent.sum));
        if sent.sum != *read {
            let why = match sent.began_at {
                0 => "",
                _ => "; what an earlier run left was of another source",
            };
            let read = hex(read);
            return Err(Failure::run(format!(
                "{path} went in as {sum} and came out as {read}{why}"
            )));
        }
        say(format!("sha256       {sum} {path}, in and out"))?;
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
