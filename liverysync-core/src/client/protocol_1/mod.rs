//! Protocol 1, which the older servers speak, in one place.
//!
//! Such a server says neither what a session will bring nor what it knows of this PC, and it waits forever for what it
//! asked for. [`Dialect`] answers what differs. Everybody else asks it instead of comparing versions.

use crate::wire::messages::{PROTOCOL_2, Welcome};

/// The protocol that a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    V1,
    V2,
}

impl Dialect {
    /// Returns the dialect of the server that sent `welcome`.
    pub(super) fn of(welcome: &Welcome) -> Self {
        let speaks_v2 = welcome.liverysync.is_some_and(|version| version >= PROTOCOL_2);
        if speaks_v2 { Self::V2 } else { Self::V1 }
    }

    /// Whether messages may carry what protocol 1 does not have.
    pub(super) const fn speaks_v2(self) -> bool {
        matches!(self, Self::V2)
    }
}
