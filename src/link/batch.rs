//! Pieces of files that are read, compressed if that pays, and framed together.

use std::{fs::File, io, sync::Arc};

use bytes::BufMut as _;
use liverysync_core::{
    transfer::{Compression, Next},
    wire::{
        data::{DATA_HEADER_BYTES, Data, Encoder},
        frame,
    },
};

use crate::{
    byte_source::{ByteSource, read_at, read_cached},
    throttle::Throttle,
};

/// The size of the headers in front of a piece in the form of protocol 2.
const HEADER_BYTES: usize = frame::HEADER_BYTES + DATA_HEADER_BYTES;

/// Up to this many bytes are compressed on the task's own thread. More would take longer than half a millisecond, too
/// long for the other tasks.
const COMPRESSED_INLINE_BYTES: usize = 64 * 1024;

/// Pieces of files that are read and written together.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) pieces: Vec<Piece>,
    pub(super) buffers: Buffers,
    /// They are sent in the form of protocol 1.
    pub(super) is_protocol_1: bool,
}

/// Buffers that are used again for the next batch.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    /// It is never cleared.
    buffer: Vec<u8>,
    /// The part of it that is in use.
    used: usize,
    encoder: Encoder,
}

#[derive(Debug)]
pub(super) struct Piece {
    pub(super) next: Next,
    /// Tells its file from an earlier one with the same number.
    pub(super) serial: u64,
    source: Arc<dyn ByteSource>,
    pub(super) file: Option<Arc<File>>,
    pub(super) compression: Compression,
    body: PieceBytes,
    pub(super) fault: Option<io::Error>,
}

/// The place of a piece's bytes.
#[derive(Debug)]
enum PieceBytes {
    Unread,
    /// In the buffer, as far as they have been read.
    Reading {
        start: usize,
        read: usize,
    },
    /// In the buffer, after room for a header. Compressed bytes are fewer than those of the file.
    Buffered {
        start: usize,
        len: usize,
        is_zstd: bool,
    },
}

impl Batch {
    pub(super) const fn new(mut buffers: Buffers, is_protocol_1: bool) -> Self {
        buffers.used = 0;
        Self { pieces: Vec::new(), buffers, is_protocol_1 }
    }

    /// Returns the number of bytes of files in it.
    pub(super) fn bytes(&self) -> usize {
        self.pieces.iter().map(|piece| piece.next.len).sum()
    }

    /// Returns the bytes of a piece that are in the buffer.
    pub(super) fn data(&self, piece: &Piece) -> &[u8] {
        match piece.body {
            PieceBytes::Buffered { start, len, .. } => &self.buffers.buffer[start..start + len],
            _ => &[],
        }
    }

    /// Reads and compresses the pieces, on a blocking thread if necessary, and waits for the throttle. Returns `None`
    /// if the runtime shuts down.
    pub(super) async fn fill(mut self, throttle: Option<Arc<Throttle>>) -> Option<Self> {
        let tried = self.pieces.iter().filter(|piece| piece.compression.is_tried());
        let at_once = tried.map(|piece| piece.next.len).sum::<usize>() <= COMPRESSED_INLINE_BYTES;
        if at_once && self.read(false) {
            self.compress();
        } else {
            let read = tokio::task::spawn_blocking(move || {
                self.read(true);
                self.compress();
                self
            });
            self = read.await.ok()?;
        }
        if let Some(throttle) = throttle {
            throttle.take(self.pieces.iter().map(Piece::on_wire).sum()).await;
        }
        Some(self)
    }

    /// Reads the pieces in order. Unless it `may_block`, it stops at the first one that needs a disk. Returns `true` if
    /// all were read.
    fn read(&mut self, may_block: bool) -> bool {
        for piece in &mut self.pieces {
            match piece.read(&mut self.buffers, may_block) {
                Ok(true) => {}
                Err(fault) if may_block => piece.fault = Some(fault),
                // A failure is hidden here: the slow way meets it again.
                Ok(false) | Err(_) => return false,
            }
        }
        true
    }

    /// Compresses the pieces for which it pays, each in its place.
    fn compress(&mut self) {
        let Buffers { buffer, encoder, .. } = &mut self.buffers;
        for piece in self.pieces.iter_mut().filter(|piece| piece.fault.is_none()) {
            let PieceBytes::Buffered { start, len, is_zstd } = &mut piece.body else { continue };
            let bytes = &mut buffer[*start..*start + *len];
            if let Some(frame) = piece.compression.pack(bytes, encoder) {
                bytes[..frame.len()].copy_from_slice(frame);
                (*len, *is_zstd) = (frame.len(), true);
            }
        }
    }

    /// Puts headers in front of the remaining pieces, and moves them together.
    pub(super) fn frame(&mut self) {
        let (buffer, mut end) = (&mut self.buffers.buffer, 0);
        for piece in &mut self.pieces {
            let Next { transfer, offset, last, .. } = piece.next;
            let PieceBytes::Buffered { start, len, is_zstd } = &mut piece.body else { continue };
            let at = end + HEADER_BYTES;
            if *start != at {
                buffer.copy_within(*start..*start + *len, at);
                *start = at;
            }
            let mut header = &mut buffer[end..at];
            // A piece is never larger than a chunk.
            header.put_u32(u32::try_from(DATA_HEADER_BYTES + *len).unwrap_or(u32::MAX));
            Data::encode_header(transfer, offset, last, *is_zstd, &mut header);
            end = at + *len;
        }
        self.buffers.used = end;
    }

    /// Returns the bytes to write in the form of protocol 2.
    pub(super) fn framed(&self) -> &[u8] {
        if self.is_protocol_1 { &[] } else { &self.buffers.buffer[..self.buffers.used] }
    }
}

impl Buffers {
    /// Reserves room for a piece and its header. Returns the offset of the piece.
    fn make_room(&mut self, len: usize) -> usize {
        let start = self.used + HEADER_BYTES;
        self.used = start + len;
        if self.buffer.len() < self.used {
            self.buffer.resize(self.used, 0);
        }
        start
    }
}

impl Piece {
    pub(super) fn new(
        next: Next,
        serial: u64,
        source: Arc<dyn ByteSource>,
        file: Option<Arc<File>>,
        compression: Compression,
    ) -> Self {
        Self { next, serial, source, file, compression, body: PieceBytes::Unread, fault: None }
    }

    /// Returns its size on the wire, without the header.
    fn on_wire(&self) -> usize {
        match self.body {
            PieceBytes::Buffered { len, .. } => len,
            _ => self.next.len,
        }
    }

    /// Copies the piece from a source in buffers. Returns `false` if that is impossible.
    fn take_from_memory(&mut self, buffers: &mut Buffers) -> bool {
        if !matches!(self.body, PieceBytes::Unread) || self.file.is_some() {
            return false;
        }
        let Some(bytes) = self.source.bytes_in_memory() else { return false };
        let Next { offset, len, .. } = self.next;
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let Some(bytes) = from.checked_add(len).and_then(|end| bytes.get(from..end)) else {
            return false;
        };
        let start = buffers.make_room(len);
        buffers.buffer[start..start + len].copy_from_slice(bytes);
        self.body = PieceBytes::Buffered { start, len, is_zstd: false };
        true
    }

    /// Reads the piece. Returns `true` once it is complete.
    fn read(&mut self, buffers: &mut Buffers, may_block: bool) -> io::Result<bool> {
        if self.take_from_memory(buffers) {
            return Ok(true);
        }
        let file = match (&self.body, &self.file) {
            (PieceBytes::Buffered { .. }, _) => return Ok(true),
            (_, Some(file)) => Arc::clone(file),
            _ => self.source.open(may_block)?,
        };
        self.file = Some(Arc::clone(&file));
        self.source.check_unchanged(&file)?;
        let Next { offset, len, .. } = self.next;
        let (start, read) = match self.body {
            PieceBytes::Reading { start, read } => (start, read),
            _ => (buffers.make_room(len), 0),
        };
        let rest = &mut buffers.buffer[start + read..start + len];
        let at = offset + read as u64;
        let read = if may_block {
            read_at(&file, at, rest).map_err(|error| match error.kind() {
                kind @ io::ErrorKind::UnexpectedEof => {
                    io::Error::new(kind, "it has become shorter meanwhile")
                }
                _ => error,
            })?;
            len
        } else {
            read + read_cached(&file, at, rest)
        };
        let whole = read == len;
        self.body = if whole {
            PieceBytes::Buffered { start, len, is_zstd: false }
        } else {
            PieceBytes::Reading { start, read }
        };
        Ok(whole)
    }
}
