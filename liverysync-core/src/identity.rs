//! The identity: who the driver at a PC is, in every league. A host keeps it in a file of its own, apart from any folder.
//!
//! The file is a JSON object. Fields that this version does not know belong to later ones and are kept.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::{
    league::{MemberId, MemberKey},
    wire::messages::Hello,
};

/// The form of the file that this version writes.
const FORM: u64 = 1;

/// A driver's keys.
///
/// [`Debug`] prints no part of it: fields of later versions may be secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The form of the file.
    liverysync_identity: u64,
    #[serde(serialize_with = "write_key", deserialize_with = "read_key")]
    member_key: MemberKey,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    former_keys: Vec<FormerKey>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// A key that the same driver had before.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct FormerKey {
    #[serde(serialize_with = "write_key", deserialize_with = "read_key")]
    key: MemberKey,
    /// The servers that know that it was this driver's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    told: Vec<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl FormerKey {
    fn new(key: MemberKey) -> Self {
        Self { key, told: Vec::new(), rest: Map::new() }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

/// The keys that a client shows one server.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Keys {
    /// The driver's key. Without it they are anonymous and own nothing.
    pub member: Option<MemberKey>,
    /// Keys that the same driver had before, for the server to merge those members into this one.
    pub former: Vec<MemberKey>,
}

/// The reason why a file is no identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityFault {
    /// It is damaged.
    #[error("the file is damaged")]
    Damaged,
    /// A later version wrote it.
    #[error(
        "a newer liverysync wrote the file: it has form {found}, and this version knows form 1"
    )]
    Newer {
        /// Its form.
        found: u64,
    },
}

/// The error if another identity would be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this PC already has another identity, member {present}")]
pub struct OtherIdentity {
    /// The member that this PC is now.
    pub present: MemberId,
}

/// A key that an earlier version kept for one liveries folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundKey {
    /// The key.
    pub key: MemberKey,
    /// The time of its last use, in any unit.
    pub used: u128,
}

impl Identity {
    /// The most former keys that one HELLO carries.
    pub const FORMER_KEYS_MAX: usize = Hello::FORMER_KEYS_MAX;

    /// Makes the identity of a driver with this key.
    #[must_use]
    pub fn new(member_key: MemberKey) -> Self {
        Self { liverysync_identity: FORM, member_key, former_keys: Vec::new(), rest: Map::new() }
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// Refuses a file that is damaged or of a later form.
    pub fn parse(bytes: &[u8]) -> Result<Self, IdentityFault> {
        let damaged = |_| IdentityFault::Damaged;
        let value: Value = serde_json::from_slice(bytes).map_err(damaged)?;
        match value.get("liverysync_identity").and_then(Value::as_u64) {
            Some(FORM) => serde_json::from_value(value).map_err(damaged),
            Some(found) if found > FORM => Err(IdentityFault::Newer { found }),
            _ => Err(IdentityFault::Damaged),
        }
    }

    /// Returns the text of the file.
    #[must_use]
    pub fn to_text(&self) -> String {
        // Texts, numbers and lists of them have a JSON form.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Returns the key that the driver has now.
    #[must_use]
    pub const fn member_key(&self) -> &MemberKey {
        &self.member_key
    }

    /// Returns the member that the driver is in every league.
    #[must_use]
    pub fn member(&self) -> MemberId {
        MemberId::of(&self.member_key)
    }

    /// Returns the members that the driver was before.
    pub fn former_members(&self) -> impl Iterator<Item = MemberId> {
        self.former_keys.iter().map(|former| MemberId::of(&former.key))
    }

    /// Decides who a driver is whose PC has these keys of earlier versions: who they are already; else the member of the key
    /// that was used last; else somebody new. All other keys become former ones.
    #[must_use]
    pub fn settle(
        present: Option<Self>,
        found: &[FoundKey],
        new_key: impl FnOnce() -> MemberKey,
    ) -> Self {
        // By the digits where the times are equal, so that the order of a folder does not decide.
        let last = found.iter().max_by_key(|found| (found.used, found.key.to_hex()));
        let mut settled = present
            .unwrap_or_else(|| Self::new(last.map_or_else(new_key, |last| last.key.clone())));
        let mut others: Vec<_> = found.iter().collect();
        others.sort_by_key(|found| (found.used, found.key.to_hex()));
        for found in others {
            settled.add_former(FormerKey::new(found.key.clone()));
        }
        settled
    }

    /// Returns the identity of a driver who brings another one to this PC, and keeps the keys of the present one.
    ///
    /// # Errors
    ///
    /// Refuses another member than the present one, unless `replace` is set.
    pub fn import(
        present: Option<Self>,
        mut new: Self,
        replace: bool,
    ) -> Result<Self, OtherIdentity> {
        let Some(present) = present else { return Ok(new) };
        if new.member_key != present.member_key && !replace {
            return Err(OtherIdentity { present: present.member() });
        }
        present.former_keys.into_iter().for_each(|former| new.add_former(former));
        if new.member_key == present.member_key {
            for (name, value) in present.rest {
                new.rest.entry(name).or_insert(value);
            }
        } else {
            let key = present.member_key;
            new.add_former(FormerKey { key, told: Vec::new(), rest: present.rest });
        }
        Ok(new)
    }

    /// Returns the former keys that a server does not know as this driver's.
    #[must_use]
    pub fn untold(&self, server: &str) -> Vec<MemberKey> {
        let untold = self.former_keys.iter().filter(|key| !key.told.iter().any(|at| at == server));
        untold.take(Self::FORMER_KEYS_MAX).map(|former| former.key.clone()).collect()
    }

    /// Notes that a server knows these keys as this driver's.
    pub fn mark_told(&mut self, server: &str, keys: &[MemberKey]) {
        for former in self.former_keys.iter_mut().filter(|former| keys.contains(&former.key)) {
            if !former.told.iter().any(|at| at == server) {
                former.told.push(server.to_owned());
            }
        }
    }

    fn add_former(&mut self, former: FormerKey) {
        let is_known = former.key == self.member_key
            || self.former_keys.iter().any(|known| known.key == former.key);
        if !is_known {
            self.former_keys.push(former);
        }
    }
}

fn write_key<S: Serializer>(key: &MemberKey, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&key.to_hex())
}

fn read_key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MemberKey, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(digit: u8) -> MemberKey {
        MemberKey::from_bytes([digit; 32])
    }

    fn found(keys: &[(u8, u128)]) -> Vec<FoundKey> {
        keys.iter().map(|(digit, used)| FoundKey { key: key(*digit), used: *used }).collect()
    }

    fn settle(present: Option<Identity>, keys: &[(u8, u128)]) -> Identity {
        Identity::settle(present, &found(keys), || key(99))
    }

    #[test]
    fn a_file_is_read_as_it_was_written_with_fields_of_later_versions() {
        let text = format!(
            r#"{{"liverysync_identity": 1, "member_key": "{}", "master": {{"secret": "aa"}},
                "former_keys": [{{"key": "{}", "told": ["h:1"], "note": 7}}]}}"#,
            key(1).to_hex(),
            key(2).to_hex()
        );
        let identity = Identity::parse(text.as_bytes()).unwrap();
        assert_eq!(identity.member_key(), &key(1));
        let written = identity.to_text();
        assert_eq!(Identity::parse(written.as_bytes()), Ok(identity.clone()));
        let value: Value = serde_json::from_str(&written).unwrap();
        assert_eq!(
            (&value["master"]["secret"], &value["former_keys"][0]["note"]),
            (&Value::from("aa"), &Value::from(7))
        );
        assert_eq!(format!("{identity:?}"), "Identity");
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let whole = settle(None, &[(1, 1), (2, 2)]).to_text();
        for cut in 0..whole.trim_end().len() {
            assert_eq!(
                Identity::parse(&whole.as_bytes()[..cut]),
                Err(IdentityFault::Damaged),
                "cut at {cut}"
            );
        }
        for damaged in ["[]", "{}", &whole.replace("01", "0g"), &whole.replace(": 1", ": 0")] {
            assert_eq!(Identity::parse(damaged.as_bytes()), Err(IdentityFault::Damaged));
        }
        let newer = whole.replace("\"liverysync_identity\": 1", "\"liverysync_identity\": 2");
        assert_eq!(Identity::parse(newer.as_bytes()), Err(IdentityFault::Newer { found: 2 }));
    }

    #[test]
    fn the_key_that_was_used_last_becomes_the_member_key() {
        let new = settle(None, &[]);
        assert_eq!((new.member_key(), new.former_members().count()), (&key(99), 0));
        let identity = settle(None, &[(1, 5), (2, 9), (3, 7)]);
        assert_eq!(identity.member_key(), &key(2));
        assert_eq!(identity.untold("h:1"), [key(1), key(3)]);
        // The order in which a folder lists its files does not matter.
        assert_eq!(settle(None, &[(3, 7), (2, 9), (1, 5)]), identity);
        assert_eq!(settle(None, &[(1, 5), (2, 5)]), settle(None, &[(2, 5), (1, 5)]));
        // Who has an identity keeps it.
        let later = settle(Some(identity.clone()), &[(4, 100), (1, 5), (2, 9)]);
        assert_eq!(later.member_key(), &key(2));
        assert_eq!(later.untold("h:1"), [key(1), key(3), key(4)]);
        assert_eq!(settle(Some(later.clone()), &[(4, 101)]), later);
    }

    #[test]
    fn a_server_is_told_of_a_key_once() {
        let mut identity = settle(None, &[(1, 1), (2, 2), (3, 3)]);
        identity.mark_told("h:1", &[key(1)]);
        identity.mark_told("h:1", &[key(1)]);
        assert_eq!(identity.untold("h:1"), [key(2)]);
        assert_eq!(identity.untold("h:2"), [key(1), key(2)]);
        let many: Vec<_> = (0..40).map(|number| (number, u128::from(number))).collect();
        assert_eq!(settle(None, &many).untold("h:1").len(), Identity::FORMER_KEYS_MAX);
    }

    #[test]
    fn an_import_replaces_no_other_member_unasked_and_keeps_all_keys() {
        let (here, there) = (settle(None, &[(1, 1), (2, 2)]), settle(None, &[(3, 1), (4, 2)]));
        assert_eq!(Identity::import(None, there.clone(), false), Ok(there.clone()));
        assert_eq!(Identity::import(Some(here.clone()), here.clone(), false), Ok(here.clone()));
        let refused = Identity::import(Some(here.clone()), there.clone(), false);
        assert_eq!(refused, Err(OtherIdentity { present: MemberId::of(&key(2)) }));
        let replaced = Identity::import(Some(here), there, true).unwrap();
        assert_eq!(replaced.member_key(), &key(4));
        assert_eq!(replaced.untold("h:1"), [key(3), key(1), key(2)]);
    }
}
