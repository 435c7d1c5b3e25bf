//! Events on their way to a host that may be slow to read them.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::mpsc;

/// Events that may wait before those that only show progress are dropped.
const WAITING_MAX: usize = 1024;

/// The sending end.
#[derive(Debug)]
pub(crate) struct EventSender<T> {
    sender: mpsc::UnboundedSender<T>,
    waiting: Arc<AtomicUsize>,
}

/// The receiving end.
#[derive(Debug)]
pub(crate) struct EventReceiver<T> {
    receiver: mpsc::UnboundedReceiver<T>,
    waiting: Arc<AtomicUsize>,
}

/// Makes a queue.
pub(crate) fn queue<T>() -> (EventSender<T>, EventReceiver<T>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    (EventSender { sender, waiting: Arc::clone(&waiting) }, EventReceiver { receiver, waiting })
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

impl<T> EventReceiver<T> {
    /// The next event; `None` once there will be no more.
    pub(crate) async fn recv(&mut self) -> Option<T> {
        let event = self.receiver.recv().await?;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Some(event)
    }
}
