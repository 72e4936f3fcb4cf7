//! Futures under way, polled by their owner.
//!
//! The announcer spawns nothing: what is under way lives inside the future that the host drives, and ends with it. The
//! set is small (eight by default), so each wake-up polls all of it; a crate with a ready queue would be quicker for
//! hundreds and is not worth a dependency for eight.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
};

type Task<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A set of futures that run together.
pub(crate) struct InFlight<'a, T> {
    tasks: Vec<Task<'a, T>>,
}

impl<'a, T> InFlight<'a, T> {
    pub(crate) fn new() -> Self {
        Self { tasks: Vec::new() }
    }

    pub(crate) fn push(&mut self, task: impl Future<Output = T> + Send + 'a) {
        self.tasks.push(Box::pin(task));
    }

    pub(crate) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// The output of the next one that ends; waits for ever while there is none.
    ///
    /// Dropping this future forgets nothing: the tasks stay in the set.
    pub(crate) async fn next(&mut self) -> T {
        poll_fn(|context| {
            for index in 0..self.tasks.len() {
                if let Poll::Ready(output) = self.tasks[index].as_mut().poll(context) {
                    // The order within the set means nothing.
                    drop(self.tasks.swap_remove(index));
                    return Poll::Ready(output);
                }
            }
            Poll::Pending
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn they_run_together_and_end_in_their_own_order() {
        let start = tokio::time::Instant::now();
        let mut set = InFlight::new();
        for seconds in [3, 1, 2] {
            set.push(async move {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                seconds
            });
        }
        assert_eq!([set.next().await, set.next().await, set.next().await], [1, 2, 3]);
        assert_eq!((start.elapsed().as_secs(), set.len()), (3, 0));
    }
}
