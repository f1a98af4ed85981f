//! `registry check`: opens the store, and says what it found.

use std::{
    io::{self, Write},
    time::Duration,
};

use storage_driver::{Capabilities, Error, ErrorKind, Health, Operation, Path, StorageDriver};
use tokio::time::timeout;

use crate::{failure::Failure, settings::Effective, storage};

/// How long the store may take to report its health.
const PATIENCE: Duration = Duration::from_secs(60);

/// Opens the store, as `serve` does, and prints what it can do.
///
/// # Errors
///
/// The store cannot be opened, read or, unless the registry is to be read-only, written.
pub(crate) async fn check(settings: Effective) -> Result<(), Failure> {
    let location = &settings.storage;
    let driver = storage::open(location, settings.read_only, None).await?;
    let health = timeout(PATIENCE, driver.health()).await.unwrap_or_else(|_| {
        let cause = format!("no response within {} s", PATIENCE.as_secs());
        let error = Error::new(ErrorKind::Timeout).with_source(cause);
        Health::unavailable(error.context(driver.name(), Operation::Health, &Path::root()))
    });
    let failed = |source| Failure::storage(location, source);
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "store: {location}");
    for (service, text) in found(&*driver, settings.read_only) {
        let _ = writeln!(out, "{service}: {text}");
    }
    for warning in health.warnings() {
        let _ = writeln!(out, "warning: {warning}");
    }
    drop(out);
    driver.shutdown().await.map_err(failed)?;
    health.read.map_err(failed)?;
    if !settings.read_only {
        health.write.map_err(failed)?;
    }
    let _ = writeln!(io::stdout(), "the store can be used");
    Ok(())
}

/// What the registry can do on this driver.
fn found(driver: &dyn StorageDriver, read_only: bool) -> Vec<(&'static str, &'static str)> {
    let it = driver.capabilities();
    let collects = it.touch && it.preconditions;
    let yes = |can: bool, no: &'static str| if can { "yes" } else { no };
    let mut found = vec![
        ("driver", driver.name()),
        ("content outlives the process", yes(it.durable, "no")),
        ("several processes at once", several(driver.name(), it, read_only)),
        ("redirects", yes(it.redirect, "no: the registry sends all content")),
        ("conditional requests", yes(it.preconditions, "no: they fail with 501")),
        ("garbage collection", yes(collects, "no: the driver lacks touch or preconditions")),
    ];
    if !it.keeps_on_drop {
        found.push(("broken uploads", "continue from the end of the last request"));
    }
    found
}

/// Only a bucket is made for several processes, and they need conditions to agree.
fn several(driver: &str, capabilities: Capabilities, read_only: bool) -> &'static str {
    match driver {
        "bucket" if capabilities.preconditions && capabilities.conditional_commit => "yes",
        "bucket" => "no: the store has no conditional writes",
        "filesystem" if read_only => "yes, read-only",
        "filesystem" => "no, except others that are read-only",
        _ => "no",
    }
}
