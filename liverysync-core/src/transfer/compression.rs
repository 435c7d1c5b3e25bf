//! The decision whether the pieces of a file are compressed.

use crate::{path::RelPath, wire::data::Encoder};

/// Smallest file that is compressed, in bytes. A smaller one fits into one packet anyway.
const SIZE_MIN: u64 = 512;

/// Extensions of pictures, which are compressed already.
const PICTURES: [&str; 3] = ["png", "jpg", "jpeg"];

/// The form in which the pieces of one file travel to a peer of protocol 2.
///
/// The first piece is the sample. If it shrinks by a tenth or more, it and all later pieces that shrink are compressed.
/// Otherwise the whole file is sent plain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// All pieces are sent plain.
    #[default]
    Plain,
    /// The next piece is the sample.
    Sample,
    /// Pieces that shrink are compressed.
    Zstd,
}

impl Compression {
    /// Returns the initial form for a file of `size` bytes.
    #[must_use]
    pub fn of(path: &RelPath, size: u64) -> Self {
        let is_picture = PICTURES.iter().any(|kind| kind.eq_ignore_ascii_case(path.extension()));
        if is_picture || size < SIZE_MIN { Self::Plain } else { Self::Sample }
    }

    /// Returns true if the next piece must pass through [`Compression::pack`].
    #[must_use]
    pub fn is_tried(self) -> bool {
        self != Self::Plain
    }

    /// Compresses the next piece. Returns `None` if it must be sent plain.
    pub fn pack<'a>(&mut self, plain: &[u8], encoder: &'a mut Encoder) -> Option<&'a [u8]> {
        let saved = match self {
            Self::Plain => return None,
            Self::Sample => plain.len().div_ceil(10),
            // A reader refuses a frame that is not smaller than its plain bytes.
            Self::Zstd => 1,
        };
        let most = plain.len().checked_sub(saved);
        let packed = most.and_then(|most| encoder.pack(plain, most));
        if *self == Self::Sample {
            *self = if packed.is_some() { Self::Zstd } else { Self::Plain };
        }
        packed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        path::Extensions,
        transfer::CHUNK_BYTES,
        wire::data::{ChunkBody, Decoder},
    };

    fn begins(path: &str, size: u64) -> Compression {
        Compression::of(&RelPath::parse(path, &Extensions::default()).unwrap(), size)
    }

    /// Returns pseudo-random bytes below `values`.
    fn noise(len: usize, values: u8) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3] % values
        };
        std::iter::repeat_with(next).take(len).collect()
    }

    #[test]
    fn pictures_and_small_files_are_never_tried() {
        for path in ["T/a.png", "T/a.PNG", "T/b.jpg", "T/c.Jpeg", "T/dds.png"] {
            assert_eq!(begins(path, 1 << 20), Compression::Plain, "{path}");
        }
        for path in ["T/a.dds", "T/a.DDS", "T/b.json", "T/c.txt", "png/png.dds"] {
            assert_eq!(begins(path, SIZE_MIN), Compression::Sample, "{path}");
            assert_eq!(begins(path, SIZE_MIN - 1), Compression::Plain, "{path}");
        }
    }

    #[test]
    fn the_first_piece_decides_and_later_pieces_that_do_not_shrink_stay_plain() {
        let (shrinks, noise) = (noise(CHUNK_BYTES, 3), noise(CHUNK_BYTES, 255));
        let mut encoder = Encoder::default();
        let mut compression = Compression::Sample;
        let pays: Vec<_> = [&shrinks, &noise, &shrinks, &Vec::new()]
            .map(|piece| compression.pack(piece, &mut encoder).is_some())
            .into();
        assert_eq!((pays, compression), (vec![true, false, true, false], Compression::Zstd));

        let mut compression = Compression::Sample;
        assert!(compression.pack(&noise, &mut encoder).is_none());
        assert_eq!(compression, Compression::Plain);
        assert!(compression.pack(&shrinks, &mut encoder).is_none());
        assert_eq!(compression, Compression::Plain);
    }

    #[test]
    fn a_sample_must_shrink_by_a_tenth() {
        let mut encoder = Encoder::default();
        // These numbers of values take about 7.3 and 7.1 bits a byte.
        for (values, pays) in [(160, false), (136, true)] {
            let sample = noise(CHUNK_BYTES, values);
            let len = encoder.pack(&sample, CHUNK_BYTES).unwrap().len();
            assert!(len < CHUNK_BYTES && (len * 10 <= CHUNK_BYTES * 9) == pays, "{len}");
            let mut compression = Compression::Sample;
            assert_eq!(compression.pack(&sample, &mut encoder).is_some(), pays, "{len}");
            // After the sample a smaller saving is enough.
            assert!(Compression::Zstd.pack(&sample, &mut encoder).is_some());
        }
    }

    proptest! {
        #[test]
        fn a_compressed_piece_is_shorter_and_unpacks_to_the_same_bytes(
            pieces in prop::collection::vec((0..3000_usize, 1..=255_u8), 1..6),
        ) {
            let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
            let mut compression = Compression::Sample;
            for (len, values) in pieces {
                let plain = noise(len, values);
                let Some(frame) = compression.pack(&plain, &mut encoder) else { continue };
                prop_assert!(frame.len() < len);
                let body = ChunkBody::zstd(bytes::Bytes::copy_from_slice(frame));
                prop_assert_eq!(decoder.unpack(&body), Some(&plain[..]));
            }
        }
    }
}
