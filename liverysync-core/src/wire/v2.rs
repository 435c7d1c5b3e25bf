//! What protocol 2 adds to the JSON messages: binary frames for the bytes of files.
//!
//! The payload of such a frame does not begin with `{`:
//!
//! ```text
//! kind      1 byte   1: a piece of a file
//! flags     1 byte   bit 0: the file ends with it; bit 1: its bytes are compressed
//! transfer  4 bytes  which file, by the number that the server gave it
//! offset    8 bytes  where in the file it begins
//! bytes     the rest: as they are, or one frame of zstd that says how many it stands for
//! ```
//!
//! Numbers are unsigned, the most significant byte first. A number counts for one link and one direction.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

pub use super::body::{ChunkBody, Decoder, Encoder};
use super::v1::WireError;

/// Bytes in front of those of the file.
pub const DATA_HEADER_BYTES: usize = 14;

/// File bytes that each end may have under way to the other before it is given credit for more, in
/// bytes: 4 MiB, which is 80 MB/s over a line of 50 ms.
pub const WINDOW_BYTES: u64 = 4 * 1024 * 1024;

/// What the payload of a piece of a file begins with.
pub const KIND_DATA: u8 = 1;
const LAST: u8 = 1;
const ZSTD: u8 = 2;

/// One file on its way over one link, by the number that the server gave it.
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Data {
    /// Which file.
    pub transfer: TransferId,
    /// Where the piece begins, in bytes.
    pub offset: u64,
    /// Whether the file ends with it. A file of 0 bytes has one piece, which is empty.
    pub last: bool,
    /// The bytes.
    pub body: ChunkBody,
}

impl Data {
    /// Appends what goes in front of the bytes. `zstd` says that they are compressed.
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

    /// Reads a binary payload; the bytes are shared with it.
    pub(super) fn read(payload: &Bytes) -> Result<Self, WireError> {
        let malformed = |what: &str| WireError::Malformed(what.to_owned());
        let Some(header) = payload.first_chunk::<DATA_HEADER_BYTES>() else {
            return Err(malformed("a binary frame that is too short"));
        };
        let [kind, flags, a, b, c, d, offset @ ..] = *header;
        if kind != KIND_DATA || flags & !(LAST | ZSTD) != 0 {
            return Err(malformed("a binary frame of an unknown kind"));
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
