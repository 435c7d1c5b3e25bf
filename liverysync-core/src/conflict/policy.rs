//! The choice between contents that claim one name in one step.

use std::cmp::Reverse;

use crate::{hash::ContentHash, time::UnixTime};

/// The rule that picks the content that gets a name if several claim it in one step. An established content always keeps
/// its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Policy {
    /// The content that was accepted first; of several, the one with the lowest SHA-256.
    #[default]
    Established,
    /// The content with the lowest SHA-256, as in the first Python server.
    LowestHash,
    /// The content with the newest modification time, as in the later Python server; of several, the one accepted first.
    NewestMtime,
}

impl Policy {
    /// Every policy with its word in options and files.
    pub const WORDS: [(&'static str, Self); 3] = [
        ("established", Self::Established),
        ("lowest-hash", Self::LowestHash),
        ("newest-mtime", Self::NewestMtime),
    ];
}

/// A content's claim to a name: everything that a policy may consider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub struct Claim {
    /// The content.
    pub hash: ContentHash,
    /// Its modification time; `None` counts as the oldest.
    pub mtime: Option<UnixTime>,
    /// Number of its manifest in the order of acceptance.
    pub arrival: u64,
}

impl Claim {
    /// Returns true if `policy` prefers this claim to `other`.
    #[must_use]
    pub fn beats(&self, other: &Self, policy: Policy) -> bool {
        // Each order ends with a value that differs between contents, so the order in which claims are listed decides
        // nothing.
        let newest = |claim: &Self| Reverse(claim.mtime);
        match policy {
            Policy::Established => (self.arrival, self.hash) < (other.arrival, other.hash),
            Policy::LowestHash => self.hash < other.hash,
            Policy::NewestMtime => {
                (newest(self), self.arrival, self.hash) < (newest(other), other.arrival, other.hash)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_has_its_winner() {
        let claim = |first: u8, mtime, arrival| Claim {
            hash: ContentHash::from_bytes([first; 32]),
            mtime: Some(UnixTime::from_nanos(mtime)),
            arrival,
        };
        let (early, low, new) = (claim(3, 1, 1), claim(1, 2, 2), claim(2, 3, 3));
        for (policy, winner) in
            [(Policy::Established, early), (Policy::LowestHash, low), (Policy::NewestMtime, new)]
        {
            for loser in [early, low, new].into_iter().filter(|claim| *claim != winner) {
                assert!(winner.beats(&loser, policy), "{policy:?}");
                assert!(!loser.beats(&winner, policy), "{policy:?}");
            }
        }
    }
}
