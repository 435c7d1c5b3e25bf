//! A compact set of peers.
//!
//! Peers are numbered as they connect, so connected peers mostly have neighbouring numbers. One bit for each keeps the holders
//! of thousands of files close together in memory. A step visits all of them when a PC joins.

use super::PeerId;

/// Number of peers in a block.
const BLOCK: u64 = u64::BITS as u64;

/// A set of peers, ordered by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Peers {
    /// The blocks that are not empty, ordered by number.
    blocks: Vec<Block>,
}

/// The members of the set among 64 peers with consecutive numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Block {
    number: u64,
    bits: u64,
}

impl Peers {
    pub(super) fn len(&self) -> usize {
        self.blocks.iter().map(|block| block.bits.count_ones() as usize).sum()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    pub(super) fn contains(&self, peer: PeerId) -> bool {
        let (number, bit) = position(peer);
        self.find(number).is_ok_and(|at| self.blocks[at].bits & bit != 0)
    }

    /// Adds a peer. Returns false if it was in the set already.
    pub(super) fn insert(&mut self, peer: PeerId) -> bool {
        let (number, bit) = position(peer);
        match self.find(number) {
            Ok(at) => {
                let bits = &mut self.blocks[at].bits;
                let is_new = *bits & bit == 0;
                *bits |= bit;
                is_new
            }
            Err(at) => {
                self.blocks.insert(at, Block { number, bits: bit });
                true
            }
        }
    }

    pub(super) fn remove(&mut self, peer: PeerId) {
        let (number, bit) = position(peer);
        if let Ok(at) = self.find(number) {
            self.blocks[at].bits &= !bit;
            if self.blocks[at].bits == 0 {
                self.blocks.remove(at);
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = PeerId> {
        self.blocks.iter().flat_map(|block| {
            let there = (0..BLOCK).filter(|offset| block.bits >> offset & 1 == 1);
            there.map(|offset| PeerId(block.number * BLOCK + offset))
        })
    }

    fn find(&self, number: u64) -> Result<usize, usize> {
        self.blocks.binary_search_by_key(&number, |block| block.number)
    }
}

/// Returns the number of the peer's block, and its bit there.
const fn position(peer: PeerId) -> (u64, u64) {
    (peer.0 / BLOCK, 1 << (peer.0 % BLOCK))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_behaves_like_a_set(
            steps in prop::collection::vec(
                (any::<bool>(), prop_oneof![0_u64..200, u64::MAX - 100..=u64::MAX]), 0..200,
            ),
        ) {
            let (mut peers, mut model) = (Peers::default(), BTreeSet::new());
            for (add, number) in steps {
                let peer = PeerId(number);
                prop_assert_eq!(peers.contains(peer), model.contains(&peer));
                if add {
                    prop_assert_eq!(peers.insert(peer), model.insert(peer));
                } else {
                    peers.remove(peer);
                    model.remove(&peer);
                }
                prop_assert!(peers.iter().eq(model.iter().copied()));
                prop_assert_eq!((peers.len(), peers.is_empty()), (model.len(), model.is_empty()));
            }
        }
    }
}
