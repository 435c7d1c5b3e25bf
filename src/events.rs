//! Events on their way to their readers, of whom there may be many, slow ones, or none.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker},
};

use futures_core::Stream;
use serde::Serialize;

/// Events that may wait for a reader before those that only show progress are left out.
const WAITING_MAX: usize = 1024;

/// Bytes of events that may wait for a reader before all are left out. Enough for the first sync of a league with
/// twenty thousand files.
const WAITING_BYTES_MAX: usize = 16 * 1024 * 1024;

/// An event of a client or a server. Only [`ClientEvent`](crate::ClientEvent) and [`ServerEvent`](crate::ServerEvent)
/// implement it.
pub trait Event: Clone + Serialize + sealed::Sealed {
    /// Returns `true` for an event that only shows progress, which a slow reader can do without.
    fn is_progress(&self) -> bool;

    /// Makes the event that says that `events` events were left out.
    #[doc(hidden)]
    fn missed(events: u64) -> Self;
}

mod sealed {
    #[expect(unnameable_types, reason = "nobody else can implement a trait that they cannot name")]
    pub trait Sealed {}
}

#[cfg(feature = "client")]
impl sealed::Sealed for liverysync_core::client::Event {}

#[cfg(feature = "client")]
impl Event for liverysync_core::client::Event {
    fn is_progress(&self) -> bool {
        self.is_progress()
    }

    fn missed(events: u64) -> Self {
        Self::Missed { events }
    }
}

#[cfg(feature = "server")]
impl sealed::Sealed for liverysync_core::server::Event {}

#[cfg(feature = "server")]
impl Event for liverysync_core::server::Event {
    fn is_progress(&self) -> bool {
        false
    }

    fn missed(events: u64) -> Self {
        Self::Missed { events }
    }
}

/// A stream of the events from the moment on at which it was made.
///
/// It ends when the client or server has stopped. A slow reader holds nobody up: at most 16 MiB of events wait for it.
/// When 1,024 wait, events that only show progress are left out; when the bytes are used up, all others are too, and
/// an event `Missed` says how many.
///
/// # Example
///
/// ```no_run
/// # #[cfg(feature = "client")]
/// # async fn example(client: liverysync::Client) {
/// use tokio_stream::StreamExt as _;
///
/// let mut first_ten = client.events().take(10);
/// while let Some(event) = first_ten.next().await {
///     println!("{event:?}");
/// }
/// # }
/// ```
#[derive(Debug)]
#[must_use = "events that nobody reads only take memory"]
pub struct Events<E>(Arc<Queue<E>>);

impl<E: Event> Events<E> {
    /// Returns the next event, or `None` once there will be no more. No event is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<E> {
        poll_fn(|context| self.poll(context)).await
    }

    pub(crate) fn poll(&mut self, context: &Context<'_>) -> Poll<Option<E>> {
        let mut waiting = self.0.lock();
        if let Some(event) = waiting.pop() {
            return Poll::Ready(Some(event));
        }
        if waiting.missed > 0 {
            return Poll::Ready(Some(E::missed(std::mem::take(&mut waiting.missed))));
        }
        if waiting.closed {
            return Poll::Ready(None);
        }
        waiting.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl<E: Event> Stream for Events<E> {
    type Item = E;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<E>> {
        self.get_mut().poll(context)
    }
}

/// The events that wait for one reader.
#[derive(Debug)]
struct Queue<E>(Mutex<Waiting<E>>);

#[derive(Debug)]
struct Waiting<E> {
    /// Each event with its approximate size in bytes.
    events: VecDeque<(E, usize)>,
    bytes: usize,
    missed: u64,
    closed: bool,
    /// The reader's task, if it waits.
    waker: Option<Waker>,
}

impl<E> Queue<E> {
    fn lock(&self) -> MutexGuard<'_, Waiting<E>> {
        // Each change is a single step, so the queue is sound after a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E: Event> Waiting<E> {
    fn push(&mut self, event: E, bytes: usize) {
        if self.events.len() >= WAITING_MAX && event.is_progress() {
            return;
        }
        if self.bytes + bytes > WAITING_BYTES_MAX && !self.events.is_empty() {
            self.missed += 1;
            return;
        }
        if self.missed > 0 {
            let missed = E::missed(std::mem::take(&mut self.missed));
            self.events.push_back((missed, 0));
        }
        self.bytes += bytes;
        self.events.push_back((event, bytes));
    }

    fn pop(&mut self) -> Option<E> {
        let (event, bytes) = self.events.pop_front()?;
        self.bytes -= bytes;
        Some(event)
    }
}

/// Returns the approximate size of an event in bytes: itself and its texts, which may be a peer's and of any length.
fn weight<E: Event>(event: &E) -> usize {
    #[derive(Default)]
    struct Counter(usize);
    impl io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter::default();
    // Counting never fails, and an event has a JSON form.
    let _counted = serde_json::to_writer(&mut counter, event);
    size_of::<E>() + counter.0
}

/// Sends each event to all its subscribers. Clones share the subscribers.
#[derive(Debug)]
pub(crate) struct Broadcaster<E>(Arc<Mutex<Subscribers<E>>>);

#[derive(Debug)]
struct Subscribers<E> {
    queues: Vec<Weak<Queue<E>>>,
    closed: bool,
}

impl<E> Clone for Broadcaster<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<E: Event> Broadcaster<E> {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Subscribers { queues: Vec::new(), closed: false })))
    }

    fn lock(&self) -> MutexGuard<'_, Subscribers<E>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the events from now on.
    pub(crate) fn subscribe(&self) -> Events<E> {
        let mut subscribers = self.lock();
        let waiting = Waiting {
            events: VecDeque::new(),
            bytes: 0,
            missed: 0,
            closed: subscribers.closed,
            waker: None,
        };
        let queue = Arc::new(Queue(Mutex::new(waiting)));
        subscribers.queues.push(Arc::downgrade(&queue));
        Events(queue)
    }

    /// Returns the sender of the events. The streams end when it is dropped.
    pub(crate) fn sender(&self) -> EventSender<E> {
        EventSender(self.clone())
    }

    /// Tells all subscribers, and forgets those that were dropped.
    fn send(&self, event: &E) {
        let mut subscribers = self.lock();
        if subscribers.queues.is_empty() {
            return;
        }
        let bytes = weight(event);
        subscribers.queues.retain(|queue| {
            let Some(queue) = queue.upgrade() else { return false };
            let waker = {
                let mut waiting = queue.lock();
                waiting.push(event.clone(), bytes);
                waiting.waker.take()
            };
            waker.into_iter().for_each(Waker::wake);
            true
        });
    }

    fn close(&self) {
        let mut subscribers = self.lock();
        subscribers.closed = true;
        for queue in subscribers.queues.drain(..).filter_map(|queue| queue.upgrade()) {
            let waker = {
                let mut waiting = queue.lock();
                waiting.closed = true;
                waiting.waker.take()
            };
            waker.into_iter().for_each(Waker::wake);
        }
    }
}

/// The sending half of a [`Broadcaster`].
#[derive(Debug)]
pub(crate) struct EventSender<E: Event>(Broadcaster<E>);

impl<E: Event> EventSender<E> {
    pub(crate) fn send(&self, event: &E) {
        self.0.send(event);
    }
}

impl<E: Event> Drop for EventSender<E> {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize)]
    enum Word {
        Progress,
        News(usize),
        Text(String),
        Missed(u64),
    }

    impl sealed::Sealed for Word {}

    impl Event for Word {
        fn is_progress(&self) -> bool {
            *self == Self::Progress
        }

        fn missed(events: u64) -> Self {
            Self::Missed(events)
        }
    }

    async fn all(mut events: Events<Word>) -> Vec<Word> {
        let mut all = Vec::new();
        while let Some(event) = events.next().await {
            all.push(event);
        }
        all
    }

    #[tokio::test]
    async fn waiting_events_are_counted_in_bytes() {
        let broadcaster = Broadcaster::new();
        let mut slow = broadcaster.subscribe();
        // A reader with nothing else to read gets even an event that is larger than the limit.
        let long = Word::Text("x".repeat(WAITING_BYTES_MAX));
        for event in [&long, &long, &Word::News(1)] {
            broadcaster.send(event);
        }
        assert_eq!(slow.next().await, Some(long));
        broadcaster.send(&Word::News(2));
        broadcaster.close();
        assert_eq!(all(slow).await, [Word::Missed(2), Word::News(2)]);
    }

    #[tokio::test]
    async fn a_reader_gets_the_events_since_it_subscribed() {
        let broadcaster = Broadcaster::new();
        let first = broadcaster.subscribe();
        broadcaster.send(&Word::News(1));
        let second = broadcaster.subscribe();
        drop(broadcaster.subscribe());
        broadcaster.send(&Word::News(2));
        broadcaster.close();
        assert_eq!(all(first).await, [Word::News(1), Word::News(2)]);
        assert_eq!(all(second).await, [Word::News(2)]);
        assert_eq!(all(broadcaster.subscribe()).await, []);
    }

    #[tokio::test]
    async fn a_slow_reader_loses_progress_first_and_then_gets_missed() {
        let broadcaster = Broadcaster::new();
        let mut slow = broadcaster.subscribe();
        // More than fits: each takes more than the size of its type.
        for number in 0..WAITING_BYTES_MAX / size_of::<Word>() {
            broadcaster.send(&Word::Progress);
            broadcaster.send(&Word::News(number));
        }
        for _ in 0..WAITING_MAX {
            slow.next().await;
        }
        broadcaster.send(&Word::News(7));
        broadcaster.close();
        let rest = all(slow).await;
        assert_eq!(rest.last(), Some(&Word::News(7)));
        let missed: Vec<_> = rest.iter().filter(|word| matches!(word, Word::Missed(_))).collect();
        assert!(!rest.contains(&Word::Progress));
        let [Word::Missed(events)] = missed[..] else { panic!("{missed:?}") };
        assert!(*events > 0);
    }
}
