//! Credit: the number of bytes of files that a peer may have on their way.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use liverysync_core::wire::{
    data::WINDOW_BYTES,
    messages::{self, Message},
};

use crate::link::Outbox;

/// Credit is returned in steps of this many bytes, because a message for each piece would be a waste.
const STEP_BYTES: u64 = WINDOW_BYTES / 8;

/// Returns credit for this many bytes, which have been dealt with.
pub(crate) type CreditReturn = Arc<dyn Fn(u64) + Send + Sync>;

/// Returns credit to the peer of this link.
pub(crate) fn return_to_peer(outbox: Outbox) -> CreditReturn {
    let waiting = AtomicU64::new(0);
    Arc::new(move |bytes| {
        if waiting.fetch_add(bytes, Ordering::AcqRel) + bytes >= STEP_BYTES {
            let bytes = waiting.swap(0, Ordering::AcqRel);
            // Another message reveals a peer that does not keep up.
            let _keeps_up = outbox.send(Message::Credit(messages::Credit { bytes }));
        }
    })
}

/// Bytes of files that came over the link. Dropping this returns their credit.
pub(crate) struct Credit {
    bytes: u64,
    back: CreditReturn,
}

impl Credit {
    /// Makes credit for `bytes` that goes to `back`.
    pub(crate) fn new(bytes: u64, back: &CreditReturn) -> Self {
        Self { bytes, back: Arc::clone(back) }
    }
}

impl Drop for Credit {
    fn drop(&mut self) {
        if self.bytes > 0 {
            (self.back)(self.bytes);
        }
    }
}

impl fmt::Debug for Credit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credit").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}
