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
enum Place {
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
struct Item {
    size: u64,
    place: Place,
    /// When it was last needed, by the shelf's own count.
    used: u64,
    /// Deliveries that read it.
    readers: usize,
}

/// Where each content of the store stands.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    items: BTreeMap<ContentHash, Item>,
    bytes: u64,
    count: u64,
}

impl Shelf {
    /// Whether all of a content is here.
    pub(super) fn is_kept(&self, hash: ContentHash) -> bool {
        self.items.get(&hash).is_some_and(|item| item.place == Place::Kept)
    }

    /// Whether a content is here, or on its way here, or what came of it is.
    pub(super) fn has(&self, hash: ContentHash) -> bool {
        self.items.contains_key(&hash)
    }

    /// Whether an upload may be asked for a content.
    pub(super) fn may_begin(&self, hash: ContentHash) -> bool {
        self.items.get(&hash).is_none_or(|item| matches!(item.place, Place::Part(_)))
    }

    /// Whether deliveries can count on a content: it is here, or an upload brings it.
    pub(super) fn is_coming(&self, hash: ContentHash) -> bool {
        let item = self.items.get(&hash);
        item.is_some_and(|item| matches!(item.place, Place::Kept | Place::Arriving))
    }

    /// Bytes of a content that are here of an upload that ended early.
    pub(super) fn part(&self, hash: ContentHash) -> u64 {
        match self.items.get(&hash).map(|item| item.place) {
            Some(Place::Part(bytes)) => bytes,
            _ => 0,
        }
    }

    /// Bytes that are here, or will be when all uploads have come to their end.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn begin(&mut self, content: Content) {
        self.put(content, Place::Arriving);
    }

    pub(super) fn keep(&mut self, content: Content) {
        self.put(content, Place::Kept);
    }

    fn put(&mut self, content: Content, place: Place) {
        self.count += 1;
        let used = self.count;
        let item = self.items.entry(content.hash).or_insert_with(|| {
            self.bytes = self.bytes.saturating_add(content.size);
            Item { size: content.size, place, used, readers: 0 }
        });
        (item.place, item.used) = (place, used);
    }

    /// Takes note that an upload has ended early.
    pub(super) fn settle(&mut self, hash: ContentHash) {
        if let Some(item) = self.items.get_mut(&hash).filter(|item| item.place == Place::Arriving) {
            item.place = Place::Settling;
        }
    }

    /// Takes note of how much of a content came. Returns whether that was waited for.
    pub(super) fn settled(&mut self, hash: ContentHash, bytes: u64) -> bool {
        let item = self.items.get_mut(&hash).filter(|item| item.place == Place::Settling);
        let Some(item) = item else { return false };
        item.place = Place::Part(bytes);
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
    pub(super) fn hold(&mut self, hash: ContentHash) {
        self.count += 1;
        if let Some(item) = self.items.get_mut(&hash) {
            item.readers += 1;
            item.used = self.count;
        }
    }

    /// A delivery does not need a content any more.
    pub(super) fn release(&mut self, hash: ContentHash) {
        if let Some(item) = self.items.get_mut(&hash) {
            item.readers = item.readers.saturating_sub(1);
        }
    }

    /// Whether nothing comes and nothing is read.
    pub(super) fn is_idle(&self) -> bool {
        let still =
            |item: &Item| item.readers == 0 && matches!(item.place, Place::Kept | Place::Part(_));
        self.items.values().all(still)
    }

    /// What may go to bring the shelf to `bytes`, least recently used first: nothing that a delivery
    /// reads, nothing that arrives, and nothing that is `needed`.
    pub(super) fn surplus(
        &self,
        bytes: u64,
        needed: impl Fn(ContentHash) -> bool,
    ) -> Vec<ContentHash> {
        let mut over = self.bytes.saturating_sub(bytes);
        if over == 0 {
            return Vec::new();
        }
        let idle =
            |item: &Item| item.readers == 0 && matches!(item.place, Place::Kept | Place::Part(_));
        let mut idle: Vec<_> = self.items.iter().filter(|(_, item)| idle(item)).collect();
        idle.sort_by_key(|(_, item)| item.used);
        let mut surplus = Vec::new();
        for (hash, item) in idle {
            if over == 0 {
                break;
            }
            if !needed(*hash) {
                over = over.saturating_sub(item.size);
                surplus.push(*hash);
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
        let mut shelf = Shelf::default();
        for number in 1..=4 {
            shelf.begin(content(number, 10));
            assert!(shelf.is_coming(hash(number)) && !shelf.is_kept(hash(number)));
            shelf.keep(content(number, 10));
        }
        shelf.hold(hash(1));
        shelf.hold(hash(2));
        shelf.release(hash(2));
        assert_eq!(shelf.surplus(40, |_| false), []);
        assert_eq!(shelf.surplus(25, |_| false), [hash(3), hash(4)]);
        assert_eq!(shelf.surplus(25, |wanted| wanted == hash(3)), [hash(4), hash(2)]);
        assert_eq!(shelf.surplus(0, |_| false), [hash(3), hash(4), hash(2)]);
        shelf.forget(hash(3));
        assert_eq!(shelf.bytes(), 30);
    }

    #[test]
    fn an_upload_that_ended_early_can_be_gone_on_with() {
        let mut shelf = Shelf::default();
        shelf.begin(content(1, 10));
        assert!(!shelf.may_begin(hash(1)));
        shelf.settle(hash(1));
        assert!(!shelf.may_begin(hash(1)), "what came is not known yet");
        assert!(shelf.settled(hash(1), 4));
        assert!(shelf.may_begin(hash(1)));
        assert_eq!(shelf.part(hash(1)), 4);
        shelf.begin(content(1, 10));
        assert_eq!(shelf.bytes(), 10);
        assert!(!shelf.settled(hash(1), 4), "the next upload is under way");
    }
}
