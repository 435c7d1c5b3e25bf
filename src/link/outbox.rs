//! The queue in front of a link's writer.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use liverysync_core::{
    transfer::Compression,
    wire::{
        data::TransferId,
        messages::{FileBegin, Message},
    },
};
use tokio::sync::{Notify, mpsc};

#[cfg(doc)]
use super::SendReport;
use crate::byte_source::ByteSource;

/// The most bytes of control messages that may wait to be written.
pub(super) const CONTROL_BYTES_MAX: usize = 32 * 1024 * 1024;

/// A job of the writer.
#[derive(Debug)]
pub(super) enum Item {
    Control(Message, usize),
    /// A piece of a file whose sender counts its own bytes.
    Counted(Message),
    Begin {
        transfer: TransferId,
        from: u64,
        source: Arc<dyn ByteSource>,
        compression: Compression,
        begin: Option<Box<FileBegin>>,
    },
    Stop(TransferId),
    /// Write what waits, then close.
    Close,
}

/// The queue in front of the writer.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    sender: mpsc::UnboundedSender<Item>,
    control_waiting: Arc<AtomicUsize>,
    /// Notified of credit, and by byte sources of their changes.
    wake: Arc<Notify>,
    /// Credit that the writer has not taken yet.
    credit: Arc<AtomicU64>,
}

/// The writer's end of the queue.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) receiver: mpsc::UnboundedReceiver<Item>,
    /// The bytes of the control messages that wait.
    pub(super) control_waiting: Arc<AtomicUsize>,
    /// Notified when there may be more to send.
    pub(super) wake: Arc<Notify>,
    credit: Arc<AtomicU64>,
}

impl Queue {
    /// Takes the credit that the peer has given.
    pub(super) fn take_credit(&self) -> u64 {
        self.credit.swap(0, Ordering::AcqRel)
    }
}

/// Makes an empty queue.
pub(super) fn queue() -> (Outbox, Queue) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let control_waiting = Arc::new(AtomicUsize::new(0));
    let (wake, credit) = (Arc::new(Notify::new()), Arc::new(AtomicU64::new(0)));
    let outbox = Outbox {
        sender,
        control_waiting: Arc::clone(&control_waiting),
        wake: Arc::clone(&wake),
        credit: Arc::clone(&credit),
    };
    (outbox, Queue { receiver, control_waiting, wake, credit })
}

impl Outbox {
    /// Queues a control message. Returns `false` if the peer does not keep up.
    pub(crate) fn send(&self, message: Message) -> bool {
        let bytes = weight(&message);
        let waiting = self.control_waiting.fetch_add(bytes, Ordering::Relaxed) + bytes;
        // The owner of the link notices a writer that has ended.
        let _ended = self.sender.send(Item::Control(message, bytes));
        waiting <= CONTROL_BYTES_MAX
    }

    /// Queues a message with a piece of a file, for a sender that counts the waiting bytes itself.
    #[cfg_attr(not(feature = "client"), expect(dead_code, reason = "only a client needs it"))]
    pub(crate) fn send_counted(&self, message: Message) {
        let _ended = self.sender.send(Item::Counted(message));
    }

    /// Starts to send a file at byte `from`, after the messages that wait. The writer reads it as its bytes and the
    /// peer's credit come, and [reports](SendReport) the progress.
    ///
    /// With `begin`, the peer speaks protocol 1: the file is sent in that form, whole, and after those started before
    /// it.
    pub(crate) fn begin(
        &self,
        transfer: TransferId,
        from: u64,
        source: Arc<dyn ByteSource>,
        compression: Compression,
        begin: Option<FileBegin>,
    ) {
        let begin = begin.map(Box::new);
        let _ended = self.sender.send(Item::Begin { transfer, from, source, compression, begin });
    }

    /// Stops sending a file. Nothing more of it leaves, and no report follows.
    pub(crate) fn stop(&self, transfer: TransferId) {
        let _ended = self.sender.send(Item::Stop(transfer));
    }

    /// Adds to the number of bytes of files that the peer has room for.
    pub(crate) fn give_credit(&self, bytes: u64) {
        // A number instead of a message takes no memory, however often the peer sends it.
        let add = |credit: u64| Some(credit.saturating_add(bytes));
        let _before = self.credit.fetch_update(Ordering::AcqRel, Ordering::Acquire, add);
        self.wake.notify_one();
    }

    /// Closes the link once all queued messages are written. Files that are still being sent are not finished.
    pub(crate) fn close(&self) {
        let _ended = self.sender.send(Item::Close);
    }
}

/// Returns the approximate size of a message in bytes.
fn weight(message: &Message) -> usize {
    match message {
        Message::FileChunk(chunk) => chunk.data.len() * 4 / 3 + 512,
        Message::ManifestFull(full) => full.manifest.len() * 256 + 512,
        Message::SendFiles(request) => request.paths.len() * 256 + 512,
        Message::SyncOffer(offer) => offer.files.as_ref().map_or(0, Vec::len) * 512 + 512,
        _ => 512,
    }
}
