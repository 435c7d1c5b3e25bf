//! Members: drivers that the server recognizes by a key. A name is only a label that anyone can choose.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    hash::{Hasher, from_hex},
    text::InvalidText,
};

/// A member's secret: 32 random bytes that the client makes on its first start and sends to the server in each HELLO.
///
/// It is never shown: `Debug` prints no byte of it.
#[derive(Clone, PartialEq, Eq)]
pub struct MemberKey([u8; 32]);

impl MemberKey {
    /// Makes a key from 32 random bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the 64 hex digits in which it is stored and sent.
    #[must_use]
    pub fn to_hex(&self) -> String {
        const_hex::encode(self.0)
    }
}

impl fmt::Debug for MemberKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemberKey")
    }
}

impl FromStr for MemberKey {
    type Err = InvalidText;

    /// Reads 64 hex digits.
    fn from_str(text: &str) -> Result<Self, InvalidText> {
        from_hex("member key", text).map(Self)
    }
}

/// A member's public id: 16 hex digits that are derived from their [`MemberKey`] and do not reveal it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId([u8; 8]);

impl MemberId {
    /// Derives the id of the member with this key.
    #[must_use]
    pub fn of(key: &MemberKey) -> Self {
        let mut hasher = Hasher::default();
        // With a prefix of its own, the id is unrelated to any other digest of the key.
        hasher.update(b"liverysync member\n");
        hasher.update(&key.0);
        let digest = hasher.finish();
        let mut short = [0; 8];
        short.copy_from_slice(&digest.as_bytes()[..8]);
        Self(short)
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&const_hex::encode(self.0))
    }
}

impl fmt::Debug for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MemberId {
    type Err = InvalidText;

    /// Reads 16 hex digits.
    fn from_str(text: &str) -> Result<Self, InvalidText> {
        from_hex("member id", text).map(Self)
    }
}

impl Serialize for MemberId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MemberId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_the_round_trip_and_gives_one_member_id() {
        let key = MemberKey::from_bytes([7; 32]);
        assert_eq!(key.to_hex().parse(), Ok(key.clone()));
        let member = MemberId::of(&key);
        assert_eq!(member.to_string().parse(), Ok(member));
        assert_ne!(member, MemberId::of(&MemberKey::from_bytes([8; 32])));
        assert!(!key.to_hex().contains(&member.to_string()));
        assert_eq!(format!("{key:?}"), "MemberKey");
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "00", "0x00000000000000", "0x0000000000000000", "zz00000000000000"] {
            let key = text.parse::<MemberKey>().unwrap_err().to_string();
            assert_eq!(key, "not a member key: it needs 64 hex digits");
            let id = text.parse::<MemberId>().unwrap_err().to_string();
            assert_eq!(id, "not a member id: it needs 16 hex digits");
        }
        let key = MemberKey::from_bytes([7; 32]).to_hex();
        assert!(format!("0x{key}").parse::<MemberKey>().is_err());
    }
}
