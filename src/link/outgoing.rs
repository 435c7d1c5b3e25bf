//! The files that one link sends: their order, and the reports about them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io,
    sync::Arc,
    time::Duration,
};

use bytes::BytesMut;
use liverysync_core::{
    transfer::{Compression, Next, SendQueue},
    wire::{
        data::{TransferId, WINDOW_BYTES},
        messages::{FileBegin, FileChunk, FileEnd, Message, SyncId},
    },
};
use tokio::{sync::Notify, time::Instant};

use super::{
    batch::{Batch, Buffers, Piece},
    writer::WRITE_BYTES,
};
use crate::byte_source::{Availability, ByteSource};

/// The shortest time between two reports about the progress of one file.
const PASSED_INTERVAL: Duration = Duration::from_millis(250);

/// The most files that one link keeps open between two pieces, because a process may open only so many.
const OPEN_FILES_MAX: usize = 16;

/// A report of the writer about a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SendReport {
    /// A piece whose sender counts its own bytes has been written.
    Counted(SyncId),
    /// More bytes of a file have been written.
    Passed {
        /// The file.
        transfer: TransferId,
        /// The number of bytes.
        bytes: u64,
    },
    /// A file has been written to its end.
    Sent(TransferId),
    /// A file cannot be read, for this reason, and has been stopped.
    Failed(TransferId, io::ErrorKind, String),
}

/// A file that is being sent.
#[derive(Debug)]
struct OutgoingFile {
    /// Tells it from an earlier one with the same number.
    serial: u64,
    source: Arc<dyn ByteSource>,
    /// All of it is available, which does not change again.
    complete: bool,
    file: Option<Arc<File>>,
    compression: Compression,
    /// Its announcement, for a peer of protocol 1.
    begin: Option<FileBegin>,
    /// The announcement has been written.
    begun: bool,
    /// Bytes that were written and not reported.
    passed: u64,
    reported: Instant,
}

/// All files that one link sends.
#[derive(Debug)]
pub(super) struct OutgoingFiles {
    files: BTreeMap<TransferId, OutgoingFile>,
    /// Files that are kept open.
    open: BTreeSet<TransferId>,
    queue: SendQueue,
    /// The queue for a peer of protocol 1. A link uses only one of the two queues.
    protocol_1_queue: SendQueue,
    wake: Arc<Notify>,
    next_serial: u64,
    /// The buffers of the last batch.
    spare: Buffers,
    reports: Vec<SendReport>,
}

impl OutgoingFiles {
    /// Makes one whose byte sources notify `wake`.
    pub(super) fn new(wake: Arc<Notify>) -> Self {
        Self {
            files: BTreeMap::new(),
            open: BTreeSet::new(),
            queue: SendQueue::new(WINDOW_BYTES),
            protocol_1_queue: SendQueue::one_by_one(),
            wake,
            next_serial: 0,
            spare: Buffers::default(),
            reports: Vec::new(),
        }
    }

    pub(super) fn begin(
        &mut self,
        transfer: TransferId,
        from: u64,
        source: Arc<dyn ByteSource>,
        compression: Compression,
        begin: Option<FileBegin>,
        out: &mut BytesMut,
    ) {
        self.stop(transfer, out);
        source.notify_changes(&self.wake);
        match begin {
            Some(_) => self.protocol_1_queue.begin(transfer, 0, source.size()),
            None => self.queue.begin(transfer, from, source.size()),
        }
        self.next_serial += 1;
        let outgoing = OutgoingFile {
            serial: self.next_serial,
            source,
            complete: false,
            file: None,
            compression,
            begin,
            begun: false,
            passed: 0,
            reported: Instant::now(),
        };
        self.files.insert(transfer, outgoing);
    }

    /// Stops sending a file. Appends to `out` the message about it that a peer of protocol 1 needs.
    pub(super) fn stop(&mut self, transfer: TransferId, out: &mut BytesMut) {
        let Some(outgoing) = self.files.remove(&transfer) else { return };
        self.open.remove(&transfer);
        self.queue.stop(transfer);
        self.protocol_1_queue.stop(transfer);
        // The peer drops a file that ends early.
        if let Some(begin) = outgoing.begin.filter(|_| outgoing.begun) {
            append(out, &end_of(&begin));
        }
    }

    fn fail(&mut self, transfer: TransferId, kind: io::ErrorKind, why: String, out: &mut BytesMut) {
        self.stop(transfer, out);
        self.reports.push(SendReport::Failed(transfer, kind, why));
    }

    pub(super) const fn give_credit(&mut self, bytes: u64) {
        self.queue.give_credit(bytes);
    }

    /// Asks the byte sources how much is available.
    pub(super) fn update_availability(&mut self, out: &mut BytesMut) {
        let mut broken = Vec::new();
        for (transfer, outgoing) in self.files.iter_mut().filter(|(_, outgoing)| !outgoing.complete)
        {
            let queue =
                if outgoing.begin.is_some() { &mut self.protocol_1_queue } else { &mut self.queue };
            match outgoing.source.availability() {
                Availability::Partial(bytes) => queue.set_available(*transfer, bytes, false),
                Availability::Complete => {
                    outgoing.complete = true;
                    queue.set_available(*transfer, outgoing.source.size(), true);
                }
                Availability::Broken(why) => broken.push((*transfer, why)),
            }
        }
        for (transfer, why) in broken {
            self.fail(transfer, io::ErrorKind::Other, why.to_string(), out);
        }
    }

    /// Returns the next pieces, which are still to be read, or `None` if there are none at present.
    pub(super) fn poll_batch(&mut self) -> Option<Batch> {
        let mut batch = Batch::new(std::mem::take(&mut self.spare), false);
        while batch.bytes() < WRITE_BYTES
            && let Some(next) = self.queue.poll()
        {
            batch.pieces.extend(self.piece(next));
        }
        if batch.pieces.is_empty() {
            batch.is_protocol_1 = true;
            while batch.bytes() < WRITE_BYTES
                && let Some(next) = self.protocol_1_queue.poll()
            {
                batch.pieces.extend(self.piece(next));
            }
        }
        if batch.pieces.is_empty() {
            self.keep_spare(batch.buffers);
            return None;
        }
        Some(batch)
    }

    fn piece(&self, next: Next) -> Option<Piece> {
        // The queue names only files that were started and not stopped.
        let outgoing = self.files.get(&next.transfer)?;
        let OutgoingFile { serial, ref source, ref file, compression, .. } = *outgoing;
        Some(Piece::new(next, serial, Arc::clone(source), file.clone(), compression))
    }

    /// A link that sends nothing keeps no buffers.
    fn keep_spare(&mut self, buffers: Buffers) {
        if !self.files.is_empty() {
            self.spare = buffers;
        }
    }

    /// Takes a batch that has been read. The bytes to write are in the batch for protocol 2, and are appended to `out`
    /// for protocol 1.
    pub(super) fn take(&mut self, batch: &mut Batch, out: &mut BytesMut) {
        let is_protocol_1 = batch.is_protocol_1;
        batch.pieces.retain_mut(|piece| {
            let current = self.is_current(piece);
            if current && let Some(fault) = piece.fault.take() {
                self.fail(piece.next.transfer, fault.kind(), fault.to_string(), out);
            } else if current {
                return true;
            }
            // The piece is not sent, so the peer still has room for it.
            self.queue.give_credit(if is_protocol_1 { 0 } else { piece.next.len as u64 });
            false
        });
        if is_protocol_1 {
            self.encode_protocol_1(batch, out);
        } else {
            batch.frame();
        }
    }

    fn is_current(&self, piece: &Piece) -> bool {
        self.files.get(&piece.next.transfer).is_some_and(|outgoing| outgoing.serial == piece.serial)
    }

    /// Encodes pieces in the form of protocol 1.
    fn encode_protocol_1(&mut self, batch: &Batch, out: &mut BytesMut) {
        for piece in &batch.pieces {
            let Some(outgoing) = self.files.get_mut(&piece.next.transfer) else { continue };
            let Some(begin) = &outgoing.begin else { continue };
            if !std::mem::replace(&mut outgoing.begun, true) {
                append(out, &Message::FileBegin(begin.clone()));
            }
            let data = batch.data(piece);
            if !data.is_empty() {
                let chunk = FileChunk {
                    sync_id: begin.sync_id.clone(),
                    rel_path: begin.info.rel_path.clone(),
                    offset: piece.next.offset,
                    data: bytes::Bytes::copy_from_slice(data),
                };
                append(out, &Message::FileChunk(chunk));
            }
            if piece.next.last {
                append(out, &end_of(begin));
            }
        }
    }

    /// Accounts for the pieces of a batch that [`OutgoingFiles::take`] has kept and that were written.
    pub(super) fn written(&mut self, batch: Batch) {
        for piece in batch.pieces {
            let transfer = piece.next.transfer;
            let Some(outgoing) = self.files.get_mut(&transfer) else { continue };
            let stays_open = !piece.next.last
                && (self.open.len() < OPEN_FILES_MAX || self.open.contains(&transfer));
            outgoing.file = piece.file.filter(|_| stays_open);
            if outgoing.file.is_some() {
                self.open.insert(transfer);
            } else {
                self.open.remove(&transfer);
            }
            outgoing.compression = piece.compression;
            outgoing.passed += piece.next.len as u64;
            if piece.next.last || outgoing.reported.elapsed() >= PASSED_INTERVAL {
                let bytes = std::mem::take(&mut outgoing.passed);
                outgoing.reported = Instant::now();
                if bytes > 0 {
                    self.reports.push(SendReport::Passed { transfer, bytes });
                }
            }
            if piece.next.last {
                self.files.remove(&transfer);
                self.reports.push(SendReport::Sent(transfer));
            }
        }
        self.keep_spare(batch.buffers);
    }

    /// Returns the reports so far.
    pub(super) fn reports(&mut self) -> impl Iterator<Item = SendReport> {
        self.reports.drain(..)
    }
}

fn end_of(begin: &FileBegin) -> Message {
    let (sync_id, rel_path) = (begin.sync_id.clone(), begin.info.rel_path.clone());
    Message::FileEnd(FileEnd { sync_id, rel_path })
}

fn append(out: &mut BytesMut, message: &Message) {
    message.write_frame(out);
}
