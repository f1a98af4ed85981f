//! [`every`]: files that are read again from time to time.

use std::time::Duration;

use tokio::time::interval;

/// Calls `reload` forever, with `period` between calls and before the first one.
pub(crate) async fn every<F>(period: Duration, mut reload: impl FnMut() -> F)
where
    F: Future<Output = ()>,
{
    let mut interval = interval(period);
    // The first tick is at once.
    interval.tick().await;
    loop {
        interval.tick().await;
        reload().await;
    }
}
