//! One TCP link: frames in with their limits, messages out through a bounded queue, and files out as
//! the peer has room for them.
//!
//! A link holds at most one frame that is being read, [`WRITE_BYTES`] and one piece of the files that it
//! sends, what it takes to compress them if that pays, and [`CONTROL_BYTES_MAX`] of other messages; a peer that lets more pile up loses its link.

mod batch;
mod pool;
mod sending;
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
        frame::{self, FrameError},
        messages::{FileBegin, Message, SyncId},
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

pub(crate) use self::pool::Pool;
pub(crate) use self::sending::Report;
use self::{batch::Batch, pool::Pooled, sending::Sending};
use crate::{byte_source::ByteSource, throttle::Throttle};

/// How long a frame may take from its first byte to its last.
const FRAME_TIMEOUT: Duration = Duration::from_secs(30);

/// Other messages that may wait to be written, in bytes.
const CONTROL_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How many bytes are gathered into one write.
const WRITE_BYTES: usize = 256 * 1024;

/// Bytes that are read at a time while no large frame is on its way.
const READ_BYTES: usize = 128 * 1024;

/// With less room than this, another buffer is taken.
const READ_BYTES_MIN: usize = 16 * 1024;

/// A frame from this size on is read into a buffer of its own, with little of what follows: so its
/// payload is handed out without being copied, and keeps no more than itself in memory.
const LARGE_BYTES: usize = 64 * 1024;

/// Bytes beyond the end of a large frame that are read with it: the next header.
const AHEAD_BYTES: usize = 1024;

/// Largest frame with a piece of a file, in bytes, in the form of protocol 2.
const PIECE_BYTES_MAX: usize = frame::HEADER_BYTES + DATA_HEADER_BYTES + CHUNK_BYTES;

/// Room that is made for a large frame at a time, ahead of its bytes.
const GROW_BYTES: usize = 512 * 1024;

/// A payload of less than this is copied out: it would keep the whole buffer in memory.
const SMALL_BYTES: usize = 4 * 1024;

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
    #[error("the other end sends more than it was given room for")]
    #[cfg_attr(not(feature = "client"), expect(dead_code, reason = "only a client needs it"))]
    TooMuch,
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Splits a connection into its two ends. The queue is emptied by [`Writer::run`].
///
/// `patience` is how long a write may go without any progress; pieces of files are read into buffers of `pool`.
pub(crate) fn split(
    stream: TcpStream,
    patience: Duration,
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
        patience,
        sending: Sending::new(Arc::clone(&wake)),
        wake,
        credit,
        throttle: None,
    };
    Ok((Reader::new(read, pool.clone()), outbox, writer))
}

/// The reading end.
#[derive(Debug)]
pub(crate) struct Reader {
    read: OwnedReadHalf,
    buffer: BytesMut,
    /// A frame with a piece of a file, as far as it has come. Nothing is in the other buffer meanwhile.
    piece: Option<Pooled>,
    pool: Pool,
    limit: usize,
    /// When the first byte of the frame that is being read came.
    began: Option<Instant>,
    /// Bytes of the last payload: the next one is likely to have as many.
    usual: usize,
    throttle: Option<Arc<Throttle>>,
    /// Bytes of files that have been read and not taken from the throttle.
    owed: usize,
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
            owed: 0,
        }
    }

    /// Sets the largest payload that is accepted from here on, in bytes.
    pub(crate) const fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Reads files no faster than this lets it.
    pub(crate) fn set_throttle(&mut self, throttle: Arc<Throttle>) {
        self.throttle = Some(throttle);
    }

    /// The next payload. Safe to drop and call again.
    pub(crate) async fn next(&mut self) -> Result<Bytes, LinkError> {
        self.pay().await;
        loop {
            if let Some(payload) = self.split()? {
                self.began = (!self.buffer.is_empty()).then(Instant::now);
                return Ok(self.hand_out(payload));
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
                    .map_err(|_| LinkError::TooSlow)??,
                None => read.await?,
            };
            if count == 0 {
                return Err(if self.buffer.is_empty() && self.piece.is_none() {
                    LinkError::Closed
                } else {
                    LinkError::Cut
                });
            }
            self.began.get_or_insert_with(Instant::now);
        }
    }

    /// The payload of the frame that is being read, once all of it is there.
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

    /// A frame that may hold a piece of a file goes on in a buffer that has been used before: its memory is near at
    /// hand, and a new one would have to be filled with zeros first.
    fn begin_piece(&mut self) {
        let frame = frame_bytes(&self.buffer).filter(|_| self.piece.is_none());
        if frame.is_some_and(|frame| (LARGE_BYTES..=PIECE_BYTES_MAX).contains(&frame)) {
            let mut piece = self.pool.take();
            piece.room().extend_from_slice(&self.buffer);
            self.buffer.clear();
            self.piece = Some(piece);
        }
    }

    /// Waits until the throttle has made up for what was read.
    async fn pay(&mut self) {
        if self.owed == 0 {
            return;
        }
        if let Some(throttle) = &self.throttle {
            throttle.take(self.owed).await;
        }
        self.owed = 0;
        // It was not the peer who let the frame wait.
        self.began = self.began.map(|_| Instant::now());
    }

    fn hand_out(&mut self, payload: Bytes) -> Bytes {
        self.usual = payload.len();
        if self.throttle.is_some() && is_file_data(&payload) {
            self.owed += payload.len();
        }
        if payload.len() < SMALL_BYTES { Bytes::copy_from_slice(&payload) } else { payload }
    }

    /// Makes room in the buffer; returns how many bytes to read at most.
    fn make_room(&mut self) -> usize {
        if let Some(piece) = &self.piece {
            let frame = frame_bytes(piece.bytes()).unwrap_or_default();
            return frame.saturating_sub(piece.bytes().len()) + AHEAD_BYTES;
        }
        let claimed = frame_bytes(&self.buffer).unwrap_or(frame::HEADER_BYTES + self.usual);
        let frame = claimed.min(frame::HEADER_BYTES + self.limit);
        let missing = frame.saturating_sub(self.buffer.len());
        if frame >= LARGE_BYTES {
            // Ahead of its bytes, the buffer grows by this much only: a header may claim anything.
            let most = (missing + AHEAD_BYTES).min(GROW_BYTES);
            self.buffer.reserve(most);
            return most;
        }
        // What is handed out may hold the buffer: it is used up before there is another one.
        if self.buffer.capacity() - self.buffer.len() < missing.max(READ_BYTES_MIN) {
            self.buffer.reserve(READ_BYTES.min(frame::HEADER_BYTES + self.limit));
        }
        self.buffer.capacity() - self.buffer.len()
    }
}

/// Bytes of the frame that begins here, as its header claims.
fn frame_bytes(bytes: &[u8]) -> Option<usize> {
    let claimed = u32::from_be_bytes(*bytes.first_chunk()?) as usize;
    Some(frame::HEADER_BYTES.saturating_add(claimed))
}

/// Whether a payload is a piece of a file, as far as its first bytes tell.
fn is_file_data(payload: &[u8]) -> bool {
    /// Programs of the field begin a chunk with `{"type": "FILE_CHUNK"`, with or without the space.
    const FIRST: usize = 24;
    let first = &payload[..payload.len().min(FIRST)];
    payload.first() == Some(&KIND_DATA) || first.windows(10).any(|part| part == b"FILE_CHUNK")
}

/// Something to write.
#[derive(Debug)]
enum Item {
    Control(Message, usize),
    /// A piece of a file that its sender counts.
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

/// The queue in front of the writing end.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    sender: mpsc::UnboundedSender<Item>,
    control_waiting: Arc<AtomicUsize>,
    /// Told of credit; the files that are sent tell it of their progress.
    wake: Arc<Notify>,
    /// Credit that the writing end has not seen yet.
    credit: Arc<AtomicU64>,
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
    #[cfg_attr(not(feature = "client"), expect(dead_code, reason = "only a client needs it"))]
    pub(crate) fn send_counted(&self, message: Message) {
        let _ended = self.sender.send(Item::Counted(message));
    }

    /// Begins to send a file, from this byte on, after the messages that wait. The writing end reads
    /// it by itself, as its bytes come and the peer has room, and [reports](Report) what becomes of it.
    ///
    /// `begin` is for a peer of protocol 1: the file goes in that form, after all that were begun
    /// before it, from its first byte on.
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

    /// Stops sending a file; of what has not left, nothing will. No report follows.
    pub(crate) fn stop(&self, transfer: TransferId) {
        let _ended = self.sender.send(Item::Stop(transfer));
    }

    /// Takes note that the peer has room for so many bytes of files more.
    pub(crate) fn give_credit(&self, bytes: u64) {
        // A number and no message: however many a peer sends, they take no memory.
        let add = |credit: u64| Some(credit.saturating_add(bytes));
        let _before = self.credit.fetch_update(Ordering::AcqRel, Ordering::Acquire, add);
        self.wake.notify_one();
    }

    /// Closes the link once everything that waits is written, but for files that it sends by itself.
    pub(crate) fn close(&self) {
        let _ended = self.sender.send(Item::Close);
    }
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
    sending: Sending,
    wake: Arc<Notify>,
    credit: Arc<AtomicU64>,
    throttle: Option<Arc<Throttle>>,
}

/// A batch of file data that is being read.
type Filling = std::pin::Pin<Box<dyn Future<Output = Option<Batch>> + Send>>;

/// What the writing end waited for.
enum Happening {
    Item(Option<Item>),
    /// A batch has been read.
    Filled(Option<Batch>),
    /// There may be more to send.
    Woken,
}

impl Writer {
    /// Writes files no faster than this lets it.
    pub(crate) fn set_throttle(&mut self, throttle: Arc<Throttle>) {
        self.throttle = Some(throttle);
    }

    /// Writes what is queued, and the files that are begun, until the link ends. `report` is told what
    /// becomes of files.
    pub(crate) async fn run(self, report: impl FnMut(Report)) -> LinkError {
        match self.write_until_closed(report).await {
            Ok(()) => LinkError::Closed,
            Err(error) => error,
        }
    }

    async fn write_until_closed(mut self, mut report: impl FnMut(Report)) -> Result<(), LinkError> {
        let mut buffer = BytesMut::new();
        let mut counted = Vec::new();
        let mut filling: Option<Filling> = None;
        loop {
            self.sending.give_credit(self.credit.swap(0, Ordering::AcqRel));
            self.sending.look(&mut buffer);
            self.sending.reports().for_each(&mut report);
            if filling.is_none()
                && let Some(batch) = self.sending.poll_batch()
            {
                filling = Some(Box::pin(batch.fill(self.throttle.clone())));
            }
            let mut closing = false;
            let mut filled = None;
            // What is left of a file that broke off has to go, whatever else happens.
            if buffer.is_empty() {
                match self.happening(&mut filling).await {
                    Happening::Item(None) => return Ok(()),
                    Happening::Item(Some(item)) => {
                        closing = self.append(item, &mut buffer, &mut counted);
                    }
                    Happening::Filled(batch) => {
                        filling = None;
                        filled = Some(batch.ok_or(LinkError::Closed)?);
                    }
                    Happening::Woken => {}
                }
            }
            // First everything else that waits.
            while !closing && buffer.len() < WRITE_BYTES {
                let Ok(item) = self.receiver.try_recv() else { break };
                closing = self.append(item, &mut buffer, &mut counted);
            }
            if let Some(batch) = &mut filled {
                self.sending.take(batch, &mut buffer);
            }
            self.write_all(&mut buffer).await?;
            // What was written makes room only from here on.
            for sync_id in counted.drain(..) {
                report(Report::Counted(sync_id));
            }
            if let Some(batch) = filled {
                self.write_slice(batch.framed()).await?;
                self.sending.written(batch);
                self.sending.reports().for_each(&mut report);
                // Whoever that wakes runs on this thread next: without this it would wait for the
                // whole of the following piece.
                tokio::task::yield_now().await;
            }
            if closing {
                let _closed_already = self.write.shutdown().await;
                return Ok(());
            }
        }
    }

    async fn happening(&mut self, filling: &mut Option<Filling>) -> Happening {
        let busy = filling.is_some();
        tokio::select! {
            biased;
            item = self.receiver.recv() => Happening::Item(item),
            Some(batch) = async { Some(filling.as_mut()?.await) } => Happening::Filled(batch),
            () = self.wake.notified(), if !busy => Happening::Woken,
        }
    }

    /// Returns whether the link is to be closed.
    fn append(&mut self, item: Item, buffer: &mut BytesMut, counted: &mut Vec<SyncId>) -> bool {
        match item {
            Item::Control(message, bytes) => {
                self.control_waiting.fetch_sub(bytes, Ordering::Relaxed);
                frame::write(buffer, |out| message.encode(out));
            }
            Item::Counted(message) => {
                frame::write(buffer, |out| message.encode(out));
                if let Message::FileChunk(chunk) = message {
                    counted.push(chunk.sync_id);
                }
            }
            Item::Begin { transfer, from, source, compression, begin } => {
                let begin = begin.map(|begin| *begin);
                self.sending.begin(transfer, from, source, compression, begin, buffer);
            }
            Item::Stop(transfer) => self.sending.stop(transfer, buffer),
            Item::Close => return true,
        }
        false
    }

    async fn write_all(&mut self, buffer: &mut BytesMut) -> Result<(), LinkError> {
        self.write_slice(buffer).await?;
        buffer.clear();
        // One large message must not keep its room for ever.
        if buffer.capacity() > 2 * WRITE_BYTES {
            *buffer = BytesMut::new();
        }
        Ok(())
    }

    async fn write_slice(&mut self, mut bytes: &[u8]) -> Result<(), LinkError> {
        while !bytes.is_empty() {
            let write = self.write.write(bytes);
            let count = timeout(self.patience, write).await.map_err(|_| LinkError::Stuck)??;
            if count == 0 {
                return Err(LinkError::Closed);
            }
            bytes = &bytes[count..];
        }
        Ok(())
    }
}
