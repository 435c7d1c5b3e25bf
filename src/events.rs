//! Events on their way to those who read them, who may be many, slow, or none.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::sync::Notify;

/// Events that may wait for a reader before those that only show progress are left out.
const WAITING_MAX: usize = 1024;

/// Events that may wait for a reader before all are left out. Enough for the first sync of a league
/// with twenty thousand files; at some 200 bytes each it is 13 MB at most.
const EVENTS_MAX: usize = 65_536;

/// What can be told: the events of a client and of a server. No other type can be made one.
pub trait Tell: Clone + sealed::Sealed {
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
                if let Some(event) = waiting.events.pop_front() {
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
    events: VecDeque<T>,
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
    fn push(&mut self, event: T) {
        let waiting = self.events.len();
        if waiting >= WAITING_MAX && event.is_progress() {
            return;
        }
        if waiting >= EVENTS_MAX {
            self.missed += 1;
            return;
        }
        if self.missed > 0 {
            self.events.push_back(T::missed(std::mem::take(&mut self.missed)));
        }
        self.events.push_back(event);
    }
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
        let waiting = Waiting { events: VecDeque::new(), missed: 0, closed: readers.closed };
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
        self.lock().queues.retain(|queue| {
            let Some(queue) = queue.upgrade() else { return false };
            queue.lock().push(event.clone());
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

    #[derive(Clone, Debug, PartialEq)]
    enum Word {
        Progress,
        News(usize),
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
        for number in 0..EVENTS_MAX + 2 {
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
        // Half of the first ones that fitted were progress.
        assert_eq!(missed, [&Word::Missed(2 + WAITING_MAX as u64 / 2)]);
    }
}
