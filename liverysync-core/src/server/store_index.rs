//! The index of the store: the state of each content, and the contents to remove when the store is full.
//!
//! ```text
//! (absent) --begin--> Uploading --mark_stored--> Stored --remove--> (absent)
//!                       |  ^
//!                  close|  |begin
//!                       v  |
//!                     Closing --closed--> Partial --remove--> (absent)
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    time::Duration,
};

use crate::{
    hash::{Content, ContentHash},
    inspect::ContentFacts,
    time::{Time, backoff},
};

/// First and longest wait before a content that could not be read is sent again. The server may just have too many files
/// open, or somebody has to look after its disk.
const READ_RETRY_FIRST: Duration = Duration::from_secs(5);
const READ_RETRY_CAP: Duration = Duration::from_secs(600);

/// Time before people are told again of a content that cannot be read.
const READ_FAULT_NEWS: Duration = Duration::from_secs(3600);

/// Time before a content is verified again. A target may complain as often as it likes.
const VERIFY_INTERVAL: Duration = Duration::from_secs(3600);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BlobState {
    /// An upload is bringing it.
    Uploading,
    /// Its upload has ended early. The host will say how many bytes came.
    Closing,
    /// The store has this many bytes of it, from an upload that ended early.
    Partial(u64),
    /// The store has all of it, and its hash is right.
    Stored,
}

#[derive(Clone, Copy, Debug)]
struct Blob {
    size: u64,
    state: BlobState,
    /// When it was last needed, by the index's own counter.
    used: u64,
    /// Number of downloads that read it.
    readers: usize,
    read_fault: Option<ReadFault>,
    /// When the store was last asked to verify it.
    verified_at: Option<Time>,
}

/// Failures to read a content that is still there.
#[derive(Clone, Copy, Debug)]
struct ReadFault {
    /// Failures since it was last read to its end.
    count: u32,
    retry_at: Time,
    told_at: Time,
}

impl Blob {
    /// Returns whether no upload writes it and no download reads it.
    const fn is_idle(&self) -> bool {
        self.readers == 0 && matches!(self.state, BlobState::Stored | BlobState::Partial(_))
    }
}

/// The state of each content in the store.
#[derive(Debug, Default)]
pub(super) struct StoreIndex {
    blobs: BTreeMap<ContentHash, Blob>,
    bytes: u64,
    /// Counts uses, so that the least recently used content can be found without a clock.
    uses: u64,
    /// Contents that the store has received, lost and inspected since the union was last told.
    stored: BTreeSet<Content>,
    lost: BTreeSet<Content>,
    inspected: BTreeMap<Content, ContentFacts>,
}

impl StoreIndex {
    /// Returns whether the store has all of a content.
    pub(super) fn is_stored(&self, content: Content) -> bool {
        self.state(content) == Some(BlobState::Stored)
    }

    /// Returns whether the store has any of a content, or an upload is bringing it.
    pub(super) fn has(&self, content: Content) -> bool {
        self.state(content).is_some()
    }

    /// Returns whether a source may be asked for a content.
    ///
    /// One hash has one length, so a second upload waits also if it announces another length: the first one shows
    /// who is right.
    pub(super) fn can_begin(&self, content: Content) -> bool {
        let blob = self.blobs.get(&content.hash);
        blob.is_none_or(|blob| matches!(blob.state, BlobState::Partial(_)))
    }

    /// Returns whether a download of a content can start: the store has it, or an upload is bringing it.
    pub(super) fn is_available(&self, content: Content) -> bool {
        matches!(self.state(content), Some(BlobState::Stored | BlobState::Uploading))
    }

    /// Returns whether a content cannot exist, because the store has its hash with another length.
    pub(super) fn contradicts(&self, content: Content) -> bool {
        let blob = self.blobs.get(&content.hash);
        blob.is_some_and(|blob| blob.state == BlobState::Stored && blob.size != content.size)
    }

    /// Returns the number of bytes that an upload left here when it ended early.
    pub(super) fn partial_bytes(&self, content: Content) -> u64 {
        match self.state(content) {
            Some(BlobState::Partial(bytes)) => bytes,
            _ => 0,
        }
    }

    /// Returns the content that the store has, or is getting, under this hash.
    pub(super) fn content(&self, hash: ContentHash) -> Option<Content> {
        self.blobs.get(&hash).map(|blob| Content { hash, size: blob.size })
    }

    /// Returns whether the store has a content that no upload writes and no download reads.
    pub(super) fn is_unused(&self, content: Content) -> bool {
        self.blobs.get(&content.hash).is_some_and(Blob::is_idle)
    }

    fn state(&self, content: Content) -> Option<BlobState> {
        let blob = self.blobs.get(&content.hash).filter(|blob| blob.size == content.size);
        blob.map(|blob| blob.state)
    }

    /// Returns the number of bytes in the store, counting each upload under way as complete.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Records that an upload is bringing a content.
    pub(super) fn begin(&mut self, content: Content) {
        self.set(content, BlobState::Uploading);
    }

    /// Records that the store has all of a content.
    pub(super) fn mark_stored(&mut self, content: Content) {
        self.set(content, BlobState::Stored);
        self.stored.insert(content);
    }

    /// Returns the contents that the store has received since the last call.
    pub(super) fn take_stored(&mut self) -> BTreeSet<Content> {
        mem::take(&mut self.stored)
    }

    /// Records what the bytes of a content tell.
    pub(super) fn mark_inspected(&mut self, content: Content, facts: ContentFacts) {
        self.inspected.insert(content, facts);
    }

    /// Returns the contents that were inspected since the last call.
    pub(super) fn take_inspected(&mut self) -> BTreeMap<Content, ContentFacts> {
        mem::take(&mut self.inspected)
    }

    /// Returns the contents that the store has lost since the last call. It may have got some of them back.
    pub(super) fn take_lost(&mut self) -> BTreeSet<Content> {
        mem::take(&mut self.lost)
    }

    fn set(&mut self, content: Content, state: BlobState) {
        if !self.has(content) {
            // A partial content that was announced with another length cannot be resumed.
            self.drop_blob(content.hash);
        }
        self.uses += 1;
        let used = self.uses;
        let blob = self.blobs.entry(content.hash).or_insert_with(|| {
            // All of it counts from the beginning, so that uploads at the same time cannot fill the disk together.
            self.bytes = self.bytes.saturating_add(content.size);
            Blob {
                size: content.size,
                state,
                used,
                readers: 0,
                read_fault: None,
                verified_at: None,
            }
        });
        // An upload counts as a use: what somebody needed last is likely to be needed by the next peer.
        (blob.state, blob.used) = (state, used);
    }

    /// Records that the upload of a content has ended early.
    pub(super) fn close(&mut self, hash: ContentHash) {
        let blob = self.blobs.get_mut(&hash);
        // A content that was removed, or stored after all, needs no closing.
        if let Some(blob) = blob.filter(|blob| blob.state == BlobState::Uploading) {
            blob.state = BlobState::Closing;
        }
    }

    /// Records how many bytes an upload that ended early has left. Returns whether that was awaited.
    pub(super) fn closed(&mut self, hash: ContentHash, bytes: u64) -> bool {
        let blob = self.blobs.get_mut(&hash).filter(|blob| blob.state == BlobState::Closing);
        // A content that was removed or stored meanwhile needs no answer any more.
        let Some(blob) = blob else { return false };
        blob.state = BlobState::Partial(bytes);
        // Downloads that wait for it keep the entry: another upload may go on where this one stopped.
        if bytes == 0 && blob.readers == 0 {
            self.drop_blob(hash);
        }
        true
    }

    /// Removes a content, whatever its state. Returns whether the store had all of it, which the union has to know.
    pub(super) fn remove(&mut self, content: Content) -> bool {
        let was_stored = self.stored.remove(&content) || self.is_stored(content);
        if was_stored {
            self.lost.insert(content);
        }
        self.drop_blob(content.hash);
        was_stored
    }

    fn drop_blob(&mut self, hash: ContentHash) {
        if let Some(blob) = self.blobs.remove(&hash) {
            self.bytes = self.bytes.saturating_sub(blob.size);
        }
    }

    /// Records that a download begins to read a content.
    pub(super) fn add_reader(&mut self, content: Content) {
        self.uses += 1;
        let used = self.uses;
        if let Some(blob) = self.blob_mut(content) {
            blob.readers += 1;
            blob.used = used;
        }
    }

    /// Records that a download has finished reading a content.
    pub(super) fn remove_reader(&mut self, content: Content) {
        if let Some(blob) = self.blob_mut(content) {
            blob.readers = blob.readers.saturating_sub(1);
        }
    }

    /// Records that a content could not be read, though it is there. Returns whether people should hear of it.
    pub(super) fn mark_unreadable(&mut self, content: Content, now: Time) -> bool {
        let Some(blob) = self.blob_mut(content) else { return false };
        let before = blob.read_fault;
        let count = before.map_or(0, |fault| fault.count);
        let retry_at = now + backoff(READ_RETRY_FIRST, count, READ_RETRY_CAP);
        let is_news = before.is_none_or(|fault| now.since(fault.told_at) >= READ_FAULT_NEWS);
        let told_at = before.filter(|_| !is_news).map_or(now, |fault| fault.told_at);
        blob.read_fault = Some(ReadFault { count: count + 1, retry_at, told_at });
        is_news
    }

    /// Records that a target has got wrong bytes of a content. Returns whether the store should verify what it has.
    pub(super) fn begin_verify(&mut self, content: Content, now: Time) -> bool {
        let blob = self.blob_mut(content).filter(|blob| blob.state == BlobState::Stored);
        let Some(blob) = blob else { return false };
        let due = blob.verified_at.is_none_or(|at| now.since(at) >= VERIFY_INTERVAL);
        if due {
            blob.verified_at = Some(now);
        }
        due
    }

    /// Records that a content was read to its end.
    pub(super) fn mark_read(&mut self, content: Content) {
        if let Some(fault) = self.blob_mut(content).and_then(|blob| blob.read_fault.as_mut()) {
            // Where it fails time and again, people still hear of it only now and then.
            (fault.count, fault.retry_at) = (0, Time::ZERO);
        }
    }

    /// Returns whether a content could not be read a short time ago.
    pub(super) fn is_unreadable(&self, content: Content, now: Time) -> bool {
        let fault = self.blobs.get(&content.hash).and_then(|blob| blob.read_fault);
        fault.is_some_and(|fault| now < fault.retry_at)
    }

    fn blob_mut(&mut self, content: Content) -> Option<&mut Blob> {
        self.blobs.get_mut(&content.hash).filter(|blob| blob.size == content.size)
    }

    /// Returns whether no upload writes and no download reads anything.
    pub(super) fn is_idle(&self) -> bool {
        self.blobs.values().all(Blob::is_idle)
    }

    /// Returns the contents to remove until the store has at most `bytes`.
    ///
    /// A content that is being written or read stays, and so does one that is `needed`. Contents that are not `current`
    /// come first, and among equals the least recently used.
    pub(super) fn surplus(
        &self,
        bytes: u64,
        current: impl Fn(Content) -> bool,
        needed: impl Fn(Content) -> bool,
    ) -> Vec<Content> {
        let mut excess = self.bytes.saturating_sub(bytes);
        if excess == 0 {
            return Vec::new();
        }
        let idle = self.blobs.iter().filter(|(_, blob)| blob.is_idle());
        let idle = idle.map(|(hash, blob)| (Content { hash: *hash, size: blob.size }, blob.used));
        let mut idle: Vec<_> = idle.collect();
        // Past versions go before present ones: only a restore needs them, and every PC needs the present ones.
        idle.sort_by_cached_key(|(content, used)| (current(*content), *used));
        let mut surplus = Vec::new();
        for (content, _) in idle {
            if excess == 0 {
                break;
            }
            if !needed(content) {
                excess = excess.saturating_sub(content.size);
                surplus.push(content);
            }
        }
        surplus
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(number: u8, size: u64) -> Content {
        Content { hash: ContentHash::from_bytes([number; 32]), size }
    }

    fn hash(number: u8) -> ContentHash {
        content(number, 0).hash
    }

    #[test]
    fn the_least_recently_used_content_is_removed_first_and_none_that_is_read() {
        let mut store = StoreIndex::default();
        for number in 1..=4 {
            store.begin(content(number, 10));
            let content = content(number, 10);
            assert!(store.is_available(content) && !store.is_stored(content));
            store.mark_stored(content);
        }
        store.add_reader(content(1, 10));
        store.add_reader(content(2, 10));
        store.remove_reader(content(2, 10));
        let none = |_| false;
        assert_eq!(store.surplus(40, none, none), []);
        assert_eq!(store.surplus(25, none, none), [content(3, 10), content(4, 10)]);
        let third = |one| one == content(3, 10);
        assert_eq!(store.surplus(25, none, third), [content(4, 10), content(2, 10)]);
        assert_eq!(store.surplus(25, third, none), [content(4, 10), content(2, 10)]);
        assert_eq!(store.surplus(15, third, none).last(), Some(&content(3, 10)));
        assert_eq!(store.surplus(0, none, none), [content(3, 10), content(4, 10), content(2, 10)]);
        assert!(store.remove(content(3, 10)));
        assert_eq!(store.bytes(), 30);
    }

    #[test]
    fn an_upload_that_ended_early_can_be_resumed() {
        let mut store = StoreIndex::default();
        let content = content(1, 10);
        store.begin(content);
        assert!(!store.can_begin(content));
        store.close(hash(1));
        assert!(!store.can_begin(content), "how much came is not known yet");
        assert!(store.closed(hash(1), 4));
        assert!(store.can_begin(content));
        assert_eq!(store.partial_bytes(content), 4);
        store.begin(content);
        assert_eq!(store.bytes(), 10);
        assert!(!store.closed(hash(1), 4), "the next upload is under way");
    }

    #[test]
    fn a_content_that_cannot_be_read_gets_more_time_and_is_told_once_an_hour() {
        let (mut store, content) = (StoreIndex::default(), content(1, 10));
        store.begin(content);
        store.mark_stored(content);
        let mut now = Time::ZERO;
        for (seconds, told) in [(5, true), (10, false), (20, false)] {
            assert_eq!(store.mark_unreadable(content, now), told);
            let before = Time::from_nanos((now + Duration::from_secs(seconds)).as_nanos() - 1);
            assert!(store.is_unreadable(content, before));
            now = now + Duration::from_secs(seconds);
            assert!(!store.is_unreadable(content, now));
        }
        store.mark_unreadable(content, now);
        store.mark_read(content);
        assert!(!store.is_unreadable(content, now));
        assert!(!store.mark_unreadable(content, now), "it comes and goes");
        assert!(store.mark_unreadable(content, Time::ZERO + READ_FAULT_NEWS));
        assert!(store.is_stored(content));
    }

    #[test]
    fn one_hash_has_one_length() {
        let (wrong, right) = (content(1, 11), content(1, 10));
        let mut store = StoreIndex::default();
        store.begin(wrong);
        assert!(!store.can_begin(right), "its hash will show who is right");
        assert!(!store.is_available(right) && !store.contradicts(right));
        store.close(hash(1));
        store.closed(hash(1), 4);
        assert_eq!((store.partial_bytes(wrong), store.partial_bytes(right)), (4, 0));
        store.begin(right);
        store.mark_stored(right);
        assert!(store.is_stored(right) && !store.is_stored(wrong));
        assert!(store.contradicts(wrong) && !store.contradicts(right));
        assert_eq!(store.bytes(), 10);
    }
}
