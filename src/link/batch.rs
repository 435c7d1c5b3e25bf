//! Pieces of files on their way to the line: read into memory, compressed if that pays, and put into frames.

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

/// Bytes in front of those of a piece, in the form of protocol 2.
const HEADER_BYTES: usize = frame::HEADER_BYTES + DATA_HEADER_BYTES;

/// Pieces of so many bytes together are compressed where they are read. Half a millisecond for more of them is too long
/// for others to wait.
const PACKED_AT_ONCE_BYTES: usize = 64 * 1024;

/// Pieces of files that are read and written together.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) pieces: Vec<Piece>,
    pub(super) memory: Memory,
    /// It goes in the form of protocol 1.
    pub(super) is_old: bool,
}

/// What is kept from batch to batch.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Never cleared.
    buffer: Vec<u8>,
    /// How much of it counts.
    used: usize,
    encoder: Encoder,
}

#[derive(Debug)]
pub(super) struct Piece {
    pub(super) next: Next,
    /// Tells its file from an earlier one under the same number.
    pub(super) serial: u64,
    source: Arc<dyn ByteSource>,
    pub(super) file: Option<Arc<File>>,
    pub(super) compression: Compression,
    body: Body,
    pub(super) fault: Option<io::Error>,
}

/// Where the bytes of a piece are.
#[derive(Debug)]
enum Body {
    Unread,
    /// In memory, so many of them so far.
    Reading {
        start: usize,
        read: usize,
    },
    /// In memory, behind room for a header: fewer than in the file if they are compressed.
    Memory {
        start: usize,
        len: usize,
        is_zstd: bool,
    },
}

impl Batch {
    pub(super) const fn new(mut memory: Memory, is_old: bool) -> Self {
        memory.used = 0;
        Self { pieces: Vec::new(), memory, is_old }
    }

    /// Bytes of files in it.
    pub(super) fn bytes(&self) -> usize {
        self.pieces.iter().map(|piece| piece.next.len).sum()
    }

    /// The bytes of a piece that are in memory.
    pub(super) fn data(&self, piece: &Piece) -> &[u8] {
        match piece.body {
            Body::Memory { start, len, .. } => &self.memory.buffer[start..start + len],
            _ => &[],
        }
    }

    /// Reads and compresses the pieces, on a thread that may wait for a disk where it has to, and waits
    /// until they may go. `None` if the process is about to end.
    pub(super) async fn fill(mut self, throttle: Option<Arc<Throttle>>) -> Option<Self> {
        let tried = self.pieces.iter().filter(|piece| piece.compression.is_tried());
        let at_once = tried.map(|piece| piece.next.len).sum::<usize>() <= PACKED_AT_ONCE_BYTES;
        if at_once && self.read(false) {
            self.pack();
        } else {
            let read = tokio::task::spawn_blocking(move || {
                self.read(true);
                self.pack();
                self
            });
            self = read.await.ok()?;
        }
        if let Some(throttle) = throttle {
            throttle.take(self.pieces.iter().map(Piece::on_wire).sum()).await;
        }
        Some(self)
    }

    /// Reads what is still to be read, in order, up to the first piece for which a disk has to be waited for and must
    /// not; returns whether that was all.
    fn read(&mut self, may_block: bool) -> bool {
        for piece in &mut self.pieces {
            match piece.read(&mut self.memory, may_block) {
                Ok(true) => {}
                Err(fault) if may_block => piece.fault = Some(fault),
                // Whatever is the matter, the slow way finds it out again.
                Ok(false) | Err(_) => return false,
            }
        }
        true
    }

    /// Compresses the pieces for which it pays, each in its place.
    fn pack(&mut self) {
        let Memory { buffer, encoder, .. } = &mut self.memory;
        for piece in self.pieces.iter_mut().filter(|piece| piece.fault.is_none()) {
            let Body::Memory { start, len, is_zstd } = &mut piece.body else { continue };
            let bytes = &mut buffer[*start..*start + *len];
            if let Some(frame) = piece.compression.pack(bytes, encoder) {
                bytes[..frame.len()].copy_from_slice(frame);
                (*len, *is_zstd) = (frame.len(), true);
            }
        }
    }

    /// Puts headers in front of what is left of the pieces, and moves them together.
    pub(super) fn frame(&mut self) {
        let (buffer, mut end) = (&mut self.memory.buffer, 0);
        for piece in &mut self.pieces {
            let Next { transfer, offset, last, .. } = piece.next;
            let Body::Memory { start, len, is_zstd } = &mut piece.body else { continue };
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
        self.memory.used = end;
    }

    /// What is to be written, in the form of protocol 2.
    pub(super) fn framed(&self) -> &[u8] {
        if self.is_old { &[] } else { &self.memory.buffer[..self.memory.used] }
    }
}

impl Memory {
    /// Makes room for a piece, with a header in front of it. Returns where its bytes begin.
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
        Self { next, serial, source, file, compression, body: Body::Unread, fault: None }
    }

    /// Bytes that it takes on the line, but for its header.
    fn on_wire(&self) -> usize {
        match self.body {
            Body::Memory { len, .. } => len,
            _ => self.next.len,
        }
    }

    /// Copies it from where all of its file is in memory; returns whether it could.
    fn take_from_memory(&mut self, memory: &mut Memory) -> bool {
        if !matches!(self.body, Body::Unread) || self.file.is_some() {
            return false;
        }
        let Some(bytes) = self.source.bytes_in_memory() else { return false };
        let Next { offset, len, .. } = self.next;
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let Some(bytes) = from.checked_add(len).and_then(|end| bytes.get(from..end)) else {
            return false;
        };
        let start = memory.make_room(len);
        memory.buffer[start..start + len].copy_from_slice(bytes);
        self.body = Body::Memory { start, len, is_zstd: false };
        true
    }

    /// Reads it; returns whether it is whole.
    fn read(&mut self, memory: &mut Memory, may_block: bool) -> io::Result<bool> {
        if self.take_from_memory(memory) {
            return Ok(true);
        }
        let file = match (&self.body, &self.file) {
            (Body::Memory { .. }, _) => return Ok(true),
            (_, Some(file)) => Arc::clone(file),
            _ => self.source.open(may_block)?,
        };
        self.file = Some(Arc::clone(&file));
        self.source.check_unchanged(&file)?;
        let Next { offset, len, .. } = self.next;
        let (start, read) = match self.body {
            Body::Reading { start, read } => (start, read),
            _ => (memory.make_room(len), 0),
        };
        let rest = &mut memory.buffer[start + read..start + len];
        let at = offset + read as u64;
        let read = if may_block {
            read_at(&file, at, rest).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => io::Error::other("it has become shorter meanwhile"),
                _ => error,
            })?;
            len
        } else {
            read + read_cached(&file, at, rest)
        };
        let whole = read == len;
        self.body = if whole {
            Body::Memory { start, len, is_zstd: false }
        } else {
            Body::Reading { start, read }
        };
        Ok(whole)
    }
}
