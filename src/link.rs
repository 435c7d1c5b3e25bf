//! One TCP link: frames in with their limits, messages out through a bounded queue.
//!
//! A link holds at most one frame that is being read, [`DATA_BYTES_MAX`] and one frame of file data
//! that waits to be written, and [`CONTROL_BYTES_MAX`] of other messages; a peer that lets more pile
//! up loses its link.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use liverysync_core::wire::{
    frame::{self, FrameError},
    v1::{Message, SyncId},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{Instant, timeout, timeout_at},
};

/// How long a frame may take from its first byte to its last.
const FRAME_TIMEOUT: Duration = Duration::from_secs(30);

/// File data that may wait to be written, in bytes; then its source has to wait.
const DATA_BYTES_MAX: usize = 1024 * 1024;

/// Other messages that may wait to be written, in bytes.
const CONTROL_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How many bytes are gathered into one write.
const WRITE_BYTES: usize = 256 * 1024;

/// Room that is made in the read buffer before each read.
const READ_BYTES: usize = 128 * 1024;

/// Why a link ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error("the other end closed the connection")]
    Closed,
    #[error("the other end closed the connection in the middle of a message")]
    Cut,
    #[error("a message did not arrive in time")]
    TooSlow,
    #[error("the other end does not take what is sent to it")]
    Stuck,
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Splits a connection into its two ends. The queue is emptied by [`Writer::run`].
///
/// `patience` is how long a write may go without any progress.
pub(crate) fn split(stream: TcpStream, patience: Duration) -> io::Result<(Reader, Outbox, Writer)> {
    stream.set_nodelay(true)?;
    let (read, write) = stream.into_split();
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let outbox = Outbox {
        sender,
        room: Arc::new(Semaphore::new(DATA_BYTES_MAX)),
        control_waiting: Arc::clone(&waiting),
    };
    let reader =
        Reader { read, buffer: BytesMut::new(), limit: frame::PAYLOAD_BYTES_MAX, began: None };
    Ok((reader, outbox, Writer { write, receiver, control_waiting: waiting, patience }))
}

/// The reading end.
#[derive(Debug)]
pub(crate) struct Reader {
    read: OwnedReadHalf,
    buffer: BytesMut,
    limit: usize,
    /// When the first byte of the frame that is being read came.
    began: Option<Instant>,
}

impl Reader {
    /// Sets the largest payload that is accepted from here on, in bytes.
    pub(crate) const fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// The next payload. Safe to drop and call again.
    pub(crate) async fn next(&mut self) -> Result<Bytes, LinkError> {
        loop {
            if let Some(payload) = frame::split(&mut self.buffer, self.limit)? {
                self.began = (!self.buffer.is_empty()).then(Instant::now);
                return Ok(payload);
            }
            // The buffer grows with what has come, never with what a header claims.
            self.buffer.reserve(READ_BYTES);
            let read = self.read.read_buf(&mut self.buffer);
            let count = match self.began {
                Some(began) => timeout_at(began + FRAME_TIMEOUT, read)
                    .await
                    .map_err(|_| LinkError::TooSlow)??,
                None => read.await?,
            };
            if count == 0 {
                return Err(if self.buffer.is_empty() {
                    LinkError::Closed
                } else {
                    LinkError::Cut
                });
            }
            self.began.get_or_insert_with(Instant::now);
        }
    }
}

/// Something to write.
#[derive(Debug)]
enum Item {
    Control(Message, usize),
    Data {
        message: Message,
        cancelled: Arc<AtomicBool>,
        _room: OwnedSemaphorePermit,
    },
    /// A piece of a file that its sender counts.
    Counted(Message),
    /// Write what waits, then close.
    Close,
}

/// The queue in front of the writing end.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    sender: mpsc::UnboundedSender<Item>,
    room: Arc<Semaphore>,
    control_waiting: Arc<AtomicUsize>,
}

impl Outbox {
    /// Queues a message that is no file data. Returns whether the peer still keeps up.
    pub(crate) fn send(&self, message: Message) -> bool {
        let bytes = weight(&message);
        let waiting = self.control_waiting.fetch_add(bytes, Ordering::Relaxed) + bytes;
        // A writer that has ended is noticed by whoever waits for it.
        let _ended = self.sender.send(Item::Control(message, bytes));
        waiting <= CONTROL_BYTES_MAX
    }

    /// Queues a message of a file at once, for a sender that keeps its own count of what waits.
    pub(crate) fn send_counted(&self, message: Message) {
        let _ended = self.sender.send(Item::Counted(message));
    }

    /// Queues a message of a file once there is room. A beginning or a piece is dropped unwritten if
    /// `cancelled` is set by then.
    pub(crate) async fn send_data(&self, message: Message, cancelled: Arc<AtomicBool>) {
        let wanted = u32::try_from(weight(&message).min(DATA_BYTES_MAX)).unwrap_or(u32::MAX);
        let Ok(room) = Arc::clone(&self.room).acquire_many_owned(wanted).await else { return };
        let _ended = self.sender.send(Item::Data { message, cancelled, _room: room });
    }

    /// Closes the link once everything that waits is written.
    pub(crate) fn close(&self) {
        let _ended = self.sender.send(Item::Close);
    }
}

/// What is owed to the sender of something once that is written.
#[derive(Debug)]
enum Taken {
    /// Its room in the queue, which is given back by being dropped.
    Room(#[expect(dead_code, reason = "it is held for its drop")] OwnedSemaphorePermit),
    /// A word that this session's piece has left.
    Counted(SyncId),
}

/// About how many bytes a message takes.
fn weight(message: &Message) -> usize {
    match message {
        Message::FileChunk(chunk) => chunk.data.len() * 4 / 3 + 512,
        Message::ManifestFull(full) => full.manifest.len() * 256 + 512,
        Message::SendFiles(request) => request.paths.len() * 256 + 512,
        Message::SyncOffer(offer) => offer.files.as_ref().map_or(0, Vec::len) * 512 + 512,
        _ => 512,
    }
}

/// The writing end.
#[derive(Debug)]
pub(crate) struct Writer {
    write: OwnedWriteHalf,
    receiver: mpsc::UnboundedReceiver<Item>,
    control_waiting: Arc<AtomicUsize>,
    patience: Duration,
}

impl Writer {
    /// Writes what is queued until the link ends. `sent` is called for each counted piece that was written.
    pub(crate) async fn run(mut self, mut sent: impl FnMut(SyncId)) -> LinkError {
        let mut buffer = BytesMut::with_capacity(2 * WRITE_BYTES);
        let mut taken = Vec::new();
        loop {
            let Some(item) = self.receiver.recv().await else { return LinkError::Closed };
            let mut next = Some(item);
            let mut closing = false;
            while let Some(item) = next {
                closing |= self.append(item, &mut buffer, &mut taken);
                next = if closing || buffer.len() >= WRITE_BYTES {
                    None
                } else {
                    self.receiver.try_recv().ok()
                };
            }
            if let Err(error) = self.write_all(&mut buffer).await {
                return error;
            }
            // The room of what was written is free only from here on.
            for taken in taken.drain(..) {
                if let Taken::Counted(sync_id) = taken {
                    sent(sync_id);
                }
            }
            if closing {
                let _closed_already = self.write.shutdown().await;
                return LinkError::Closed;
            }
        }
    }

    fn append(&self, item: Item, buffer: &mut BytesMut, taken: &mut Vec<Taken>) -> bool {
        match item {
            Item::Control(message, bytes) => {
                self.control_waiting.fetch_sub(bytes, Ordering::Relaxed);
                frame::write(buffer, |out| message.encode(out));
            }
            Item::Data { message, cancelled, _room: room } => {
                // The end of a file still goes: a target of protocol 1 must not be left with an open one.
                let is_end = matches!(message, Message::FileEnd(_));
                if cancelled.load(Ordering::Acquire) && !is_end {
                    return false;
                }
                frame::write(buffer, |out| message.encode(out));
                taken.push(Taken::Room(room));
            }
            Item::Counted(message) => {
                frame::write(buffer, |out| message.encode(out));
                if let Message::FileChunk(chunk) = message {
                    taken.push(Taken::Counted(chunk.sync_id));
                }
            }
            Item::Close => return true,
        }
        false
    }

    async fn write_all(&mut self, buffer: &mut BytesMut) -> Result<(), LinkError> {
        while !buffer.is_empty() {
            let write = self.write.write_buf(buffer);
            let count = timeout(self.patience, write).await.map_err(|_| LinkError::Stuck)??;
            if count == 0 {
                return Err(LinkError::Closed);
            }
        }
        // One large message must not keep its room for ever.
        if buffer.capacity() > 8 * WRITE_BYTES {
            *buffer = BytesMut::with_capacity(2 * WRITE_BYTES);
        }
        Ok(())
    }
}
