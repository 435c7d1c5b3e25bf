//! The files that one link sends by itself: their turns, and what is said about them.

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
        frame,
        messages::{FileBegin, FileChunk, FileEnd, Message, SyncId},
    },
};
use tokio::{sync::Notify, time::Instant};

use super::{
    WRITE_BYTES,
    batch::{Batch, Memory, Piece},
};
use crate::byte_source::{Availability, ByteSource};

/// How often at most it is said how far a file has come.
const PASSED_INTERVAL: Duration = Duration::from_millis(250);

/// Files that one link keeps open from one piece to the next: a system gives a process only so many.
const OPEN_FILES_MAX: usize = 16;

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
    source: Arc<dyn ByteSource>,
    /// Whether all of it is there, which does not change any more.
    complete: bool,
    file: Option<Arc<File>>,
    compression: Compression,
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
    /// Those of which the file is kept open.
    open: BTreeSet<TransferId>,
    outgoing: SendQueue,
    /// Those for a peer of protocol 1. One link has only one kind.
    one_by_one: SendQueue,
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
            open: BTreeSet::new(),
            outgoing: SendQueue::new(WINDOW_BYTES),
            one_by_one: SendQueue::one_by_one(),
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
        source: Arc<dyn ByteSource>,
        compression: Compression,
        begin: Option<FileBegin>,
        out: &mut BytesMut,
    ) {
        self.stop(transfer, out);
        source.notify_changes(&self.wake);
        match begin {
            Some(_) => self.one_by_one.begin(transfer, 0, source.size()),
            None => self.outgoing.begin(transfer, from, source.size()),
        }
        self.next_serial += 1;
        let flow = Flow {
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
        self.flows.insert(transfer, flow);
    }

    /// Stops sending a file. What an old target must hear of that is appended to `out`.
    pub(super) fn stop(&mut self, transfer: TransferId, out: &mut BytesMut) {
        let Some(flow) = self.flows.remove(&transfer) else { return };
        self.open.remove(&transfer);
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
            match flow.source.availability() {
                Availability::Partial(bytes) => outgoing.set_available(*transfer, bytes, false),
                Availability::Complete => {
                    flow.complete = true;
                    outgoing.set_available(*transfer, flow.source.size(), true);
                }
                Availability::Broken(why) => broken.push((*transfer, why)),
            }
        }
        for (transfer, why) in broken {
            self.fail(transfer, io::ErrorKind::Other, why.to_string(), out);
        }
    }

    /// The next pieces, still to be read; `None` if there are none at present.
    pub(super) fn poll_batch(&mut self) -> Option<Batch> {
        let mut batch = Batch::new(std::mem::take(&mut self.spare), false);
        while batch.bytes() < WRITE_BYTES
            && let Some(next) = self.outgoing.poll()
        {
            batch.pieces.extend(self.piece(next));
        }
        if batch.pieces.is_empty() {
            batch.is_old = true;
            while batch.bytes() < WRITE_BYTES
                && let Some(next) = self.one_by_one.poll()
            {
                batch.pieces.extend(self.piece(next));
            }
        }
        if batch.pieces.is_empty() {
            self.keep_spare(batch.memory);
            return None;
        }
        Some(batch)
    }

    fn piece(&self, next: Next) -> Option<Piece> {
        // Only what was begun and not stopped is ever named.
        let flow = self.flows.get(&next.transfer)?;
        let Flow { serial, ref source, ref file, compression, .. } = *flow;
        Some(Piece::new(next, serial, Arc::clone(source), file.clone(), compression))
    }

    /// A link that sends nothing holds no memory for it.
    fn keep_spare(&mut self, memory: Memory) {
        if !self.flows.is_empty() {
            self.spare = memory;
        }
    }

    /// Takes a batch that was read: what of it is to be written is in the batch (protocol 2) or
    /// appended to `out`.
    pub(super) fn take(&mut self, batch: &mut Batch, out: &mut BytesMut) {
        let is_old = batch.is_old;
        batch.pieces.retain_mut(|piece| {
            let current = self.is_current(piece);
            if current && let Some(fault) = piece.fault.take() {
                self.fail(piece.next.transfer, fault.kind(), fault.to_string(), out);
            } else if current {
                return true;
            }
            // It does not go, so the room for it is still there.
            self.outgoing.give_credit(if is_old { 0 } else { piece.next.len as u64 });
            false
        });
        if is_old {
            self.take_old(batch, out);
        } else {
            batch.frame();
        }
    }

    fn is_current(&self, piece: &Piece) -> bool {
        self.flows.get(&piece.next.transfer).is_some_and(|flow| flow.serial == piece.serial)
    }

    /// Puts pieces into the form of protocol 1.
    fn take_old(&mut self, batch: &Batch, out: &mut BytesMut) {
        for piece in &batch.pieces {
            let Some(flow) = self.flows.get_mut(&piece.next.transfer) else { continue };
            let Some(begin) = &flow.begin else { continue };
            if !std::mem::replace(&mut flow.begun, true) {
                put(out, &Message::FileBegin(begin.clone()));
            }
            let data = batch.data(piece);
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
        for piece in batch.pieces {
            let transfer = piece.next.transfer;
            let Some(flow) = self.flows.get_mut(&transfer) else { continue };
            let stays_open = !piece.next.last
                && (self.open.len() < OPEN_FILES_MAX || self.open.contains(&transfer));
            flow.file = piece.file.filter(|_| stays_open);
            if flow.file.is_some() {
                self.open.insert(transfer);
            } else {
                self.open.remove(&transfer);
            }
            flow.compression = piece.compression;
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
        self.keep_spare(batch.memory);
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
