//! Broken drivers: sweeps.

use storage_driver::{SweepOptions, SweepReport};

use super::breakage::*;

broken_drivers! {
    SweepCancels as sweep_that_cancels_uploads: [
        "sweeping::a_sweep_removes_nothing_that_is_visible",
        "sweeping::an_open_upload_survives_a_sweep",
        "sweeping::a_suspended_upload_survives_a_sweep",
    ];
    SweepDeletes as sweep_that_deletes_files: [
        "sweeping::a_sweep_removes_nothing_that_is_visible",
        "sweeping::content_whose_source_was_deleted_survives_a_sweep",
        "sweeping::sweeps_and_writers_at_once_lose_nothing",
    ];
    SweepBringsBack as sweep_that_brings_a_file_back: [
        "sweeping::what_was_deleted_stays_deleted_after_a_sweep",
    ];
    SweepAlwaysSucceeds as sweep_that_succeeds_after_a_shutdown: [
        "shutdown::after_shutdown_errors_of_a_sweep_say_where",
    ];
}

broken! {
    /// 9.5: a sweep takes suspended uploads for leftovers.
    SweepCancels {
        async fn sweep(&self, _: SweepOptions) -> Result<SweepReport> {
            self.inner.cancel_uploads(&Path::root(), Duration::ZERO).await?;
            Ok(SweepReport::new())
        }
    }
}

broken! {
    /// 9.5: a sweep takes files for leftovers.
    SweepDeletes {
        async fn sweep(&self, _: SweepOptions) -> Result<SweepReport> {
            let page = self.inner.list(&Path::root(), ListOptions::new()).await?;
            let files = page.items.iter().filter(|entry| entry.is_file());
            let paths: Vec<Path> = files.map(|entry| entry.path().clone()).collect();
            self.inner.delete_many(&paths).await?;
            Ok(SweepReport::new())
        }
    }
}

broken! {
    /// 9.5: a sweep makes a file that was deleted.
    SweepBringsBack {
        async fn sweep(&self, _: SweepOptions) -> Result<SweepReport> {
            self.inner.put(&path("/d/a"), "x").await?;
            Ok(SweepReport::new())
        }
    }
}

broken! {
    /// 9.4, 9.5: a sweep succeeds after a shutdown.
    SweepAlwaysSucceeds {
        async fn sweep(&self, _: SweepOptions) -> Result<SweepReport> {
            Ok(SweepReport::new())
        }
    }
}
