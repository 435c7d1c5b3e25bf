//! A task that runs until it is stopped, and its events on their way to a host that may be slow to
//! read them.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

/// Events that may wait before those that only show progress are dropped.
const WAITING_MAX: usize = 1024;

/// The sending end.
#[derive(Debug)]
pub(crate) struct EventSender<T> {
    sender: mpsc::UnboundedSender<T>,
    waiting: Arc<AtomicUsize>,
}

/// A task of ours. It ends by itself once this is dropped.
#[derive(Debug)]
pub(crate) struct Running<T> {
    receiver: mpsc::UnboundedReceiver<T>,
    waiting: Arc<AtomicUsize>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl<T> Running<T> {
    /// Starts a task with somewhere to send events, and a word that it is to stop.
    pub(crate) fn start<F: Future<Output = ()> + Send + 'static>(
        task: impl FnOnce(EventSender<T>, oneshot::Receiver<()>) -> F,
    ) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let (stop, stopped) = oneshot::channel();
        let events = EventSender { sender, waiting: Arc::clone(&waiting) };
        Self { receiver, waiting, stop, task: tokio::spawn(task(events, stopped)) }
    }

    /// The next event; `None` once there will be no more. Safe to drop and call again.
    pub(crate) async fn next_event(&mut self) -> Option<T> {
        let event = self.receiver.recv().await?;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Some(event)
    }

    /// Stops the task and waits for its end.
    pub(crate) async fn stop(self) {
        // A task that has ended by itself is stopped already.
        let _ended = self.stop.send(());
        let _panicked = self.task.await;
    }
}

impl<T> EventSender<T> {
    /// Sends an event; one that only shows progress is dropped if the host does not keep up.
    pub(crate) fn send(&self, event: T, is_progress: bool) {
        if is_progress && self.waiting.load(Ordering::Relaxed) >= WAITING_MAX {
            return;
        }
        // A host that has gone does not want to know.
        if self.sender.send(event).is_ok() {
            self.waiting.fetch_add(1, Ordering::Relaxed);
        }
    }
}
