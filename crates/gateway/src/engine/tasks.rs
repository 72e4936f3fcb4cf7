//! The room of long-lived tasks: everything the gateway does after it has answered runs here, and is waited for.

use std::{
    future::Future,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::task::JoinSet;

#[derive(Default)]
pub(crate) struct Tasks {
    set: Mutex<JoinSet<()>>,
}

impl Tasks {
    /// Runs `future` until it ends or the gateway does.
    pub(crate) fn run(&self, future: impl Future<Output = ()> + Send + 'static) {
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        // What has ended is let go, so that a long-running gateway does not grow.
        while let Some(ended) = set.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(%error, "a task of the gateway failed");
            }
        }
        set.spawn(future);
    }

    /// Waits for all tasks, at most `drain`; ends the rest. True when none was left.
    pub(crate) async fn finish(&self, drain: Duration) -> bool {
        let mut set = std::mem::take(&mut *self.set.lock().unwrap_or_else(PoisonError::into_inner));
        let all = async { while set.join_next().await.is_some() {} };
        let done = tokio::time::timeout(drain, all).await.is_ok();
        set.shutdown().await;
        done
    }
}
