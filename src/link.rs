//! A TCP connection: frames are read within limits, messages are written from a bounded queue, and files are sent as
//! the peer has room for them.
//!
//! A link holds at most one frame that is being read, [`WRITE_BYTES`] and one piece of the files that it sends, the
//! buffers to compress them, and [`CONTROL_BYTES_MAX`] of other messages. A peer that lets more pile up is
//! disconnected.

mod batch;
mod outgoing;
mod pool;
#[cfg(test)]
#[cfg(all(feature = "client", feature = "server"))]
mod tests;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::{BufMut as _, Bytes, BytesMut};
use liverysync_core::{
    transfer::{CHUNK_BYTES, Compression},
    wire::{
        data::{DATA_HEADER_BYTES, KIND_DATA, TransferId},
        frame,
        messages::{FileBegin, Message, SyncId, WireError},
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Notify, mpsc},
    time::{Instant, timeout, timeout_at},
};

pub(crate) use self::outgoing::SendReport;
pub(crate) use self::pool::Pool;
use self::{batch::Batch, outgoing::OutgoingFiles, pool::Pooled};
use crate::{byte_source::ByteSource, throttle::Throttle};

/// The longest time from the first byte of a frame to its last.
const FRAME_TIMEOUT: Duration = Duration::from_secs(30);

/// The most bytes of control messages that may wait to be written.
const CONTROL_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The number of bytes that are gathered into one write.
const WRITE_BYTES: usize = 256 * 1024;

/// The size of a read while no large frame is expected.
const READ_BYTES: usize = 128 * 1024;

/// With less room than this in the buffer, another one is taken.
const READ_BYTES_MIN: usize = 16 * 1024;

/// A frame of this size or more is read into a buffer of its own. So its payload is passed on without a copy, and keeps
/// no more memory than its own.
const LARGE_BYTES: usize = 64 * 1024;

/// Bytes after a large frame that are read with it: the next header.
const AHEAD_BYTES: usize = 1024;

/// The largest frame with a piece of a file in the form of protocol 2, in bytes.
const PIECE_BYTES_MAX: usize = frame::HEADER_BYTES + DATA_HEADER_BYTES + CHUNK_BYTES;

/// The room that is made for a large frame before its bytes come.
const GROW_BYTES: usize = 512 * 1024;

/// A smaller payload is copied, because it would keep the whole buffer in memory.
const SMALL_BYTES: usize = 4 * 1024;

/// The reason why a link ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error("the connection was closed by the other side")]
    Closed,
    #[error("the connection was closed in the middle of a message")]
    Truncated,
    #[error("a message did not arrive completely in time")]
    ReadTimeout,
    #[error("the other side does not accept data any more")]
    WriteTimeout,
    #[error("the other side sends more than it may")]
    #[cfg_attr(not(feature = "client"), expect(dead_code, reason = "only a client needs it"))]
    CreditExceeded,
    #[error(transparent)]
    Frame(#[from] WireError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Splits a connection into a reader, a queue and a writer. [`Writer::run`] empties the queue.
///
/// A write may make no progress for `write_timeout`. Pieces of files are read into buffers of `pool`.
pub(crate) fn split(
    stream: TcpStream,
    write_timeout: Duration,
    pool: &Pool,
) -> io::Result<(Reader, Outbox, Writer)> {
    stream.set_nodelay(true)?;
    let (read, write) = stream.into_split();
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let (wake, credit) = (Arc::new(Notify::new()), Arc::new(AtomicU64::new(0)));
    let outbox = Outbox {
        sender,
        control_waiting: Arc::clone(&waiting),
        wake: Arc::clone(&wake),
        credit: Arc::clone(&credit),
    };
    let writer = Writer {
        write,
        receiver,
        control_waiting: waiting,
        write_timeout,
        files: OutgoingFiles::new(Arc::clone(&wake)),
        wake,
        credit,
        throttle: None,
    };
    Ok((Reader::new(read, pool.clone()), outbox, writer))
}

/// The reading half.
#[derive(Debug)]
pub(crate) struct Reader {
    read: OwnedReadHalf,
    buffer: BytesMut,
    /// A frame with a piece of a file, as far as it has come. The other buffer is empty meanwhile.
    piece: Option<Pooled>,
    pool: Pool,
    limit: usize,
    /// The time at which the first byte of the present frame came.
    began: Option<Instant>,
    /// The size of the last payload: the next one probably has the same.
    usual: usize,
    throttle: Option<Arc<Throttle>>,
    /// Bytes of files that have been read and not yet taken from the throttle.
    unthrottled: usize,
}

impl Reader {
    fn new(read: OwnedReadHalf, pool: Pool) -> Self {
        Self {
            read,
            buffer: BytesMut::new(),
            piece: None,
            pool,
            limit: frame::PAYLOAD_BYTES_MAX,
            began: None,
            usual: 0,
            throttle: None,
            unthrottled: 0,
        }
    }

    /// Sets the largest payload that is accepted, in bytes.
    pub(crate) const fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Limits the speed at which files are read.
    pub(crate) fn set_throttle(&mut self, throttle: Arc<Throttle>) {
        self.throttle = Some(throttle);
    }

    /// Returns the next payload. No byte is lost if the future is dropped.
    pub(crate) async fn next(&mut self) -> Result<Bytes, LinkError> {
        self.throttle_reads().await;
        loop {
            if let Some(payload) = self.split()? {
                self.began = (!self.buffer.is_empty()).then(Instant::now);
                return Ok(self.pass_on(payload));
            }
            self.begin_piece();
            let most = self.make_room();
            let read = async {
                match &mut self.piece {
                    Some(piece) => self.read.read_buf(&mut piece.room().limit(most)).await,
                    None => self.read.read_buf(&mut (&mut self.buffer).limit(most)).await,
                }
            };
            let count = match self.began {
                Some(began) => timeout_at(began + FRAME_TIMEOUT, read)
                    .await
                    .map_err(|_| LinkError::ReadTimeout)??,
                None => read.await?,
            };
            if count == 0 {
                return Err(if self.buffer.is_empty() && self.piece.is_none() {
                    LinkError::Closed
                } else {
                    LinkError::Truncated
                });
            }
            self.began.get_or_insert_with(Instant::now);
        }
    }

    /// Returns the payload of the present frame once it is complete.
    fn split(&mut self) -> Result<Option<Bytes>, LinkError> {
        let Some(piece) = &self.piece else {
            return Ok(frame::split(&mut self.buffer, self.limit)?);
        };
        let frame = frame_bytes(piece.bytes()).unwrap_or(usize::MAX);
        let Some(piece) = self.piece.take_if(|piece| piece.bytes().len() >= frame) else {
            return Ok(None);
        };
        self.buffer.extend_from_slice(&piece.bytes()[frame..]);
        Ok(Some(Bytes::from_owner(piece).slice(frame::HEADER_BYTES..frame)))
    }

    /// Continues a frame that may hold a piece of a file in a pooled buffer. Its memory is in the processor's cache,
    /// and a new one would have to be filled with zeros.
    fn begin_piece(&mut self) {
        let frame = frame_bytes(&self.buffer).filter(|_| self.piece.is_none());
        if frame.is_some_and(|frame| (LARGE_BYTES..=PIECE_BYTES_MAX).contains(&frame)) {
            let mut piece = self.pool.take();
            piece.room().extend_from_slice(&self.buffer);
            self.buffer.clear();
            self.piece = Some(piece);
        }
    }

    /// Waits until the throttle allows what was read.
    async fn throttle_reads(&mut self) {
        if self.unthrottled == 0 {
            return;
        }
        if let Some(throttle) = &self.throttle {
            throttle.take(self.unthrottled).await;
        }
        self.unthrottled = 0;
        // The peer did not cause this delay.
        self.began = self.began.map(|_| Instant::now());
    }

    fn pass_on(&mut self, payload: Bytes) -> Bytes {
        self.usual = payload.len();
        if self.throttle.is_some() && is_file_data(&payload) {
            self.unthrottled += payload.len();
        }
        if payload.len() < SMALL_BYTES { Bytes::copy_from_slice(&payload) } else { payload }
    }

    /// Makes room in the buffer. Returns how many bytes to read at most.
    fn make_room(&mut self) -> usize {
        if let Some(piece) = &self.piece {
            let frame = frame_bytes(piece.bytes()).unwrap_or_default();
            return frame.saturating_sub(piece.bytes().len()) + AHEAD_BYTES;
        }
        let claimed = frame_bytes(&self.buffer).unwrap_or(frame::HEADER_BYTES + self.usual);
        let frame = claimed.min(frame::HEADER_BYTES + self.limit);
        let missing = frame.saturating_sub(self.buffer.len());
        if frame >= LARGE_BYTES {
            // A header may claim any size, so the buffer grows step by step as the bytes come.
            let most = (missing + AHEAD_BYTES).min(GROW_BYTES);
            self.buffer.reserve(most);
            return most;
        }
        // Payloads that were passed on may share the buffer, so it is used up before another one is made.
        if self.buffer.capacity() - self.buffer.len() < missing.max(READ_BYTES_MIN) {
            self.buffer.reserve(READ_BYTES.min(frame::HEADER_BYTES + self.limit));
        }
        self.buffer.capacity() - self.buffer.len()
    }
}

/// Returns the size of the frame at the start of `bytes`, as its header claims.
fn frame_bytes(bytes: &[u8]) -> Option<usize> {
    let claimed = u32::from_be_bytes(*bytes.first_chunk()?) as usize;
    Some(frame::HEADER_BYTES.saturating_add(claimed))
}

/// Returns `true` if a payload is a piece of a file, judging by its first bytes.
fn is_file_data(payload: &[u8]) -> bool {
    /// Old programs begin a chunk with `{"type": "FILE_CHUNK"`, with or without the space.
    const FIRST: usize = 24;
    let first = &payload[..payload.len().min(FIRST)];
    payload.first() == Some(&KIND_DATA) || first.windows(10).any(|part| part == b"FILE_CHUNK")
}

/// A job of the writer.
#[derive(Debug)]
enum Item {
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

/// The writing half.
#[derive(Debug)]
pub(crate) struct Writer {
    write: OwnedWriteHalf,
    receiver: mpsc::UnboundedReceiver<Item>,
    control_waiting: Arc<AtomicUsize>,
    write_timeout: Duration,
    files: OutgoingFiles,
    wake: Arc<Notify>,
    credit: Arc<AtomicU64>,
    throttle: Option<Arc<Throttle>>,
}

/// A batch of file data that is being read.
type Filling = std::pin::Pin<Box<dyn Future<Output = Option<Batch>> + Send>>;

/// An event that the writer waited for.
enum WriterEvent {
    Item(Option<Item>),
    /// A batch has been read.
    Filled(Option<Batch>),
    /// There may be more to send.
    Woken,
}

impl Writer {
    /// Limits the speed at which files are written.
    pub(crate) fn set_throttle(&mut self, throttle: Arc<Throttle>) {
        self.throttle = Some(throttle);
    }

    /// Writes queued messages and files until the link ends. Passes the progress of files to `report`.
    pub(crate) async fn run(self, report: impl FnMut(SendReport)) -> LinkError {
        match self.write_until_closed(report).await {
            Ok(()) => LinkError::Closed,
            Err(error) => error,
        }
    }

    async fn write_until_closed(
        mut self,
        mut report: impl FnMut(SendReport),
    ) -> Result<(), LinkError> {
        let mut buffer = BytesMut::new();
        let mut counted = Vec::new();
        let mut filling: Option<Filling> = None;
        loop {
            self.files.give_credit(self.credit.swap(0, Ordering::AcqRel));
            self.files.update_availability(&mut buffer);
            self.files.reports().for_each(&mut report);
            if filling.is_none()
                && let Some(batch) = self.files.poll_batch()
            {
                filling = Some(Box::pin(batch.fill(self.throttle.clone())));
            }
            let mut closing = false;
            let mut filled = None;
            // The end of a file that was broken off must be written, whatever else happens.
            if buffer.is_empty() {
                match self.next_event(&mut filling).await {
                    WriterEvent::Item(None) => return Ok(()),
                    WriterEvent::Item(Some(item)) => {
                        closing = self.append(item, &mut buffer, &mut counted);
                    }
                    WriterEvent::Filled(batch) => {
                        filling = None;
                        filled = Some(batch.ok_or(LinkError::Closed)?);
                    }
                    WriterEvent::Woken => {}
                }
            }
            // Control messages go first.
            while !closing && buffer.len() < WRITE_BYTES {
                let Ok(item) = self.receiver.try_recv() else { break };
                closing = self.append(item, &mut buffer, &mut counted);
            }
            if let Some(batch) = &mut filled {
                self.files.take(batch, &mut buffer);
            }
            self.write_all(&mut buffer).await?;
            // Bytes make room in the sender's count only after they have been written.
            for sync_id in counted.drain(..) {
                report(SendReport::Counted(sync_id));
            }
            if let Some(batch) = filled {
                self.write_slice(batch.framed()).await?;
                self.files.written(batch);
                self.files.reports().for_each(&mut report);
                // A task that this wakes runs next on this thread. Without the yield it would wait for the whole next
                // piece.
                tokio::task::yield_now().await;
            }
            if closing {
                let _closed_already = self.write.shutdown().await;
                return Ok(());
            }
        }
    }

    async fn next_event(&mut self, filling: &mut Option<Filling>) -> WriterEvent {
        let busy = filling.is_some();
        tokio::select! {
            biased;
            item = self.receiver.recv() => WriterEvent::Item(item),
            Some(batch) = async { Some(filling.as_mut()?.await) } => WriterEvent::Filled(batch),
            () = self.wake.notified(), if !busy => WriterEvent::Woken,
        }
    }

    /// Returns `true` if the link must be closed.
    fn append(&mut self, item: Item, buffer: &mut BytesMut, counted: &mut Vec<SyncId>) -> bool {
        match item {
            Item::Control(message, bytes) => {
                self.control_waiting.fetch_sub(bytes, Ordering::Relaxed);
                message.write_frame(buffer);
            }
            Item::Counted(message) => {
                message.write_frame(buffer);
                if let Message::FileChunk(chunk) = message {
                    counted.push(chunk.sync_id);
                }
            }
            Item::Begin { transfer, from, source, compression, begin } => {
                let begin = begin.map(|begin| *begin);
                self.files.begin(transfer, from, source, compression, begin, buffer);
            }
            Item::Stop(transfer) => self.files.stop(transfer, buffer),
            Item::Close => return true,
        }
        false
    }

    async fn write_all(&mut self, buffer: &mut BytesMut) -> Result<(), LinkError> {
        self.write_slice(buffer).await?;
        buffer.clear();
        // One large message must not keep its memory for ever.
        if buffer.capacity() > 2 * WRITE_BYTES {
            *buffer = BytesMut::new();
        }
        Ok(())
    }

    async fn write_slice(&mut self, mut bytes: &[u8]) -> Result<(), LinkError> {
        while !bytes.is_empty() {
            let write = self.write.write(bytes);
            let count =
                timeout(self.write_timeout, write).await.map_err(|_| LinkError::WriteTimeout)??;
            if count == 0 {
                return Err(LinkError::Closed);
            }
            bytes = &bytes[count..];
        }
        Ok(())
    }
}
