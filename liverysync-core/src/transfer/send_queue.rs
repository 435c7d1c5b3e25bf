//! The sending end of one link: which piece of which file goes next.

use std::collections::{BTreeMap, VecDeque};

use super::CHUNK_BYTES;
use crate::wire::data::TransferId;

/// Files that take turns. Few: so that each is whole soon, and the other end can go on with it.
const AT_A_TIME: usize = 3;

/// A piece of a file to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next {
    /// Which file.
    pub transfer: TransferId,
    /// Where the piece begins, in bytes.
    pub offset: u64,
    /// How many bytes it has.
    pub len: usize,
    /// Whether the file ends with it.
    pub last: bool,
}

#[derive(Clone, Copy, Debug)]
struct Flow {
    next: u64,
    size: u64,
    /// Bytes that are there to be sent.
    available: u64,
    /// Whether all of them are known to be right; the last piece waits for that.
    complete: bool,
}

impl Flow {
    /// The next piece, at most `room` bytes long.
    fn piece(&self, room: u64) -> Option<(usize, bool)> {
        let most = room.min(CHUNK_BYTES as u64);
        let left = self.size - self.next;
        if left <= most && self.complete {
            return Some((usize::try_from(left).unwrap_or(CHUNK_BYTES), true));
        }
        // A whole piece or nothing: small ones would cost more than they bring. The last byte waits
        // for the word that all of them are right.
        let there = self.available.min(self.size.saturating_sub(1)).saturating_sub(self.next);
        (most == CHUNK_BYTES as u64 && there >= most).then_some((CHUNK_BYTES, false))
    }
}

/// The files that are on their way over one link; a few at a time take turns.
///
/// The receiving end gives credit: so many bytes may be under way, and no more.
#[derive(Clone, Debug)]
pub struct SendQueue {
    flows: BTreeMap<TransferId, Flow>,
    turns: VecDeque<TransferId>,
    credit: u64,
    /// Files go one after the other, in the order in which they were begun.
    one_by_one: bool,
}

impl SendQueue {
    /// May send `credit` bytes.
    #[must_use]
    pub const fn new(credit: u64) -> Self {
        Self { flows: BTreeMap::new(), turns: VecDeque::new(), credit, one_by_one: false }
    }

    /// For a peer of protocol 1: files go one after the other, and no credit is needed.
    #[must_use]
    pub const fn one_by_one() -> Self {
        let mut outgoing = Self::new(u64::MAX);
        outgoing.one_by_one = true;
        outgoing
    }

    /// Begins a file of `size` bytes at `from`.
    pub fn begin(&mut self, transfer: TransferId, from: u64, size: u64) {
        let next = from.min(size);
        self.flows.insert(transfer, Flow { next, size, available: next, complete: false });
        self.turns.push_back(transfer);
    }

    /// Takes note of how many bytes of a file can be sent, and whether all of them are right.
    pub fn set_available(&mut self, transfer: TransferId, available: u64, complete: bool) {
        if let Some(flow) = self.flows.get_mut(&transfer) {
            (flow.available, flow.complete) = (available, complete);
        }
    }

    /// Stops sending a file. Returns whether any of it was sent.
    pub fn stop(&mut self, transfer: TransferId) {
        self.flows.remove(&transfer);
        self.turns.retain(|turn| *turn != transfer);
    }

    /// Takes note that the receiving end has room for more.
    pub const fn give_credit(&mut self, bytes: u64) {
        self.credit = self.credit.saturating_add(bytes);
    }

    /// Files that are on their way.
    pub fn transfers(&self) -> impl Iterator<Item = TransferId> {
        self.turns.iter().copied()
    }

    /// The next piece to send. It counts as sent; after its last piece a file is forgotten.
    pub fn poll(&mut self) -> Option<Next> {
        let looked_at = if self.one_by_one { 1 } else { self.turns.len() };
        for place in 0..looked_at {
            let transfer = *self.turns.get(place)?;
            let Some(flow) = self.flows.get_mut(&transfer) else { continue };
            let Some((len, last)) = flow.piece(self.credit) else { continue };
            let offset = flow.next;
            flow.next += len as u64;
            self.credit = self.credit.saturating_sub(if self.one_by_one { 0 } else { len as u64 });
            self.turns.remove(place);
            if last {
                self.flows.remove(&transfer);
            } else if self.one_by_one {
                self.turns.push_front(transfer);
            } else {
                self.turns.insert(self.turns.len().min(AT_A_TIME - 1), transfer);
            }
            return Some(Next { transfer, offset, len, last });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNK: u64 = CHUNK_BYTES as u64;

    fn numbers(outgoing: &mut SendQueue) -> Vec<(u32, u64, usize, bool)> {
        std::iter::from_fn(|| outgoing.poll())
            .map(|next| (next.transfer.0, next.offset, next.len, next.last))
            .collect()
    }

    #[test]
    fn files_take_turns_and_the_last_piece_waits_for_the_word_that_all_is_right() {
        let mut outgoing = SendQueue::new(100 * CHUNK);
        for transfer in [1, 2] {
            outgoing.begin(TransferId(transfer), 0, 2 * CHUNK + 1);
            outgoing.set_available(TransferId(transfer), 2 * CHUNK + 1, false);
        }
        let sent = numbers(&mut outgoing);
        assert_eq!(
            sent,
            [
                (1, 0, CHUNK_BYTES, false),
                (2, 0, CHUNK_BYTES, false),
                (1, CHUNK, CHUNK_BYTES, false),
                (2, CHUNK, CHUNK_BYTES, false)
            ]
        );
        outgoing.set_available(TransferId(2), 2 * CHUNK + 1, true);
        assert_eq!(numbers(&mut outgoing), [(2, 2 * CHUNK, 1, true)]);
    }

    #[test]
    fn few_files_are_under_way_at_a_time() {
        let mut outgoing = SendQueue::new(100 * CHUNK);
        for transfer in 1..=9 {
            outgoing.begin(TransferId(transfer), 0, 3 * CHUNK);
            outgoing.set_available(TransferId(transfer), 3 * CHUNK, true);
        }
        let sent = numbers(&mut outgoing);
        let whole = |file: u32| sent.iter().position(|sent| sent.0 == file && sent.3).unwrap();
        assert!(whole(1) < 9 && whole(2) < 9, "{sent:?}");
        assert_eq!(sent.len(), 27);
    }

    #[test]
    fn nothing_goes_without_credit() {
        let mut outgoing = SendQueue::new(CHUNK);
        outgoing.begin(TransferId(1), 0, 2 * CHUNK);
        outgoing.set_available(TransferId(1), 2 * CHUNK, true);
        assert_eq!(numbers(&mut outgoing), [(1, 0, CHUNK_BYTES, false)]);
        outgoing.give_credit(CHUNK);
        assert_eq!(numbers(&mut outgoing), [(1, CHUNK, CHUNK_BYTES, true)]);
    }

    #[test]
    fn a_file_goes_on_where_it_was_and_an_empty_one_has_one_piece() {
        let mut outgoing = SendQueue::new(CHUNK);
        for (transfer, from, size) in [(1, 7, 9), (2, 0, 0)] {
            outgoing.begin(TransferId(transfer), from, size);
            outgoing.set_available(TransferId(transfer), size, true);
        }
        assert_eq!(numbers(&mut outgoing), [(1, 7, 2, true), (2, 0, 0, true)]);
    }

    #[test]
    fn an_old_peer_gets_one_file_after_the_other() {
        let mut outgoing = SendQueue::one_by_one();
        for transfer in [1, 2] {
            outgoing.begin(TransferId(transfer), 0, CHUNK + 1);
        }
        outgoing.set_available(TransferId(2), CHUNK + 1, true);
        assert_eq!(outgoing.poll(), None);
        outgoing.set_available(TransferId(1), CHUNK + 1, true);
        let order: Vec<_> = numbers(&mut outgoing).iter().map(|sent| sent.0).collect();
        assert_eq!(order, [1, 1, 2, 2]);
    }
}
