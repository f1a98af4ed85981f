//! [`cut`]: a future that is dropped half way.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll},
};

/// Polls `operation` up to `polls` times and drops it if it has not ended.
pub(crate) async fn cut<F: Future>(polls: usize, operation: F) -> Option<F::Output> {
    Cut { operation: pin!(operation), polls }.await
}

struct Cut<'a, F> {
    operation: Pin<&'a mut F>,
    polls: usize,
}

impl<F: Future> Future for Cut<'_, F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == 0 {
            return Poll::Ready(None);
        }
        if let Poll::Ready(output) = self.operation.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        self.polls -= 1;
        if self.polls == 0 { Poll::Ready(None) } else { Poll::Pending }
    }
}
