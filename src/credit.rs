//! Room for the bytes of files: a peer may have so many under way, and no more.

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

/// Room is given back to the peer in steps of so many bytes: a message for each piece would be a waste.
const STEP_BYTES: u64 = WINDOW_BYTES / 8;

/// Is told of file bytes that are done with.
pub(crate) type CreditReturn = Arc<dyn Fn(u64) + Send + Sync>;

/// Gives room back to the peer at the other end of this link.
pub(crate) fn return_to_peer(outbox: Outbox) -> CreditReturn {
    let waiting = AtomicU64::new(0);
    Arc::new(move |bytes| {
        if waiting.fetch_add(bytes, Ordering::AcqRel) + bytes >= STEP_BYTES {
            let bytes = waiting.swap(0, Ordering::AcqRel);
            // A peer that does not keep up is noticed by other messages.
            let _keeps_up = outbox.send(Message::Credit(messages::Credit { bytes }));
        }
    })
}

/// File bytes that came over the link. Once this is dropped, as many more may come.
pub(crate) struct Credit {
    bytes: u64,
    back: CreditReturn,
}

impl Credit {
    /// For so many bytes, which go back to `back`.
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
