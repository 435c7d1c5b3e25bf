//! The receiver of one file.

use crate::{
    hash::{Content, ContentHash, Hasher},
    wire::data::{ChunkBody, Decoder},
};

/// The reason why a received file is unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransferFault {
    /// A chunk does not begin where the last one ended.
    #[error("gap: expected bytes from {expected} on, got bytes from {got} on")]
    Gap {
        /// Number of bytes that had arrived.
        expected: u64,
        /// Position that the chunk gives.
        got: u64,
    },
    /// A compressed piece is broken.
    #[error("a compressed piece cannot be unpacked")]
    Garbled,
    /// More bytes arrived than were declared.
    #[error("more bytes than the declared {declared}")]
    TooMany {
        /// The declared size.
        declared: u64,
    },
    /// The file ended early.
    #[error("it ended after {got} of {declared} bytes")]
    TooShort {
        /// The declared size.
        declared: u64,
        /// Number of bytes that arrived.
        got: u64,
    },
    /// All bytes arrived, but they are not the declared ones.
    #[error("wrong bytes: their SHA-256 is {got:?} instead of {declared:?}")]
    WrongBytes {
        /// The declared digest.
        declared: ContentHash,
        /// The digest of the bytes that arrived.
        got: ContentHash,
    },
}

/// Checks one file as its bytes arrive. Drop it after a fault.
#[derive(Clone, Debug)]
pub struct Receiver {
    declared: Content,
    received: u64,
    hasher: Hasher,
}

impl Receiver {
    /// Expects a file of this content.
    #[must_use]
    pub fn new(declared: Content) -> Self {
        Self { declared, received: 0, hasher: Hasher::default() }
    }

    /// Accepts the bytes from `offset` on.
    ///
    /// # Errors
    ///
    /// Fails if they do not belong there. They must not be written then.
    pub fn accept(&mut self, offset: u64, bytes: &[u8]) -> Result<(), TransferFault> {
        self.check(offset, bytes.len())?;
        self.add(bytes);
        Ok(())
    }

    /// Does the same for a piece as it travels, and returns its plain bytes for writing.
    ///
    /// # Errors
    ///
    /// Fails where [`Receiver::accept`] does, and if the piece cannot be unpacked. Bytes beyond the declared size are not even
    /// unpacked.
    pub fn unpack<'a>(
        &mut self,
        offset: u64,
        body: &'a ChunkBody,
        decoder: &'a mut Decoder,
    ) -> Result<&'a [u8], TransferFault> {
        self.check(offset, body.len())?;
        let bytes = decoder.unpack(body).ok_or(TransferFault::Garbled)?;
        self.add(bytes);
        Ok(bytes)
    }

    const fn check(&self, offset: u64, len: usize) -> Result<(), TransferFault> {
        if offset != self.received {
            return Err(TransferFault::Gap { expected: self.received, got: offset });
        }
        // Cannot be negative: no byte beyond the declared size is ever accepted.
        if len as u64 > self.declared.size - self.received {
            return Err(TransferFault::TooMany { declared: self.declared.size });
        }
        Ok(())
    }

    fn add(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.received += bytes.len() as u64;
    }

    /// Returns the number of bytes that arrived.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// Checks the whole file at its end.
    ///
    /// # Errors
    ///
    /// Fails if bytes are missing or wrong. The file must not be installed then.
    pub fn finish(self) -> Result<Content, TransferFault> {
        let declared = self.declared;
        if self.received < declared.size {
            return Err(TransferFault::TooShort { declared: declared.size, got: self.received });
        }
        let got = self.hasher.finish();
        if got != declared.hash {
            return Err(TransferFault::WrongBytes { declared: declared.hash, got });
        }
        Ok(declared)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::wire::data::Encoder;

    fn receive(chunks: &[(u64, &[u8])]) -> Result<Content, TransferFault> {
        let mut receiver = Receiver::new(Content::of(b"livery"));
        for (offset, bytes) in chunks {
            receiver.accept(*offset, bytes)?;
        }
        receiver.finish()
    }

    #[test]
    fn right_bytes_in_order_are_taken() {
        assert_eq!(receive(&[(0, b"liv"), (3, b"ery")]), Ok(Content::of(b"livery")));
    }

    #[test]
    fn each_fault_is_named() {
        assert_eq!(
            receive(&[(0, b"liv"), (4, b"ry")]),
            Err(TransferFault::Gap { expected: 3, got: 4 })
        );
        assert_eq!(
            receive(&[(0, b"liv"), (0, b"liv")]),
            Err(TransferFault::Gap { expected: 3, got: 0 })
        );
        assert_eq!(receive(&[(0, b"liveryX")]), Err(TransferFault::TooMany { declared: 6 }));
        assert_eq!(receive(&[(0, b"liver")]), Err(TransferFault::TooShort { declared: 6, got: 5 }));
        assert!(matches!(receive(&[(0, b"liverX")]), Err(TransferFault::WrongBytes { .. })));
    }

    #[test]
    fn compressed_pieces_are_taken_among_plain_ones_and_checked_the_same() {
        let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
        let mut zstd = |plain: &[u8]| {
            ChunkBody::zstd(Bytes::copy_from_slice(encoder.pack(plain, plain.len()).unwrap()))
        };
        let whole = [b'a'; 3000];
        let mut receiver = Receiver::new(Content::of(&whole));
        let plain = ChunkBody::from(Bytes::copy_from_slice(&whole[..1000]));
        assert_eq!(receiver.unpack(0, &plain, &mut decoder), Ok(&whole[..1000]));
        let (right, too_many) = (zstd(&whole[..2000]), zstd(&whole[..2001]));
        assert_eq!(
            receiver.unpack(1, &right, &mut decoder),
            Err(TransferFault::Gap { expected: 1000, got: 1 })
        );
        let declared = 3000;
        assert_eq!(
            receiver.unpack(1000, &too_many, &mut decoder),
            Err(TransferFault::TooMany { declared })
        );
        for wrong in [Bytes::new(), Bytes::from_static(b"no zstd"), right.on_wire().slice(1..)] {
            let wrong = ChunkBody::zstd(wrong);
            assert_eq!(receiver.unpack(1000, &wrong, &mut decoder), Err(TransferFault::Garbled));
        }
        let broken = ChunkBody::zstd(right.on_wire().slice(..right.on_wire().len() - 1));
        assert_eq!(receiver.unpack(1000, &broken, &mut decoder), Err(TransferFault::Garbled));
        assert_eq!(receiver.unpack(1000, &right, &mut decoder), Ok(&whole[..2000]));
        assert_eq!(receiver.finish(), Ok(Content::of(&whole)));
    }

    #[test]
    fn an_empty_file_has_no_chunks() {
        assert_eq!(Receiver::new(Content::of(b"")).finish(), Ok(Content::of(b"")));
    }
}
