//! [`StreamTasks`]: the tasks of HTTP/2 streams, each with a deadline.

use std::{sync::Arc, time::Duration};

use hyper::rt::Executor;

use super::progress::Progress;

tokio::task_local! {
    static PROGRESS: Arc<Progress>;
}

/// Runs each HTTP/2 stream as a task, which ends when its client stalls for the write timeout.
///
/// hyper polls a body only while the client grants a window, so that a body cannot end a stalled stream.
/// Dropping the task does: h2 resets the stream and discards unsent data.
#[derive(Debug, Clone)]
pub(super) struct StreamTasks {
    pub(super) write_timeout: Duration,
}

impl StreamTasks {
    /// The progress of the stream whose task this is; `None` in the task of an HTTP/1 connection.
    pub(super) fn progress() -> Option<Arc<Progress>> {
        PROGRESS.try_with(Arc::clone).ok()
    }
}

impl<F> Executor<F> for StreamTasks
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let timeout = self.write_timeout;
        tokio::spawn(async move {
            let progress = Progress::new();
            let stream = PROGRESS.scope(progress.clone(), stream);
            tokio::select! {
                biased;
                _ = stream => {}
                () = progress.stalled(timeout) => tracing::debug!("a stalled stream is reset"),
            }
        });
    }
}
