//! Events on their way to those who read them, who may be many, slow, or none.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use serde::Serialize;
use tokio::sync::Notify;

/// Events that may wait for a reader before those that only show progress are left out.
const WAITING_MAX: usize = 1024;

/// About how many bytes of events may wait for a reader before all are left out. Enough for the first
/// sync of a league with twenty thousand files.
const WAITING_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What can be told: the events of a client and of a server. No other type can be made one.
pub trait Tell: Clone + Serialize + sealed::Sealed {
    /// Whether a slow reader can do without.
    fn is_progress(&self) -> bool;

    /// Says that so many were left out.
    fn missed(events: u64) -> Self;
}

mod sealed {
    #[expect(unnameable_types, reason = "that nobody can name it is what seals it")]
    pub trait Sealed {}
}

#[cfg(feature = "client")]
impl sealed::Sealed for liverysync_core::client::Event {}

#[cfg(feature = "client")]
impl Tell for liverysync_core::client::Event {
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
impl Tell for liverysync_core::server::Event {
    fn is_progress(&self) -> bool {
        false
    }

    fn missed(events: u64) -> Self {
        Self::Missed { events }
    }
}

/// What happens from the moment on at which it was asked for.
///
/// A reader that is slow misses events that only show progress first. If it is so slow that others
/// are left out too, an event `Missed` stands in their place.
#[derive(Debug)]
pub struct Events<T>(Arc<Queue<T>>);

impl<T: Tell> Events<T> {
    /// The next event; `None` once there will be no more. Safe to drop and call again.
    pub async fn next(&mut self) -> Option<T> {
        loop {
            {
                let mut waiting = self.0.lock();
                if let Some(event) = waiting.pop() {
                    return Some(event);
                }
                if waiting.missed > 0 {
                    return Some(T::missed(std::mem::take(&mut waiting.missed)));
                }
                if waiting.closed {
                    return None;
                }
            }
            self.0.news.notified().await;
        }
    }
}

/// What waits for one reader.
#[derive(Debug)]
struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
    news: Notify,
}

#[derive(Debug)]
struct Waiting<T> {
    /// Each with about how many bytes it takes.
    events: VecDeque<(T, usize)>,
    bytes: usize,
    missed: u64,
    closed: bool,
}

impl<T> Queue<T> {
    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        // Each change of it is a single step, so one that a panic left behind is sound.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Tell> Waiting<T> {
    fn push(&mut self, event: T, bytes: usize) {
        if self.events.len() >= WAITING_MAX && event.is_progress() {
            return;
        }
        if self.bytes + bytes > WAITING_BYTES_MAX && !self.events.is_empty() {
            self.missed += 1;
            return;
        }
        if self.missed > 0 {
            let missed = T::missed(std::mem::take(&mut self.missed));
            self.events.push_back((missed, 0));
        }
        self.bytes += bytes;
        self.events.push_back((event, bytes));
    }

    fn pop(&mut self) -> Option<T> {
        let (event, bytes) = self.events.pop_front()?;
        self.bytes -= bytes;
        Some(event)
    }
}

/// About how many bytes an event takes: itself and its texts, which may be a peer's and of any length.
fn weight<T: Tell>(event: &T) -> usize {
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
    size_of::<T>() + counter.0
}

/// Where events come in; all who have asked for them get them.
#[derive(Debug)]
pub(crate) struct Hub<T>(Arc<Mutex<Readers<T>>>);

#[derive(Debug)]
struct Readers<T> {
    queues: Vec<Weak<Queue<T>>>,
    closed: bool,
}

impl<T> Clone for Hub<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Tell> Hub<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Readers { queues: Vec::new(), closed: false })))
    }

    fn lock(&self) -> MutexGuard<'_, Readers<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new reader.
    pub(crate) fn events(&self) -> Events<T> {
        let mut readers = self.lock();
        let waiting =
            Waiting { events: VecDeque::new(), bytes: 0, missed: 0, closed: readers.closed };
        let queue = Arc::new(Queue { waiting: Mutex::new(waiting), news: Notify::new() });
        readers.queues.push(Arc::downgrade(&queue));
        Events(queue)
    }

    /// The end from which events come; once it is dropped there will be no more.
    pub(crate) fn source(&self) -> Source<T> {
        Source(self.clone())
    }

    /// Tells all readers, and forgets those who have gone.
    fn send(&self, event: &T) {
        let mut readers = self.lock();
        if readers.queues.is_empty() {
            return;
        }
        let bytes = weight(event);
        readers.queues.retain(|queue| {
            let Some(queue) = queue.upgrade() else { return false };
            queue.lock().push(event.clone(), bytes);
            queue.news.notify_one();
            true
        });
    }

    pub(crate) fn close(&self) {
        let mut readers = self.lock();
        readers.closed = true;
        for queue in readers.queues.drain(..).filter_map(|queue| queue.upgrade()) {
            queue.lock().closed = true;
            queue.news.notify_one();
        }
    }
}

/// Where events come from.
#[derive(Debug)]
pub(crate) struct Source<T: Tell>(Hub<T>);

impl<T: Tell> Source<T> {
    pub(crate) fn send(&self, event: &T) {
        self.0.send(event);
    }
}

impl<T: Tell> Drop for Source<T> {
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

    impl Tell for Word {
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
    async fn what_waits_is_counted_in_bytes() {
        let hub = Hub::new();
        let mut slow = hub.events();
        // Even one that is larger than all that may wait is told to who has nothing else to read.
        let long = Word::Text("x".repeat(WAITING_BYTES_MAX));
        for event in [&long, &long, &Word::News(1)] {
            hub.send(event);
        }
        assert_eq!(slow.next().await, Some(long));
        hub.send(&Word::News(2));
        hub.close();
        assert_eq!(all(slow).await, [Word::Missed(2), Word::News(2)]);
    }

    #[tokio::test]
    async fn each_reader_gets_what_happens_from_when_it_asked() {
        let hub = Hub::new();
        let first = hub.events();
        hub.send(&Word::News(1));
        let second = hub.events();
        drop(hub.events());
        hub.send(&Word::News(2));
        hub.close();
        assert_eq!(all(first).await, [Word::News(1), Word::News(2)]);
        assert_eq!(all(second).await, [Word::News(2)]);
        assert_eq!(all(hub.events()).await, []);
    }

    #[tokio::test]
    async fn a_slow_reader_loses_progress_first_and_is_told_of_the_rest() {
        let hub = Hub::new();
        let mut slow = hub.events();
        // More than fits: each takes more than the size of its type.
        for number in 0..WAITING_BYTES_MAX / size_of::<Word>() {
            hub.send(&Word::Progress);
            hub.send(&Word::News(number));
        }
        for _ in 0..WAITING_MAX {
            slow.next().await;
        }
        hub.send(&Word::News(7));
        hub.close();
        let rest = all(slow).await;
        assert_eq!(rest.last(), Some(&Word::News(7)));
        let missed: Vec<_> = rest.iter().filter(|word| matches!(word, Word::Missed(_))).collect();
        assert!(!rest.contains(&Word::Progress));
        let [Word::Missed(events)] = missed[..] else { panic!("{missed:?}") };
        assert!(*events > 0);
    }
}
