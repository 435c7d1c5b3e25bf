//! The sender of one file.

use super::CHUNK_BYTES;

/// Largest number of pieces of one file that are read or queued at a time. It keeps disk and connection busy, and bounds the
/// memory of a transfer.
const PIECES_MAX: usize = 3;

/// A piece of a file to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its position in the file, in bytes.
    pub offset: u64,
    /// Its length in bytes.
    pub len: usize,
}

/// Splits a file of known size into pieces.
#[derive(Clone, Debug)]
pub struct Sender {
    size: u64,
    next: u64,
    under_way: usize,
}

impl Sender {
    /// Starts at the beginning of a file of `size` bytes.
    #[must_use]
    pub const fn new(size: u64) -> Self {
        Self { size, next: 0, under_way: 0 }
    }

    /// Returns the next piece to read, unless enough are under way.
    pub fn poll_piece(&mut self) -> Option<Piece> {
        let left = self.size - self.next;
        if left == 0 || self.under_way == PIECES_MAX {
            return None;
        }
        let len = usize::try_from(left).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES));
        let piece = Piece { offset: self.next, len };
        self.next += len as u64;
        self.under_way += 1;
        Some(piece)
    }

    /// Handles that a piece was sent.
    pub const fn handle_sent(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// Returns true if every piece was sent.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.next == self.size && self.under_way == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_the_file_and_few_are_under_way() {
        let size = 5 * CHUNK_BYTES as u64 + 1;
        let (mut sender, mut covered) = (Sender::new(size), 0);
        while !sender.is_done() {
            let mut burst = 0;
            while let Some(piece) = sender.poll_piece() {
                assert_eq!(piece.offset, covered);
                covered += piece.len as u64;
                burst += 1;
            }
            assert!(burst <= PIECES_MAX);
            sender.handle_sent();
        }
        assert_eq!(covered, size);
    }
}
