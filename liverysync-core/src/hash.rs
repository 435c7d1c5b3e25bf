//! SHA-256 digests, by which contents are identified.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::text::InvalidText;

/// Number of hex digits of a digest in its short form and in a conflict name.
pub(crate) const SHORT_DIGITS: usize = 8;

/// The SHA-256 of a file's bytes. Ordered like its hex text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// Hashes bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::default();
        hasher.update(bytes);
        hasher.finish()
    }

    /// Makes a hash from its 32 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns its 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the first eight hex digits, for logs and conflict names.
    #[must_use]
    pub fn short(&self) -> String {
        const_hex::encode(&self.0[..SHORT_DIGITS / 2])
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&const_hex::encode(self.0))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

impl FromStr for ContentHash {
    type Err = InvalidText;

    /// Reads 64 hex digits of either case.
    fn from_str(text: &str) -> Result<Self, InvalidText> {
        from_hex("SHA-256", text).map(Self)
    }
}

/// Reads the bytes of a `thing` from as many hex digits as they need, of either case.
pub(crate) fn from_hex<const N: usize>(thing: &str, text: &str) -> Result<[u8; N], InvalidText> {
    let invalid = || InvalidText::digits(thing, 2 * N);
    // The decoder would also accept a leading `0x`.
    if text.len() != 2 * N {
        return Err(invalid());
    }
    let mut bytes = [0; N];
    const_hex::decode_to_slice(text, &mut bytes).map_err(|_| invalid())?;
    Ok(bytes)
}

impl Serialize for ContentHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ContentHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The content of a file, identified by its digest and length. A plain value that will not grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Content {
    /// SHA-256 of the bytes.
    #[serde(rename = "sha256")]
    pub hash: ContentHash,
    /// Length in bytes.
    pub size: u64,
}

impl Content {
    /// Describes bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self { hash: ContentHash::of(bytes), size: bytes.len() as u64 }
    }
}

/// A running SHA-256.
// Any other SHA-256 does as well: `ContentHash::from_bytes` takes its digest.
#[doc(hidden)]
#[derive(Clone, Debug, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the digest of all bytes.
    #[must_use]
    pub fn finish(self) -> ContentHash {
        ContentHash(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn the_digest_of_abc_is_that_of_the_standard() {
        assert_eq!(ContentHash::of(b"abc").to_string(), ABC);
    }

    #[test]
    fn either_case_is_read_and_lower_case_is_written() {
        let hash: ContentHash = ABC.to_uppercase().parse().unwrap();
        assert_eq!(hash.to_string(), ABC);
        assert_eq!(hash.short(), "ba7816bf");
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "abc", &ABC[1..], &format!("0x{}", &ABC[2..]), &format!("{ABC}0")] {
            let error = text.parse::<ContentHash>().unwrap_err();
            assert_eq!(error.to_string(), "not a SHA-256: it needs 64 hex digits", "{text}");
        }
    }
}
