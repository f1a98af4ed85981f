//! `registry gc`, and the collections of a registry that serves.

use std::{
    io::{self, Write},
    time::Duration,
};

use storage_driver_registry::{ErrorChain, GcOptions, Registry, RegistryBuilder};

use crate::{failure::Failure, settings::Effective, storage};

/// The bounds of the interval at which stale uploads are cancelled.
const SHORTEST_SWEEP: Duration = Duration::from_secs(1);
const LONGEST_SWEEP: Duration = Duration::from_secs(60 * 60);

fn options(settings: &Effective) -> GcOptions {
    GcOptions {
        grace: settings.gc_grace.into(),
        untagged: settings.gc_untagged,
        deep: settings.gc_deep,
        upload_ttl: settings.upload_ttl.into(),
        ..GcOptions::default()
    }
}

/// Deletes garbage, or reports how much there is.
pub(crate) async fn gc(settings: Effective, dry_run: bool) -> Result<(), Failure> {
    // A dry run changes nothing, and does not create a missing store either.
    let driver = storage::open(&settings.storage, dry_run, None).await?;
    let options = GcOptions { dry_run, ..options(&settings) };
    let builder = Registry::builder(driver.clone()).gc_grace(options.grace);
    let registry = named(builder, &settings).build();
    let collected = registry.collect(&options).await;
    let ended = driver.shutdown().await;
    let report = collected.and_then(|report| ended.map(|()| report));
    let failed = |source| Failure::storage(&settings.storage, source);
    let _ = writeln!(io::stdout(), "{}", report.map_err(failed)?);
    Ok(())
}

/// The builder with the name of this process, if it has one.
pub(crate) fn named(builder: RegistryBuilder, settings: &Effective) -> RegistryBuilder {
    match &settings.node {
        Some(name) => builder.node(name),
        None => builder,
    }
}

/// Collects garbage at the interval of the settings, if there is one.
pub(crate) async fn collect(registry: Registry, settings: Effective) {
    let Some(interval) = settings.gc_interval.0 else { return };
    let options = options(&settings);
    loop {
        tokio::time::sleep(interval).await;
        match registry.collect(&options).await {
            Ok(report) => tracing::info!(%report, "garbage collected"),
            Err(error) => {
                tracing::error!(error = %ErrorChain(&error), "the garbage collection failed");
            }
        }
    }
}

/// Cancels abandoned uploads, whether garbage is collected or not.
pub(crate) async fn cancel_stale_uploads(registry: Registry, settings: Effective) {
    let ttl = settings.upload_ttl.into();
    let interval = sweep_interval(ttl);
    loop {
        match registry.cancel_uploads(ttl).await {
            Ok(0) => {}
            Ok(uploads) => tracing::info!(uploads, "stale uploads cancelled"),
            Err(error) => {
                tracing::error!(error = %ErrorChain(&error), "stale uploads cannot be cancelled");
            }
        }
        tokio::time::sleep(interval).await;
    }
}

/// How often stale uploads are cancelled: an upload is kept for at most one and a half times its `ttl`.
fn sweep_interval(ttl: Duration) -> Duration {
    (ttl / 2).clamp(SHORTEST_SWEEP, LONGEST_SWEEP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_are_swept_at_half_of_their_ttl_and_at_least_once_an_hour() {
        let seconds = |ttl| sweep_interval(Duration::from_secs(ttl)).as_secs();
        let hour = 60 * 60;
        assert_eq!([0, 1, 5 * 60, hour, 7 * 24 * hour].map(seconds), [1, 1, 150, hour / 2, hour]);
        assert_eq!(sweep_interval(Duration::from_secs(5)), Duration::from_millis(2500));
        assert_eq!(sweep_interval(Duration::MAX), LONGEST_SWEEP);
    }
}
