//! Speed limits, shared by all links of a client or server.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use liverysync_core::transfer::CHUNK_BYTES;
use tokio::{
    sync::{Mutex, Notify},
    time::{Duration, Instant, timeout},
};

use crate::link::{Reader, Writer};

/// The number of seconds' worth of bytes that may pass at once.
const BURST_SECONDS: f64 = 0.1;

/// Speed limits for the bytes of files, as they are on the wire, over all connections of a client or server together.
/// Other messages are few and do not count.
///
/// # Example
///
/// ```
/// # #[cfg(feature = "client")] {
/// use liverysync::{Client, Limits};
///
/// let limits = Limits::new(Some(500_000), None);
/// let builder = Client::builder("192.168.1.50").limits(limits);
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The limit for outgoing bytes per second; `None` for no limit.
    pub up: Option<u64>,
    /// The limit for incoming bytes per second; `None` for no limit.
    pub down: Option<u64>,
}

impl Limits {
    /// Makes limits for outgoing and incoming bytes per second.
    #[must_use]
    pub const fn new(up: Option<u64>, down: Option<u64>) -> Self {
        Self { up, down }
    }

    /// The lowest limit, in bytes per second; a lower number counts as this one. With less, a piece of a file would
    /// take longer than the other side waits for it.
    pub const MIN: u64 = 50_000;
}

/// The throttles behind the [`Limits`] of a client or server.
#[derive(Clone, Debug)]
pub(crate) struct Throttles {
    up: Arc<Throttle>,
    down: Arc<Throttle>,
}

impl Throttles {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            up: Throttle::new(at_least_min(limits.up)),
            down: Throttle::new(at_least_min(limits.down)),
        }
    }

    /// Changes the limits, also for open links.
    pub(crate) fn set(&self, limits: Limits) {
        self.up.set(at_least_min(limits.up));
        self.down.set(at_least_min(limits.down));
    }

    /// Applies the limits to a link.
    pub(crate) fn apply(&self, reader: &mut Reader, writer: &mut Writer) {
        reader.set_throttle(Arc::clone(&self.down));
        writer.set_throttle(Arc::clone(&self.up));
    }
}

fn at_least_min(bytes_per_second: Option<u64>) -> Option<u64> {
    bytes_per_second.map(|limit| limit.max(Limits::MIN))
}

/// A bucket that fills at a rate. Each piece takes its bytes from it. A piece may take more than there is, and the next
/// one waits until the bucket has recovered.
#[derive(Debug)]
pub(crate) struct Throttle {
    /// Zero for no limit. A limit of nothing at all does not exist.
    bytes_per_second: AtomicU64,
    changed: Notify,
    /// It is locked by the task that waits, so that the others queue up behind it.
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    bytes: f64,
    filled: Instant,
}

impl Bucket {
    /// Fills the bucket up to now. Returns how long it will stay empty.
    fn fill(&mut self, bytes_per_second: u64) -> Duration {
        let rate = bytes_per_second as f64;
        let now = Instant::now();
        let burst = (rate * BURST_SECONDS).max(CHUNK_BYTES as f64);
        self.bytes = (self.bytes + (now - self.filled).as_secs_f64() * rate).min(burst);
        self.filled = now;
        // Timers have a resolution of a millisecond.
        let wait = Duration::try_from_secs_f64(-self.bytes / rate).unwrap_or_default();
        if self.bytes > 0.0 { Duration::ZERO } else { wait.max(Duration::from_millis(1)) }
    }
}

impl Throttle {
    /// Makes a throttle for this many bytes per second; without a number it lets everything pass.
    pub(crate) fn new(bytes_per_second: Option<u64>) -> Arc<Self> {
        let bucket = Bucket { bytes: CHUNK_BYTES as f64, filled: Instant::now() };
        Arc::new(Self {
            bytes_per_second: AtomicU64::new(bytes_per_second.unwrap_or(0)),
            changed: Notify::new(),
            bucket: Mutex::new(bucket),
        })
    }

    /// Changes the limit, also for tasks that wait.
    pub(crate) fn set(&self, bytes_per_second: Option<u64>) {
        self.bytes_per_second.store(bytes_per_second.unwrap_or(0), Ordering::Release);
        self.changed.notify_waiters();
    }

    /// Waits until this many bytes may pass. Dropping the future takes no bytes.
    pub(crate) async fn take(&self, bytes: usize) {
        if self.bytes_per_second.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut bucket = self.bucket.lock().await;
        loop {
            // It is registered before the limit is read, so that no change is missed.
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let limit = self.bytes_per_second.load(Ordering::Acquire);
            if limit == 0 {
                return;
            }
            let wait = bucket.fill(limit);
            if wait.is_zero() {
                bucket.bytes -= bytes as f64;
                return;
            }
            let _in_time = timeout(wait, changed).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u64 = 1024 * 1024;

    async fn seconds<T>(work: impl Future<Output = T>) -> f64 {
        let began = Instant::now();
        work.await;
        began.elapsed().as_secs_f64()
    }

    #[tokio::test(start_paused = true)]
    async fn all_tasks_together_keep_the_rate() {
        let throttle = Throttle::new(Some(RATE));
        let take_much = async || {
            for _ in 0..20 {
                throttle.take(CHUNK_BYTES).await;
            }
        };
        let took = seconds(async { tokio::join!(take_much(), take_much()) }).await;
        // Ten MiB, less the first and the last piece, which may take more than there is.
        assert!((9.4..=10.0).contains(&took), "{took}");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_no_task_waits() {
        let throttle = Throttle::new(None);
        assert_eq!(seconds(throttle.take(usize::MAX)).await, 0.0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_below_the_lowest_counts_as_the_lowest() {
        let throttles = Throttles::new(Limits { up: Some(0), down: Some(1) });
        for throttle in [&throttles.up, &throttles.down] {
            let took = seconds(async {
                for _ in 0..4 {
                    throttle.take(CHUNK_BYTES).await;
                }
            });
            let took = took.await;
            // The first piece passes at once, and the next one makes up for it.
            let due = (2 * CHUNK_BYTES) as f64 / Limits::MIN as f64;
            assert!((due * 0.9..due * 1.6).contains(&took), "{took}, not {due}");
        }
        throttles.set(Limits::default());
        for throttle in [&throttles.up, &throttles.down] {
            assert_eq!(seconds(throttle.take(usize::MAX)).await, 0.0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiting_task_notices_another_limit() {
        let throttle = Throttle::new(Some(1));
        throttle.take(CHUNK_BYTES + 1000).await;
        let raise = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            throttle.set(None);
        };
        let took = seconds(async { tokio::join!(throttle.take(1), raise) }).await;
        assert!(took < 1.1, "{took}");
    }
}
