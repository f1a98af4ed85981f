//! Counts the items of a stream.

/// How many entries a task takes before it yields to others.
pub(crate) const PAGE: usize = 1000;

/// Counts the items of a stream, and yields after each [`PAGE`].
pub(crate) async fn count<T>(items: impl futures::Stream<Item = T>) -> usize {
    let mut items = std::pin::pin!(items);
    let mut count = 0;
    while let Some(item) = futures::StreamExt::next(&mut items).await {
        drop(item);
        count += 1;
        if count % PAGE == 0 {
            tokio::task::yield_now().await;
        }
    }
    count
}
