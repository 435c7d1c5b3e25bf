//! What the store holds, and what has to go when it is full.
//!
//! ```text
//! (not here) --begin--> Arriving --keep--> Kept --forget--> (not here)
//!                          |  ^
//!                    settle|  |begin
//!                          v  |
//!                       Settling --part--> Part --forget--> (not here)
//! ```

use std::collections::BTreeMap;

use crate::hash::{Content, ContentHash};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BlobState {
    /// An upload brings it.
    Arriving,
    /// Its upload has ended early; how much of it came will be known soon.
    Settling,
    /// So many bytes of it are here.
    Part(u64),
    /// All of it is here, and it is right.
    Kept,
}

#[derive(Clone, Copy, Debug)]
struct Blob {
    size: u64,
    place: BlobState,
    /// When it was last needed, by the shelf's own count.
    used: u64,
    /// Deliveries that read it.
    readers: usize,
}

/// Where each content of the store stands.
#[derive(Debug, Default)]
pub(super) struct StoreIndex {
    items: BTreeMap<ContentHash, Blob>,
    bytes: u64,
    count: u64,
}

impl StoreIndex {
    /// Whether all of a content is here.
    pub(super) fn is_kept(&self, content: Content) -> bool {
        self.place(content) == Some(BlobState::Kept)
    }

    /// Whether a content is here, or on its way here, or what came of it is.
    pub(super) fn has(&self, content: Content) -> bool {
        self.place(content).is_some()
    }

    /// Whether an upload may be asked for a content.
    pub(super) fn may_begin(&self, content: Content) -> bool {
        let item = self.items.get(&content.hash);
        item.is_none_or(|item| matches!(item.place, BlobState::Part(_)))
    }

    /// Whether deliveries can count on a content: it is here, or an upload brings it.
    pub(super) fn is_coming(&self, content: Content) -> bool {
        matches!(self.place(content), Some(BlobState::Kept | BlobState::Arriving))
    }

    /// Whether a content cannot exist: what has this hash is here, and has another length.
    pub(super) fn refutes(&self, content: Content) -> bool {
        let item = self.items.get(&content.hash);
        item.is_some_and(|item| item.place == BlobState::Kept && item.size != content.size)
    }

    /// Bytes of a content that are here of an upload that ended early.
    pub(super) fn part(&self, content: Content) -> u64 {
        match self.place(content) {
            Some(BlobState::Part(bytes)) => bytes,
            _ => 0,
        }
    }

    /// What of this hash is here, or on its way here.
    pub(super) fn content(&self, hash: ContentHash) -> Option<Content> {
        self.items.get(&hash).map(|item| Content { hash, size: item.size })
    }

    fn place(&self, content: Content) -> Option<BlobState> {
        let item = self.items.get(&content.hash).filter(|item| item.size == content.size);
        item.map(|item| item.place)
    }

    /// Bytes that are here, or will be when all uploads have come to their end.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn begin(&mut self, content: Content) {
        self.put(content, BlobState::Arriving);
    }

    pub(super) fn keep(&mut self, content: Content) {
        self.put(content, BlobState::Kept);
    }

    fn put(&mut self, content: Content, place: BlobState) {
        if !self.has(content) {
            // A part that somebody began under another length is of no use.
            self.forget(content.hash);
        }
        self.count += 1;
        let used = self.count;
        let item = self.items.entry(content.hash).or_insert_with(|| {
            self.bytes = self.bytes.saturating_add(content.size);
            Blob { size: content.size, place, used, readers: 0 }
        });
        (item.place, item.used) = (place, used);
    }

    /// Takes note that an upload has ended early.
    pub(super) fn settle(&mut self, hash: ContentHash) {
        if let Some(item) =
            self.items.get_mut(&hash).filter(|item| item.place == BlobState::Arriving)
        {
            item.place = BlobState::Settling;
        }
    }

    /// Takes note of how much of a content came. Returns whether that was waited for.
    pub(super) fn settled(&mut self, hash: ContentHash, bytes: u64) -> bool {
        let item = self.items.get_mut(&hash).filter(|item| item.place == BlobState::Settling);
        let Some(item) = item else { return false };
        item.place = BlobState::Part(bytes);
        if bytes == 0 && item.readers == 0 {
            self.forget(hash);
        }
        true
    }

    pub(super) fn forget(&mut self, hash: ContentHash) {
        if let Some(item) = self.items.remove(&hash) {
            self.bytes = self.bytes.saturating_sub(item.size);
        }
    }

    /// A delivery begins to need a content.
    pub(super) fn hold(&mut self, content: Content) {
        self.count += 1;
        let count = self.count;
        if let Some(item) = self.item_mut(content) {
            item.readers += 1;
            item.used = count;
        }
    }

    fn item_mut(&mut self, content: Content) -> Option<&mut Blob> {
        self.items.get_mut(&content.hash).filter(|item| item.size == content.size)
    }

    /// A delivery does not need a content any more.
    pub(super) fn release(&mut self, content: Content) {
        if let Some(item) = self.item_mut(content) {
            item.readers = item.readers.saturating_sub(1);
        }
    }

    /// Whether nothing comes and nothing is read.
    pub(super) fn is_idle(&self) -> bool {
        let still = |item: &Blob| {
            item.readers == 0 && matches!(item.place, BlobState::Kept | BlobState::Part(_))
        };
        self.items.values().all(still)
    }

    /// What may go to bring the shelf to `bytes`: nothing that a delivery reads, nothing that arrives, and nothing that is
    /// `needed`. What is not `current` goes first, and of each the least recently used.
    pub(super) fn surplus(
        &self,
        bytes: u64,
        current: impl Fn(Content) -> bool,
        needed: impl Fn(Content) -> bool,
    ) -> Vec<Content> {
        let mut over = self.bytes.saturating_sub(bytes);
        if over == 0 {
            return Vec::new();
        }
        let idle = |item: &Blob| {
            item.readers == 0 && matches!(item.place, BlobState::Kept | BlobState::Part(_))
        };
        let idle = self.items.iter().filter(|(_, item)| idle(item));
        let idle = idle.map(|(hash, item)| (Content { hash: *hash, size: item.size }, item.used));
        let mut idle: Vec<_> = idle.collect();
        idle.sort_by_cached_key(|(content, used)| (current(*content), *used));
        let mut surplus = Vec::new();
        for (content, _) in idle {
            if over == 0 {
                break;
            }
            if !needed(content) {
                over = over.saturating_sub(content.size);
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
    fn the_least_recently_used_goes_first_and_nothing_that_is_read() {
        let mut store = StoreIndex::default();
        for number in 1..=4 {
            store.begin(content(number, 10));
            let content = content(number, 10);
            assert!(store.is_coming(content) && !store.is_kept(content));
            store.keep(content);
        }
        store.hold(content(1, 10));
        store.hold(content(2, 10));
        store.release(content(2, 10));
        let none = |_| false;
        assert_eq!(store.surplus(40, none, none), []);
        assert_eq!(store.surplus(25, none, none), [content(3, 10), content(4, 10)]);
        let third = |one| one == content(3, 10);
        assert_eq!(store.surplus(25, none, third), [content(4, 10), content(2, 10)]);
        assert_eq!(store.surplus(25, third, none), [content(4, 10), content(2, 10)]);
        assert_eq!(store.surplus(15, third, none).last(), Some(&content(3, 10)));
        assert_eq!(store.surplus(0, none, none), [content(3, 10), content(4, 10), content(2, 10)]);
        store.forget(hash(3));
        assert_eq!(store.bytes(), 30);
    }

    #[test]
    fn an_upload_that_ended_early_can_be_gone_on_with() {
        let mut store = StoreIndex::default();
        let content = content(1, 10);
        store.begin(content);
        assert!(!store.may_begin(content));
        store.settle(hash(1));
        assert!(!store.may_begin(content), "what came is not known yet");
        assert!(store.settled(hash(1), 4));
        assert!(store.may_begin(content));
        assert_eq!(store.part(content), 4);
        store.begin(content);
        assert_eq!(store.bytes(), 10);
        assert!(!store.settled(hash(1), 4), "the next upload is under way");
    }

    #[test]
    fn one_hash_has_one_length() {
        let (told, true_one) = (content(1, 11), content(1, 10));
        let mut store = StoreIndex::default();
        store.begin(told);
        assert!(!store.may_begin(true_one), "its digest will say who is right");
        assert!(!store.is_coming(true_one) && !store.refutes(true_one));
        store.settle(hash(1));
        store.settled(hash(1), 4);
        assert_eq!((store.part(told), store.part(true_one)), (4, 0));
        store.begin(true_one);
        store.keep(true_one);
        assert!(store.is_kept(true_one) && !store.is_kept(told));
        assert!(store.refutes(told) && !store.refutes(true_one));
        assert_eq!(store.bytes(), 10);
    }
}
