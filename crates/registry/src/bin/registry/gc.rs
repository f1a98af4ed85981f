//! `registry gc`.

use std::io::{self, Write};

use crate::{
    failure::Failure,
    settings::Effective,
    stand_in::{self, GcOptions},
    storage,
};

/// Removes what nothing refers to, or says what it is.
pub(crate) async fn gc(settings: Effective, dry_run: bool) -> Result<(), Failure> {
    let driver = storage::open(&settings.storage).await?;
    let options = GcOptions {
        interval: None,
        grace: settings.gc_grace.into(),
        untagged: settings.gc_untagged,
    };
    // WIRE: the registry's own collection, of which the report has a line for each thing that counts.
    let report = stand_in::collect(driver, options, settings.upload_ttl.into(), dry_run).await;
    let report = report.map_err(Failure::Registry)?;
    let _ = writeln!(io::stdout(), "{report}");
    Ok(())
}
