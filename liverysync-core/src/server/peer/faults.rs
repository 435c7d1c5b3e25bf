//! Failures with files of one client, and the time of the next attempt.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    time::Duration,
};

use crate::{
    hash::ContentHash,
    path::PathKey,
    time::{Time, backoff},
};

/// Failures after which a client that never gives a reason is taken to refuse a file. A single one may have another cause.
const SILENT_FAILURES_MAX: u32 = 3;

/// First and longest wait before a file is offered again to a client that failed to install it. What holds a file is often
/// gone within seconds. If it never is, each attempt may cost the transfer of the whole file.
const RETRY_FIRST: Duration = Duration::from_secs(5);
const RETRY_CAP: Duration = Duration::from_secs(600);

/// Wait before a client is asked again for a file that it could not read: another program may have it open.
const UNREADABLE_RETRY: Duration = Duration::from_secs(60);

/// The contents that a client failed to upload.
#[derive(Debug, Default)]
pub(in crate::server) struct UploadFaults {
    /// By the client's own names: the time until which it is not asked, or `None` until its manifest changes.
    unservable: BTreeMap<(PathKey, ContentHash), Option<Time>>,
}

impl UploadFaults {
    /// Records that the client did not send a content, and is not to be asked for it until its manifest changes.
    pub(in crate::server) fn mark_unservable(&mut self, key: PathKey, hash: ContentHash) {
        self.unservable.insert((key, hash), None);
    }

    /// Records that the client could not read a file.
    pub(in crate::server) fn mark_unreadable(
        &mut self,
        key: PathKey,
        hash: ContentHash,
        now: Time,
    ) {
        self.unservable.insert((key, hash), Some(now + UNREADABLE_RETRY));
    }

    /// Returns whether the client may be asked for a content.
    pub(in crate::server) fn may_serve(&self, key: &PathKey, hash: ContentHash, now: Time) -> bool {
        let until = self.unservable.get(&(key.clone(), hash));
        until.is_none_or(|until| until.is_some_and(|until| until <= now))
    }

    /// Forgets all failures: the client's manifest has changed, and so may have the files.
    pub(in crate::server) fn clear(&mut self) {
        self.unservable.clear();
    }
}

/// Failures to install one content.
#[derive(Clone, Copy, Debug)]
struct Failures {
    hash: ContentHash,
    count: u32,
    retry_at: Time,
}

/// A refusal for good, or until the client says HELLO again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum Refusal {
    /// The client's driver does not want it.
    Declined,
    /// The client cannot install it in the present state of its disk.
    Blocked,
}

/// The contents that a client failed to install, or refused.
#[derive(Debug, Default)]
pub(in crate::server) struct DownloadFaults {
    refused: BTreeMap<(PathKey, ContentHash), Refusal>,
    failures: BTreeMap<PathKey, Failures>,
    /// Files that people were told the client will not get.
    announced: BTreeSet<PathKey>,
    /// A Python client has failed without naming the file. It gets one file a session, so that the next failure is
    /// about a known file.
    pub(in crate::server) one_by_one: bool,
}

impl DownloadFaults {
    /// Returns whether a content may be offered at this time, after failures to install it.
    pub(in crate::server) fn may_retry(&self, key: &PathKey, hash: ContentHash, now: Time) -> bool {
        let failures = self.failures.get(key);
        failures.is_none_or(|failures| failures.hash != hash || failures.retry_at <= now)
    }

    /// Returns how the client has refused a content, if it has.
    pub(in crate::server) fn refusal(&self, key: &PathKey, hash: ContentHash) -> Option<Refusal> {
        self.refused.get(&(key.clone(), hash)).copied()
    }

    /// Records that the client refuses a content.
    pub(in crate::server) fn refuse(&mut self, key: &PathKey, hash: ContentHash, refusal: Refusal) {
        // A refusal outlasts every retry, so no wait is counted beside it.
        self.failures.remove(key);
        self.refused.insert((key.clone(), hash), refusal);
    }

    /// Forgets what the client has refused. Returns whether there was anything.
    pub(in crate::server) fn clear_refused(&mut self) -> bool {
        // People hear again of what the client still refuses.
        self.announced.clear();
        !mem::take(&mut self.refused).is_empty()
    }

    /// Records that the client failed to install a content. Returns whether it will not be offered again.
    ///
    /// A client that is `silent` about its reasons may refuse the file, so after some failures it is taken to. Without
    /// that, the same file would be sent to it for ever.
    pub(in crate::server) fn record_failure(
        &mut self,
        key: &PathKey,
        hash: ContentHash,
        silent: bool,
        now: Time,
    ) -> bool {
        let before = self.failures.get(key).filter(|failures| failures.hash == hash);
        // Another content at the same name is another file: it starts without failures.
        let count = before.map_or(0, |failures| failures.count) + 1;
        if silent && count >= SILENT_FAILURES_MAX {
            self.refuse(key, hash, Refusal::Declined);
            return true;
        }
        let wait = backoff(RETRY_FIRST, count - 1, RETRY_CAP);
        self.failures.insert(key.clone(), Failures { hash, count, retry_at: now + wait });
        false
    }

    /// Forgets the failures to install a file.
    pub(in crate::server) fn clear_failures(&mut self, key: &PathKey) {
        self.failures.remove(key);
    }

    /// Records that people are told of a withheld file. Returns whether they were not told before.
    pub(in crate::server) fn announce(&mut self, key: &PathKey) -> bool {
        self.announced.insert(key.clone())
    }

    /// Lets people be told again of each withheld file.
    pub(in crate::server) fn clear_announced(&mut self) {
        self.announced.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::{Extensions, RelPath};

    fn key() -> PathKey {
        RelPath::parse("a/b.png", &Extensions::default()).unwrap().key().clone()
    }

    const HASH: ContentHash = ContentHash::from_bytes([1; 32]);

    #[test]
    fn a_client_gets_more_time_after_each_failure() {
        let (mut faults, start) = (DownloadFaults::default(), Time::ZERO);
        for seconds in [5, 10, 20] {
            assert!(!faults.record_failure(&key(), HASH, false, start));
            let retry_at = start + Duration::from_secs(seconds);
            assert!(faults.may_retry(&key(), HASH, retry_at));
            let before = Time::from_nanos(retry_at.as_nanos() - 1);
            assert!(!faults.may_retry(&key(), HASH, before));
            let other = ContentHash::from_bytes([2; 32]);
            assert!(faults.may_retry(&key(), other, start), "another content is another try");
        }
        faults.clear_failures(&key());
        assert!(faults.may_retry(&key(), HASH, start));
    }

    #[test]
    fn a_client_that_gives_no_reason_refuses_after_three_failures() {
        let mut faults = DownloadFaults::default();
        let outcomes = [(); 3].map(|()| faults.record_failure(&key(), HASH, true, Time::ZERO));
        assert_eq!(outcomes, [false, false, true]);
        assert_eq!(faults.refusal(&key(), HASH), Some(Refusal::Declined));
        assert!(faults.clear_refused() && faults.refusal(&key(), HASH).is_none());
        assert!(!faults.clear_refused());
    }

    #[test]
    fn an_unreadable_file_is_requested_again_after_a_minute() {
        let (mut faults, start) = (UploadFaults::default(), Time::ZERO);
        faults.mark_unreadable(key(), HASH, start);
        let after = |seconds| start + Duration::from_secs(seconds);
        assert!(!faults.may_serve(&key(), HASH, after(59)));
        assert!(faults.may_serve(&key(), HASH, after(60)));
        faults.mark_unservable(key(), HASH);
        assert!(!faults.may_serve(&key(), HASH, after(100_000)));
        faults.clear();
        assert!(faults.may_serve(&key(), HASH, start));
    }
}
