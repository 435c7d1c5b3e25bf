//! The order in which the pieces of several files are sent over one connection.

use std::collections::{BTreeMap, VecDeque};

use super::CHUNK_BYTES;
use crate::wire::data::TransferId;

/// Number of files that take turns. With only a few, each one completes sooner, and its receiver can install it
/// or pass it on.
const AT_A_TIME: usize = 3;

/// A piece of a file to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next {
    /// The file.
    pub transfer: TransferId,
    /// Position of the piece in the file, in bytes.
    pub offset: u64,
    /// Its length in bytes.
    pub len: usize,
    /// Set if the file ends with it.
    pub last: bool,
}

#[derive(Clone, Copy, Debug)]
struct Flow {
    next: u64,
    size: u64,
    /// Number of bytes that have arrived here.
    available: u64,
    /// Set once the whole file has arrived and was checked. The last piece waits for that.
    complete: bool,
}

impl Flow {
    /// Returns the length of the next piece, at most `room`, and true if it is the last one.
    fn piece(&self, room: u64) -> Option<(usize, bool)> {
        let most = room.min(CHUNK_BYTES as u64);
        let left = self.size - self.next;
        if left <= most && self.complete {
            return Some((usize::try_from(left).unwrap_or(CHUNK_BYTES), true));
        }
        // Only full pieces are sent before the end: smaller ones would cost more than they save. The last byte waits for the
        // check of the whole file, so that a target never has all bytes of a wrong one.
        let there = self.available.min(self.size.saturating_sub(1)).saturating_sub(self.next);
        (most == CHUNK_BYTES as u64 && there >= most).then_some((CHUNK_BYTES, false))
    }
}

/// The files that are sent over one connection. A few at a time take turns.
///
/// The receiver grants credit: the number of bytes that may be under way.
#[derive(Clone, Debug)]
pub struct SendQueue {
    flows: BTreeMap<TransferId, Flow>,
    turns: VecDeque<TransferId>,
    credit: u64,
    /// Set to send the files one after the other, in the order in which they were begun.
    one_by_one: bool,
}

impl SendQueue {
    /// Creates a queue with `credit` bytes of credit.
    #[must_use]
    pub const fn new(credit: u64) -> Self {
        Self { flows: BTreeMap::new(), turns: VecDeque::new(), credit, one_by_one: false }
    }

    /// Creates a queue for a peer of protocol 1, which takes one file after the other and grants no credit.
    #[must_use]
    pub const fn one_by_one() -> Self {
        let mut queue = Self::new(u64::MAX);
        queue.one_by_one = true;
        queue
    }

    /// Begins a file of `size` bytes at the offset `from`.
    pub fn begin(&mut self, transfer: TransferId, from: u64, size: u64) {
        let next = from.min(size);
        self.flows.insert(transfer, Flow { next, size, available: next, complete: false });
        self.turns.push_back(transfer);
    }

    /// Sets how many bytes of a file have arrived. `complete` says that the whole file has arrived and was checked.
    pub fn set_available(&mut self, transfer: TransferId, available: u64, complete: bool) {
        if let Some(flow) = self.flows.get_mut(&transfer) {
            (flow.available, flow.complete) = (available, complete);
        }
    }

    /// Stops sending a file.
    pub fn stop(&mut self, transfer: TransferId) {
        self.flows.remove(&transfer);
        self.turns.retain(|turn| *turn != transfer);
    }

    /// Adds credit that the receiver has granted.
    pub const fn give_credit(&mut self, bytes: u64) {
        self.credit = self.credit.saturating_add(bytes);
    }

    /// Returns the files that are being sent.
    pub fn transfers(&self) -> impl Iterator<Item = TransferId> {
        self.turns.iter().copied()
    }

    /// Returns the next piece to send. It counts as sent, and a file is forgotten after its last piece.
    pub fn poll(&mut self) -> Option<Next> {
        // A Python client appends whatever comes to the file that is open, so nothing may overtake the first
        // file.
        let looked_at = if self.one_by_one { 1 } else { self.turns.len() };
        for place in 0..looked_at {
            let transfer = *self.turns.get(place)?;
            let Some(flow) = self.flows.get_mut(&transfer) else { continue };
            // A file that is still arriving here lets the next one go first.
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
                // Behind the others that take turns and ahead of all that wait; otherwise every file would finish near the
                // end.
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

    fn numbers(queue: &mut SendQueue) -> Vec<(u32, u64, usize, bool)> {
        std::iter::from_fn(|| queue.poll())
            .map(|next| (next.transfer.0, next.offset, next.len, next.last))
            .collect()
    }

    #[test]
    fn files_take_turns_and_the_last_piece_waits_for_the_check() {
        let mut queue = SendQueue::new(100 * CHUNK);
        for transfer in [1, 2] {
            queue.begin(TransferId(transfer), 0, 2 * CHUNK + 1);
            queue.set_available(TransferId(transfer), 2 * CHUNK + 1, false);
        }
        let sent = numbers(&mut queue);
        assert_eq!(
            sent,
            [
                (1, 0, CHUNK_BYTES, false),
                (2, 0, CHUNK_BYTES, false),
                (1, CHUNK, CHUNK_BYTES, false),
                (2, CHUNK, CHUNK_BYTES, false)
            ]
        );
        queue.set_available(TransferId(2), 2 * CHUNK + 1, true);
        assert_eq!(numbers(&mut queue), [(2, 2 * CHUNK, 1, true)]);
    }

    #[test]
    fn few_files_are_under_way_at_a_time() {
        let mut queue = SendQueue::new(100 * CHUNK);
        for transfer in 1..=9 {
            queue.begin(TransferId(transfer), 0, 3 * CHUNK);
            queue.set_available(TransferId(transfer), 3 * CHUNK, true);
        }
        let sent = numbers(&mut queue);
        let whole = |file: u32| sent.iter().position(|sent| sent.0 == file && sent.3).unwrap();
        assert!(whole(1) < 9 && whole(2) < 9, "{sent:?}");
        assert_eq!(sent.len(), 27);
    }

    #[test]
    fn nothing_is_sent_without_credit() {
        let mut queue = SendQueue::new(CHUNK);
        queue.begin(TransferId(1), 0, 2 * CHUNK);
        queue.set_available(TransferId(1), 2 * CHUNK, true);
        assert_eq!(numbers(&mut queue), [(1, 0, CHUNK_BYTES, false)]);
        queue.give_credit(CHUNK);
        assert_eq!(numbers(&mut queue), [(1, CHUNK, CHUNK_BYTES, true)]);
    }

    #[test]
    fn a_file_resumes_and_an_empty_one_has_one_piece() {
        let mut queue = SendQueue::new(CHUNK);
        for (transfer, from, size) in [(1, 7, 9), (2, 0, 0)] {
            queue.begin(TransferId(transfer), from, size);
            queue.set_available(TransferId(transfer), size, true);
        }
        assert_eq!(numbers(&mut queue), [(1, 7, 2, true), (2, 0, 0, true)]);
    }

    #[test]
    fn an_old_peer_gets_one_file_after_the_other() {
        let mut queue = SendQueue::one_by_one();
        for transfer in [1, 2] {
            queue.begin(TransferId(transfer), 0, CHUNK + 1);
        }
        queue.set_available(TransferId(2), CHUNK + 1, true);
        assert_eq!(queue.poll(), None);
        queue.set_available(TransferId(1), CHUNK + 1, true);
        let order: Vec<_> = numbers(&mut queue).iter().map(|sent| sent.0).collect();
        assert_eq!(order, [1, 1, 2, 2]);
    }
}
