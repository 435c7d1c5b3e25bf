//! The reading half of a link: frames within limits.

use std::{sync::Arc, time::Duration};

use bytes::{BufMut as _, Bytes, BytesMut};
use liverysync_core::{
    transfer::CHUNK_BYTES,
    wire::{
        data::{DATA_HEADER_BYTES, KIND_DATA},
        frame,
    },
};
use tokio::{
    io::AsyncReadExt as _,
    net::tcp::OwnedReadHalf,
    time::{Instant, timeout_at},
};

use super::{
    LinkError,
    pool::{Pool, Pooled},
};
use crate::throttle::Throttle;

/// The longest time from the first byte of a frame to its last.
const FRAME_TIMEOUT: Duration = Duration::from_secs(30);

/// The size of a read while no large frame is expected.
const READ_BYTES: usize = 128 * 1024;

/// With less room than this in the buffer, another one is taken.
pub(super) const READ_BYTES_MIN: usize = 16 * 1024;

/// A frame of this size or more is read into a buffer of its own. So its payload is passed on without a copy, and keeps
/// no more memory than its own.
const LARGE_BYTES: usize = 64 * 1024;

/// Bytes after a large frame that are read with it: the next header.
pub(super) const AHEAD_BYTES: usize = 1024;

/// The largest frame with a piece of a file in the form of protocol 2, in bytes.
pub(super) const PIECE_BYTES_MAX: usize = frame::HEADER_BYTES + DATA_HEADER_BYTES + CHUNK_BYTES;

/// The room that is made for a large frame before its bytes come.
const GROW_BYTES: usize = 512 * 1024;

/// A smaller payload is copied, because it would keep the whole buffer in memory.
pub(super) const SMALL_BYTES: usize = 4 * 1024;

/// The reading half.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(super) read: OwnedReadHalf,
    pub(super) buffer: BytesMut,
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
    pub(super) unthrottled: usize,
}

impl Reader {
    pub(super) fn new(read: OwnedReadHalf, pool: Pool) -> Self {
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

    pub(crate) const fn limit(&self) -> usize {
        self.limit
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
