//! The histogram of a duration.

use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

/// Buckets from 0.25 ms, the time of a lookup in memory, to 67 s, in steps of 4. Each series costs one counter a
/// bucket; ten show the order of magnitude.
pub(super) fn durations() -> Histogram {
    Histogram::new(exponential_buckets(0.00025, 4.0, 10))
}
