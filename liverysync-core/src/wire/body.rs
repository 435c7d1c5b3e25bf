//! The bytes of a piece as they travel: plain, or compressed with zstd.
//!
//! Each piece is compressed by itself, so a transfer can resume at any offset, and only plain bytes are stored and hashed.

use std::fmt;

use bytes::Bytes;
use zstd::{
    bulk::{Compressor, Decompressor},
    zstd_safe::{compress_bound, find_frame_compressed_size, get_frame_content_size},
};

use crate::transfer::CHUNK_BYTES;

/// The fastest level. It hardly slows down a line of 1 Gbit/s.
const LEVEL: i32 = 1;

/// The bytes of a piece as they travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkBody(Form);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    Plain(Bytes),
    /// One frame of zstd, and the number of plain bytes that its header gives.
    Zstd(Bytes, usize),
}

impl ChunkBody {
    /// Takes a frame of zstd without unpacking it. A frame with an impossible header becomes an empty one, which cannot be
    /// unpacked.
    #[must_use]
    pub fn zstd(frame: Bytes) -> Self {
        match plain_len(&frame) {
            Some(len) => Self(Form::Zstd(frame, len)),
            None => Self(Form::Zstd(Bytes::new(), 0)),
        }
    }

    /// Returns the number of plain bytes, according to the header if it is compressed.
    #[must_use]
    pub const fn len(&self) -> usize {
        match &self.0 {
            Form::Plain(bytes) => bytes.len(),
            Form::Zstd(_, len) => *len,
        }
    }

    /// Returns true if it holds no bytes of the file.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns true if it is compressed.
    #[must_use]
    pub const fn is_zstd(&self) -> bool {
        matches!(self.0, Form::Zstd(..))
    }

    /// Returns its bytes on the wire: never more than the plain bytes.
    #[must_use]
    pub const fn on_wire(&self) -> &Bytes {
        let (Form::Plain(bytes) | Form::Zstd(bytes, _)) = &self.0;
        bytes
    }
}

impl Default for ChunkBody {
    fn default() -> Self {
        Bytes::new().into()
    }
}

impl From<Bytes> for ChunkBody {
    fn from(plain: Bytes) -> Self {
        Self(Form::Plain(plain))
    }
}

/// Returns the number of plain bytes that a frame's header gives, if it is allowed.
fn plain_len(frame: &[u8]) -> Option<usize> {
    let len = usize::try_from(get_frame_content_size(frame).ok()??).ok()?;
    // Credit counts plain bytes. A frame that is larger than those would take memory that nobody has counted.
    (frame.len() < len && len <= CHUNK_BYTES).then_some(len)
}

/// Compresses pieces, reusing its memory: less than 1 MB, allocated with the first piece.
#[derive(Default)]
pub struct Encoder {
    context: Option<Compressor<'static>>,
    frame: Vec<u8>,
}

impl Encoder {
    /// Compresses `plain`. Returns `None` if the frame would have more than `most` bytes.
    pub fn pack(&mut self, plain: &[u8], most: usize) -> Option<&[u8]> {
        if plain.len() > CHUNK_BYTES {
            return None;
        }
        let context = match &mut self.context {
            Some(context) => context,
            // A piece that cannot be compressed is sent plain, whatever the reason is.
            none => none.insert(Compressor::new(LEVEL).ok()?),
        };
        // With less room zstd also gives up on frames that would fit.
        self.frame.resize(compress_bound(plain.len()).max(self.frame.len()), 0);
        let len = context.compress_to_buffer(plain, &mut self.frame[..]).ok()?;
        (len <= most).then_some(&self.frame[..len])
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").finish_non_exhaustive()
    }
}

/// Unpacks pieces, reusing its memory: less than half a MB, allocated with the first compressed piece.
#[derive(Default)]
pub struct Decoder {
    context: Option<Decompressor<'static>>,
    plain: Vec<u8>,
}

impl Decoder {
    /// Returns the plain bytes of a piece, [`ChunkBody::len`] of them, or `None` if it is broken.
    pub fn unpack<'a>(&'a mut self, body: &'a ChunkBody) -> Option<&'a [u8]> {
        match &body.0 {
            Form::Plain(bytes) => Some(bytes),
            Form::Zstd(frame, len) => self.decompress(frame, *len),
        }
    }

    fn decompress(&mut self, frame: &[u8], len: usize) -> Option<&[u8]> {
        // Left alone, zstd would also unpack further frames, and skip those without content.
        if find_frame_compressed_size(frame) != Ok(frame.len()) {
            return None;
        }
        self.plain.resize(len.max(self.plain.len()), 0);
        let plain = &mut self.plain[..len];
        let context = self.context.get_or_insert_default();
        let count = context.decompress_to_buffer(frame, plain).ok()?;
        (count == len).then_some(plain)
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zstd::bulk::compress;

    use super::*;

    fn packed(plain: &[u8]) -> Bytes {
        let mut encoder = Encoder::default();
        Bytes::copy_from_slice(encoder.pack(plain, plain.len()).unwrap())
    }

    fn unpacked(frame: impl Into<Bytes>) -> Option<Vec<u8>> {
        Decoder::default().unpack(&ChunkBody::zstd(frame.into())).map(<[u8]>::to_vec)
    }

    #[test]
    fn a_compressed_piece_is_smaller_and_unpacks_to_the_same_bytes() {
        let plain = b"{\"skin\": 7}".repeat(20_000);
        let body = ChunkBody::zstd(packed(&plain));
        assert_eq!((body.len(), body.is_zstd()), (plain.len(), true));
        assert!(body.on_wire().len() < plain.len() / 50);
        assert_eq!(Decoder::default().unpack(&body), Some(&plain[..]));
    }

    #[test]
    fn a_frame_over_the_limit_is_not_returned() {
        let (mut encoder, plain) = (Encoder::default(), [7; 1000]);
        let len = encoder.pack(&plain, 1000).unwrap().len();
        assert!(encoder.pack(&plain, len).is_some());
        assert!(encoder.pack(&plain, len - 1).is_none());
        assert!(encoder.pack(&plain, 0).is_none());
        assert!(encoder.pack(&[], 0).is_none());
        // A frame that did not fit leaves the encoder usable.
        assert_eq!(encoder.pack(&plain, 1000).unwrap().len(), len);
    }

    #[test]
    fn a_frame_holds_at_most_one_piece() {
        let most = vec![7; CHUNK_BYTES];
        assert_eq!(unpacked(packed(&most)), Some(most.clone()));
        for bytes in [CHUNK_BYTES + 1, 1 << 30] {
            let bomb = compress(&vec![7; bytes], LEVEL).unwrap();
            assert_eq!(ChunkBody::zstd(bomb.into()), ChunkBody::zstd(Bytes::new()), "{bytes}");
        }
        assert!(Encoder::default().pack(&vec![7; CHUNK_BYTES + 1], CHUNK_BYTES).is_none());
    }

    #[test]
    fn a_frame_holds_what_its_header_says() {
        let mut frame = compress(&[7; 200], LEVEL).unwrap();
        let size_at = 5;
        assert_eq!(frame[size_at], 200);
        for wrong in [0, 100, 199, 201, 255] {
            frame[size_at] = wrong;
            assert_eq!(unpacked(frame.clone()), None, "{wrong}");
        }
        frame[size_at] = 200;
        assert_eq!(unpacked(frame), Some(vec![7; 200]));
    }

    #[test]
    fn a_frame_without_a_size_is_refused() {
        let mut encoder = Compressor::new(LEVEL).unwrap();
        encoder.include_contentsize(false).unwrap();
        assert_eq!(unpacked(encoder.compress(&[7; 200]).unwrap()), None);
    }

    #[test]
    fn a_longer_or_shorter_frame_is_refused() {
        let frame = packed(&[7; 5000]);
        let (empty, skippable) = (compress(&[], LEVEL).unwrap(), b"\x50\x2a\x4d\x18\x01\0\0\0x");
        for more in [&b"\0"[..], &frame, &empty, skippable] {
            assert_eq!(unpacked([&frame, more].concat()), None, "{more:?}");
        }
        assert_eq!(unpacked([skippable, &frame[..]].concat()), None);
        for end in 0..frame.len() {
            assert_eq!(unpacked(frame.slice(..end)), None, "{end}");
        }
    }

    #[test]
    fn a_frame_that_does_not_shrink_is_refused() {
        let mut plain = [0; 100];
        for (byte, at) in plain.iter_mut().zip(0_u8..) {
            *byte = at.wrapping_mul(171) ^ 0x55;
        }
        let frame = compress(&plain, LEVEL).unwrap();
        assert!(frame.len() >= plain.len());
        assert_eq!(ChunkBody::zstd(frame.into()), ChunkBody::zstd(Bytes::new()));
    }

    proptest! {
        #[test]
        fn any_bytes_survive_the_round_trip(
            seed in prop::collection::vec(any::<u8>(), 1..300),
            times in 1..400_usize,
        ) {
            let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
            for plain in [seed.repeat(times), seed] {
                let Some(frame) = encoder.pack(&plain, plain.len() - 1) else { continue };
                let body = ChunkBody::zstd(Bytes::copy_from_slice(frame));
                prop_assert_eq!(body.len(), plain.len());
                prop_assert_eq!(decoder.unpack(&body), Some(&plain[..]));
            }
        }

        #[test]
        fn a_broken_frame_neither_panics_nor_exceeds_its_size(
            at in any::<prop::sample::Index>(), to in any::<u8>(), end in any::<prop::sample::Index>(),
        ) {
            let mut frame = packed(&b"livery of car 7, ".repeat(300)).to_vec();
            let at = at.index(frame.len());
            frame[at] = to;
            frame.truncate(end.index(frame.len()).max(at) + 1);
            let (body, mut decoder) = (ChunkBody::zstd(frame.into()), Decoder::default());
            if let Some(plain) = decoder.unpack(&body) {
                prop_assert_eq!(plain.len(), body.len());
            }
            prop_assert!(decoder.plain.len() <= CHUNK_BYTES);
            // A broken frame does not affect the next one.
            let right = ChunkBody::zstd(packed(&[7; 1000]));
            prop_assert_eq!(decoder.unpack(&right), Some(&[7; 1000][..]));
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let magic = b"\x28\xb5\x2f\xfd";
            prop_assert_eq!(unpacked(bytes.clone()), None);
            let _either = unpacked([&magic[..], &bytes].concat());
        }
    }
}
