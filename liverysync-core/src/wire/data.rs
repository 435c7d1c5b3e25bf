//! Pieces of files in protocol 2: binary frames.
//!
//! The payload of such a frame has no `{` at its start:
//!
//! ```text
//! kind      1 byte   1: a piece of a file
//! flags     1 byte   bit 0: the file ends with it; bit 1: its bytes are compressed
//! transfer  4 bytes  the file's number, which the server gave it
//! offset    8 bytes  position of the piece in the file
//! bytes     the rest: plain, or one frame of zstd whose header gives their number
//! ```
//!
//! Numbers are unsigned, the most significant byte first. A file's number counts for one connection and one direction.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

#[doc(hidden)]
pub use super::body::{ChunkBody, Decoder, Encoder};
use super::messages::WireError;

/// Length of a piece's header, in bytes.
#[doc(hidden)]
pub const DATA_HEADER_BYTES: usize = 14;

/// File bytes that each side may have under way before it is granted more credit: 4 MiB, which allows 80 MB/s at a round
/// trip of 50 ms.
#[doc(hidden)]
pub const WINDOW_BYTES: u64 = 4 * 1024 * 1024;

/// First byte of a piece's payload.
#[doc(hidden)]
pub const KIND_DATA: u8 = 1;
const LAST: u8 = 1;
const ZSTD: u8 = 2;

/// The number of one file on one connection, which the server chose.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct TransferId(pub u32);

impl fmt::Display for TransferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A piece of a file.
// As the payloads of messages, which `docs/protocol.md` describes.
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Data {
    /// The file's number.
    pub transfer: TransferId,
    /// Position of the piece in the file, in bytes.
    pub offset: u64,
    /// Set if the file ends with this piece. A file of 0 bytes has one piece, which is empty.
    pub last: bool,
    /// The bytes.
    pub body: ChunkBody,
}

impl Data {
    /// Appends the header of a piece. `zstd` says that its bytes are compressed.
    pub fn encode_header(
        transfer: TransferId,
        offset: u64,
        last: bool,
        zstd: bool,
        out: &mut impl BufMut,
    ) {
        out.put_u8(KIND_DATA);
        out.put_u8(if last { LAST } else { 0 } | if zstd { ZSTD } else { 0 });
        out.put_u32(transfer.0);
        out.put_u64(offset);
    }

    pub(super) fn encode(&self, out: &mut BytesMut) {
        let bytes = self.body.on_wire();
        out.reserve(DATA_HEADER_BYTES + bytes.len());
        Self::encode_header(self.transfer, self.offset, self.last, self.body.is_zstd(), out);
        out.extend_from_slice(bytes);
    }

    /// Reads a binary payload and shares its bytes.
    pub(super) fn read(payload: &Bytes) -> Result<Self, WireError> {
        let Some(header) = payload.first_chunk::<DATA_HEADER_BYTES>() else {
            return Err(WireError::Malformed("a binary frame is too short"));
        };
        let [kind, flags, a, b, c, d, offset @ ..] = *header;
        // An unknown flag may change what the bytes mean. To ignore it could damage a file.
        if kind != KIND_DATA || flags & !(LAST | ZSTD) != 0 {
            return Err(WireError::Malformed("a binary frame has an unknown kind"));
        }
        let bytes = payload.slice(DATA_HEADER_BYTES..);
        Ok(Self {
            transfer: TransferId(u32::from_be_bytes([a, b, c, d])),
            offset: u64::from_be_bytes(offset),
            last: flags & LAST != 0,
            body: if flags & ZSTD != 0 { ChunkBody::zstd(bytes) } else { bytes.into() },
        })
    }
}
