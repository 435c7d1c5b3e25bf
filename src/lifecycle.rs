//! The lifecycle of a client or server: a task that runs until it is told to stop.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{oneshot, watch};

/// A running task. Dropping this tells the task to stop and does not wait for its end.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    /// Sends the task the request to stop; `None` once that was sent.
    stop: Mutex<Option<oneshot::Sender<()>>>,
    ended: watch::Receiver<()>,
}

/// The request to stop, as the task receives it. It resolves when the task has to end.
pub(crate) type StopRequest = oneshot::Receiver<()>;

impl Lifecycle {
    /// Spawns the task that `task` makes on the current tokio runtime.
    pub(crate) fn spawn<F>(task: impl FnOnce(StopRequest) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (stop, stopped) = oneshot::channel();
        let (end, ended) = watch::channel(());
        let task = task(stopped);
        tokio::spawn(async move {
            task.await;
            drop(end);
        });
        Self { stop: Mutex::new(Some(stop)), ended }
    }

    fn stop_request(&self) -> MutexGuard<'_, Option<oneshot::Sender<()>>> {
        // The value is only ever taken as a whole, so it is sound after a panic.
        self.stop.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns `false` once [`Lifecycle::stop`] was called.
    #[cfg(feature = "client")]
    pub(crate) fn is_running(&self) -> bool {
        self.stop_request().is_some()
    }

    /// Tells the task to stop and waits for its end. The task ends even if this future is dropped.
    pub(crate) async fn stop(&self) {
        if let Some(stop) = self.stop_request().take() {
            // A task that has ended by itself is not there to receive it.
            let _ended = stop.send(());
        }
        // Nothing is ever sent here: the sender is dropped when the task ends or panics.
        let _ended = self.ended.clone().changed().await;
    }
}
