//! The files that one link sends by itself: their turns, reading them, and what is said about them.

use std::{collections::BTreeMap, fs::File, io, sync::Arc, time::Duration};

use bytes::{BufMut as _, BytesMut};
use liverysync_core::{
    transfer::{Next, Outgoing, Packing},
    wire::{
        frame,
        v1::{FileBegin, FileChunk, FileEnd, Message, SyncId},
        v2::{DATA_HEADER_BYTES, Data, Packer, TransferId, WINDOW_BYTES},
    },
};
use tokio::{sync::Notify, time::Instant};

use super::WRITE_BYTES;
use crate::{
    feed::{Feed, Progress, read_at, read_cached},
    throttle::Throttle,
};

/// How often at most it is said how far a file has come.
const PASSED_INTERVAL: Duration = Duration::from_millis(250);

/// Files that one link keeps open at a time. If more are on their way, each is opened for each piece:
/// a system gives a process only so many.
const OPEN_FILES_MAX: usize = 16;

/// Bytes in front of those of a piece, in the form of protocol 2.
const HEADER_BYTES: usize = frame::HEADER_BYTES + DATA_HEADER_BYTES;

/// What the writing end has to say about files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// A piece that its sender counts has left.
    Counted(SyncId),
    /// So many bytes more have left.
    Passed {
        /// Of which file.
        transfer: TransferId,
        /// How many.
        bytes: u64,
    },
    /// All of a file has left.
    Sent(TransferId),
    /// A file cannot be sent, for this reason. It has been stopped.
    Failed(TransferId, io::ErrorKind, String),
}

/// A file on its way.
#[derive(Debug)]
struct Flow {
    /// Tells it from an earlier one under the same number.
    serial: u64,
    feed: Arc<dyn Feed>,
    /// Whether all of it is there, which does not change any more.
    complete: bool,
    file: Option<Arc<File>>,
    packing: Packing,
    /// For a peer of protocol 1: how it is announced.
    begin: Option<FileBegin>,
    /// Whether that has been written.
    begun: bool,
    /// Bytes that have left and were not reported.
    passed: u64,
    reported: Instant,
}

/// All files on their way over one link.
#[derive(Debug)]
pub(super) struct Sending {
    flows: BTreeMap<TransferId, Flow>,
    outgoing: Outgoing,
    /// Those for a peer of protocol 1. One link has only one kind.
    one_by_one: Outgoing,
    wake: Arc<Notify>,
    next_serial: u64,
    /// The memory of the last batch.
    spare: Memory,
    reports: Vec<Report>,
}

impl Sending {
    /// `wake` is told of every progress of a file.
    pub(super) fn new(wake: Arc<Notify>) -> Self {
        Self {
            flows: BTreeMap::new(),
            outgoing: Outgoing::new(WINDOW_BYTES),
            one_by_one: Outgoing::one_by_one(),
            wake,
            next_serial: 0,
            spare: Memory::default(),
            reports: Vec::new(),
        }
    }

    pub(super) fn begin(
        &mut self,
        transfer: TransferId,
        from: u64,
        feed: Arc<dyn Feed>,
        packing: Packing,
        begin: Option<FileBegin>,
        out: &mut BytesMut,
    ) {
        self.stop(transfer, out);
        feed.watch(&self.wake);
        match begin {
            Some(_) => self.one_by_one.begin(transfer, 0, feed.size()),
            None => self.outgoing.begin(transfer, from, feed.size()),
        }
        self.next_serial += 1;
        let flow = Flow {
            serial: self.next_serial,
            feed,
            complete: false,
            file: None,
            packing,
            begin,
            begun: false,
            passed: 0,
            reported: Instant::now(),
        };
        self.flows.insert(transfer, flow);
    }

    /// Stops sending a file. What an old target must hear of that is appended to `out`.
    pub(super) fn stop(&mut self, transfer: TransferId, out: &mut BytesMut) {
        let Some(flow) = self.flows.remove(&transfer) else { return };
        self.outgoing.stop(transfer);
        self.one_by_one.stop(transfer);
        // It drops a file that ends early.
        if let Some(begin) = flow.begin.filter(|_| flow.begun) {
            put(out, &end_of(&begin));
        }
    }

    fn fail(&mut self, transfer: TransferId, kind: io::ErrorKind, why: String, out: &mut BytesMut) {
        self.stop(transfer, out);
        self.reports.push(Report::Failed(transfer, kind, why));
    }

    pub(super) const fn give_credit(&mut self, bytes: u64) {
        self.outgoing.give_credit(bytes);
    }

    /// Looks how far the files are.
    pub(super) fn look(&mut self, out: &mut BytesMut) {
        let mut broken = Vec::new();
        for (transfer, flow) in self.flows.iter_mut().filter(|(_, flow)| !flow.complete) {
            let outgoing =
                if flow.begin.is_some() { &mut self.one_by_one } else { &mut self.outgoing };
            match flow.feed.progress() {
                Progress::Arriving(bytes) => outgoing.set_available(*transfer, bytes, false),
                Progress::Complete => {
                    flow.complete = true;
                    outgoing.set_available(*transfer, flow.feed.size(), true);
                }
                Progress::Broken(why) => broken.push((*transfer, why)),
            }
        }
        for (transfer, why) in broken {
            self.fail(transfer, io::ErrorKind::Other, why.to_string(), out);
        }
    }

    /// The next pieces, still to be read; `None` if there are none at present.
    pub(super) fn poll_batch(&mut self) -> Option<Batch> {
        let mut batch = Batch { memory: std::mem::take(&mut self.spare), ..Batch::default() };
        while batch.len < WRITE_BYTES
            && let Some(next) = self.outgoing.poll()
        {
            self.add(&mut batch, next, HEADER_BYTES);
        }
        if batch.pieces.is_empty() {
            batch.is_old = true;
            while batch.len < WRITE_BYTES
                && let Some(next) = self.one_by_one.poll()
            {
                self.add(&mut batch, next, 0);
            }
        }
        if batch.pieces.is_empty() {
            if !self.flows.is_empty() {
                self.spare = batch.memory;
            }
            return None;
        }
        let buffer = &mut batch.memory.buffer;
        buffer.resize(batch.len.max(buffer.len()), 0);
        Some(batch)
    }

    fn add(&self, batch: &mut Batch, next: Next, header: usize) {
        // Only what was begun and not stopped is ever named.
        let Some(flow) = self.flows.get(&next.transfer) else { return };
        let start = batch.len + header;
        batch.len = start + next.len;
        batch.pieces.push(Piece {
            next,
            serial: flow.serial,
            feed: Arc::clone(&flow.feed),
            file: flow.file.clone(),
            packing: flow.packing,
            start,
            len: next.len,
            is_zstd: false,
            read: 0,
            fault: None,
        });
    }

    /// Takes a batch that was read: what of it is to be written is in the batch (protocol 2) or
    /// appended to `out`.
    pub(super) fn take(&mut self, batch: &mut Batch, out: &mut BytesMut) {
        let mut pieces = std::mem::take(&mut batch.pieces);
        pieces.retain_mut(|piece| {
            let transfer = piece.next.transfer;
            let current = self.flows.get(&transfer).is_some_and(|flow| flow.serial == piece.serial);
            if current && let Some(fault) = piece.fault.take() {
                self.fail(transfer, fault.kind(), fault.to_string(), out);
            } else if current {
                return true;
            }
            // It does not go, so the room for it is still there.
            self.outgoing.give_credit(if batch.is_old { 0 } else { piece.next.len as u64 });
            false
        });
        if batch.is_old {
            self.take_old(&pieces, batch, out);
        } else {
            batch.frame(&mut pieces);
        }
        batch.pieces = pieces;
    }

    /// Puts pieces into the form of protocol 1.
    fn take_old(&mut self, pieces: &[Piece], batch: &Batch, out: &mut BytesMut) {
        for piece in pieces {
            let Some(flow) = self.flows.get_mut(&piece.next.transfer) else { continue };
            let Some(begin) = &flow.begin else { continue };
            if !std::mem::replace(&mut flow.begun, true) {
                put(out, &Message::FileBegin(begin.clone()));
            }
            let data = &batch.memory.buffer[piece.start..piece.start + piece.len];
            if !data.is_empty() {
                let chunk = FileChunk {
                    sync_id: begin.sync_id.clone(),
                    rel_path: begin.info.rel_path.clone(),
                    offset: piece.next.offset,
                    data: bytes::Bytes::copy_from_slice(data),
                };
                put(out, &Message::FileChunk(chunk));
            }
            if piece.next.last {
                put(out, &end_of(begin));
            }
        }
    }

    /// Takes note that what [`Sending::take`] left of a batch has been written.
    pub(super) fn written(&mut self, batch: Batch) {
        let keep_open = self.flows.len() <= OPEN_FILES_MAX;
        for piece in batch.pieces {
            let transfer = piece.next.transfer;
            let Some(flow) = self.flows.get_mut(&transfer) else { continue };
            flow.file = piece.file.filter(|_| keep_open);
            flow.packing = piece.packing;
            flow.passed += piece.next.len as u64;
            if piece.next.last || flow.reported.elapsed() >= PASSED_INTERVAL {
                let bytes = std::mem::take(&mut flow.passed);
                flow.reported = Instant::now();
                if bytes > 0 {
                    self.reports.push(Report::Passed { transfer, bytes });
                }
            }
            if piece.next.last {
                self.flows.remove(&transfer);
                self.reports.push(Report::Sent(transfer));
            }
        }
        // A link that sends nothing holds no memory for it.
        if !self.flows.is_empty() {
            self.spare = batch.memory;
        }
    }

    /// What has to be said by now.
    pub(super) fn reports(&mut self) -> impl Iterator<Item = Report> {
        self.reports.drain(..)
    }
}

fn end_of(begin: &FileBegin) -> Message {
    let (sync_id, rel_path) = (begin.sync_id.clone(), begin.info.rel_path.clone());
    Message::FileEnd(FileEnd { sync_id, rel_path })
}

fn put(out: &mut BytesMut, message: &Message) {
    frame::write(out, |out| message.encode(out));
}

/// Pieces of files that are read and written together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pieces: Vec<Piece>,
    memory: Memory,
    /// How much of the buffer counts.
    len: usize,
    is_old: bool,
}

/// What is kept from batch to batch.
#[derive(Debug, Default)]
struct Memory {
    /// Never cleared.
    buffer: Vec<u8>,
    packer: Packer,
}

#[derive(Debug)]
struct Piece {
    next: Next,
    serial: u64,
    feed: Arc<dyn Feed>,
    file: Option<Arc<File>>,
    packing: Packing,
    /// Where in the buffer its bytes begin, behind the room for a header.
    start: usize,
    /// How many they are there: fewer than in the file if they are compressed.
    len: usize,
    is_zstd: bool,
    /// Bytes that have been read.
    read: usize,
    fault: Option<io::Error>,
}

impl Batch {
    /// What is to be written, in the form of protocol 2.
    pub(super) fn bytes(&self) -> &[u8] {
        if self.is_old { &[] } else { &self.memory.buffer[..self.len] }
    }

    /// Reads and compresses the pieces, on a thread that may wait for a disk where it has to, and waits
    /// until they may go. `None` if the process is about to end.
    pub(super) async fn fill(mut self, throttle: Option<Arc<Throttle>>) -> Option<Self> {
        // Compressing a piece takes half a millisecond: no other task should wait for that.
        let packs = self.pieces.iter().any(|piece| piece.packing.is_tried());
        if packs || !self.read(false) {
            let read = tokio::task::spawn_blocking(move || {
                self.read(true);
                self.pack();
                self
            });
            self = read.await.ok()?;
        }
        if let Some(throttle) = throttle {
            let bytes = self.pieces.iter().map(|piece| piece.len).sum();
            throttle.take(bytes).await;
        }
        Some(self)
    }

    /// Reads what is still to be read; returns whether that was all.
    fn read(&mut self, may_wait: bool) -> bool {
        let mut whole = true;
        for piece in &mut self.pieces {
            let out = &mut self.memory.buffer[piece.start..piece.start + piece.len];
            match piece.read_into(out, may_wait) {
                Ok(done) => whole &= done,
                // Whatever is the matter, the slow way finds it out again.
                Err(_) if !may_wait => whole = false,
                Err(fault) => piece.fault = Some(fault),
            }
        }
        whole
    }

    /// Compresses the pieces for which it pays, each in its place.
    fn pack(&mut self) {
        let Memory { buffer, packer } = &mut self.memory;
        for piece in self.pieces.iter_mut().filter(|piece| piece.fault.is_none()) {
            let bytes = &mut buffer[piece.start..piece.start + piece.len];
            if let Some(frame) = piece.packing.pack(bytes, packer) {
                bytes[..frame.len()].copy_from_slice(frame);
                (piece.len, piece.is_zstd) = (frame.len(), true);
            }
        }
    }

    /// Puts headers in front of `pieces`, which are left of it, and moves them together.
    fn frame(&mut self, pieces: &mut [Piece]) {
        let (buffer, mut end) = (&mut self.memory.buffer, 0);
        for piece in pieces {
            let (Next { transfer, offset, last, .. }, len) = (piece.next, piece.len);
            let start = end + HEADER_BYTES;
            if piece.start != start {
                buffer.copy_within(piece.start..piece.start + len, start);
                piece.start = start;
            }
            let mut header = &mut buffer[end..start];
            // A piece is never larger than a chunk.
            header.put_u32(u32::try_from(DATA_HEADER_BYTES + len).unwrap_or(u32::MAX));
            Data::encode_header(transfer, offset, last, piece.is_zstd, &mut header);
            end = start + len;
        }
        self.len = end;
    }
}

impl Piece {
    /// Returns whether it is whole.
    fn read_into(&mut self, out: &mut [u8], may_wait: bool) -> io::Result<bool> {
        let rest = &mut out[self.read..];
        if rest.is_empty() {
            return Ok(true);
        }
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => self.feed.file(may_wait)?,
        };
        self.file = Some(Arc::clone(&file));
        self.feed.check(&file)?;
        let offset = self.next.offset + self.read as u64;
        if may_wait {
            read_at(&file, offset, rest).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => io::Error::other("it has become shorter meanwhile"),
                _ => error,
            })?;
            self.read = self.next.len;
        } else {
            self.read += read_cached(&file, offset, rest);
        }
        Ok(self.read == self.next.len)
    }
}
