//! A limit on how fast files travel, shared by all links of a process.

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

/// So many seconds' worth may go at once.
const BURST_SECONDS: f64 = 0.1;

/// How fast the bytes of files may travel, as they are on the wire, over all links of a client or server
/// together. The few other messages do not count.
///
/// # Example
///
/// ```
/// # #[cfg(feature = "client")] {
/// use liverysync::{Client, Limits};
///
/// let limits = Limits { up: Some(500_000), down: None };
/// let builder = Client::builder("192.168.1.50").limits(limits);
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// What leaves, in bytes per second; `None` is as fast as it goes.
    pub up: Option<u64>,
    /// What comes in, in bytes per second; `None` is as fast as it goes.
    pub down: Option<u64>,
}

impl Limits {
    /// The lowest limit there is, in bytes per second; a lower number counts as this one. At less than
    /// that, each end would take the other one for dead.
    pub const LEAST: u64 = 50_000;
}

/// What holds all links of a client or server to its [`Limits`].
#[derive(Clone, Debug)]
pub(crate) struct Throttles {
    up: Arc<Throttle>,
    down: Arc<Throttle>,
}

impl Throttles {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { up: Throttle::new(bearable(limits.up)), down: Throttle::new(bearable(limits.down)) }
    }

    /// Changes the limits, for links that are there too.
    pub(crate) fn set(&self, limits: Limits) {
        self.up.set(bearable(limits.up));
        self.down.set(bearable(limits.down));
    }

    /// Holds a link to the limits from now on.
    pub(crate) fn hold(&self, reader: &mut Reader, writer: &mut Writer) {
        reader.set_throttle(Arc::clone(&self.down));
        writer.set_throttle(Arc::clone(&self.up));
    }
}

fn bearable(bytes_per_second: Option<u64>) -> Option<u64> {
    bytes_per_second.map(|limit| limit.max(Limits::LEAST))
}

/// A bucket that fills at a rate, and from which each piece takes its bytes. A piece may take more
/// than there is; the next one waits until that is made up for.
#[derive(Debug)]
pub(crate) struct Throttle {
    /// Zero for no limit: only people set it, and none of them means "nothing at all".
    bytes_per_second: AtomicU64,
    changed: Notify,
    /// Held by the one whose turn it is to wait: the others stand in line behind it.
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    bytes: f64,
    filled: Instant,
}

impl Bucket {
    /// Fills it up to now; returns how long it will be empty.
    fn fill(&mut self, bytes_per_second: u64) -> Duration {
        let rate = bytes_per_second as f64;
        let now = Instant::now();
        let burst = (rate * BURST_SECONDS).max(CHUNK_BYTES as f64);
        self.bytes = (self.bytes + (now - self.filled).as_secs_f64() * rate).min(burst);
        self.filled = now;
        // The clock of the timers counts in milliseconds.
        let wait = Duration::try_from_secs_f64(-self.bytes / rate).unwrap_or_default();
        if self.bytes > 0.0 { Duration::ZERO } else { wait.max(Duration::from_millis(1)) }
    }
}

impl Throttle {
    /// Lets so many bytes a second through; without a number, all.
    pub(crate) fn new(bytes_per_second: Option<u64>) -> Arc<Self> {
        let bucket = Bucket { bytes: CHUNK_BYTES as f64, filled: Instant::now() };
        Arc::new(Self {
            bytes_per_second: AtomicU64::new(bytes_per_second.unwrap_or(0)),
            changed: Notify::new(),
            bucket: Mutex::new(bucket),
        })
    }

    /// Changes the limit, for those who wait too.
    pub(crate) fn set(&self, bytes_per_second: Option<u64>) {
        self.bytes_per_second.store(bytes_per_second.unwrap_or(0), Ordering::Release);
        self.changed.notify_waiters();
    }

    /// Waits until so many bytes may go. Safe to drop: then they have not gone.
    pub(crate) async fn take(&self, bytes: usize) {
        if self.bytes_per_second.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut bucket = self.bucket.lock().await;
        loop {
            // Asked for before the limit is read: no change is missed.
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
    async fn the_rate_is_kept_whoever_takes() {
        let throttle = Throttle::new(Some(RATE));
        let take_much = async || {
            for _ in 0..20 {
                throttle.take(CHUNK_BYTES).await;
            }
        };
        let took = seconds(async { tokio::join!(take_much(), take_much()) }).await;
        // Ten MiB, but for the first piece, and the last, which may take more than there is.
        assert!((9.4..=10.0).contains(&took), "{took}");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_nobody_waits() {
        let throttle = Throttle::new(None);
        assert_eq!(seconds(throttle.take(usize::MAX)).await, 0.0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_is_never_so_low_that_it_means_none_or_death() {
        let throttles = Throttles::new(Limits { up: Some(0), down: Some(1) });
        for throttle in [&throttles.up, &throttles.down] {
            let took = seconds(async {
                for _ in 0..4 {
                    throttle.take(CHUNK_BYTES).await;
                }
            });
            let took = took.await;
            // The first piece goes at once, and the next one makes up for it.
            let due = (2 * CHUNK_BYTES) as f64 / Limits::LEAST as f64;
            assert!((due * 0.9..due * 1.6).contains(&took), "{took}, not {due}");
        }
        throttles.set(Limits::default());
        for throttle in [&throttles.up, &throttles.down] {
            assert_eq!(seconds(throttle.take(usize::MAX)).await, 0.0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_hears_of_another_limit() {
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
