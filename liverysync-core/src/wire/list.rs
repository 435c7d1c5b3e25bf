//! Lists in messages, which end at a limit while they are read.
//!
//! A list of empty entries takes up to twenty times its text, and a compressed message is sixteen times its frame. So no list
//! is longer in memory than its sender's programs make it.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, SeqAccess, Visitor},
};

/// Most files of a manifest, of its changes, or of a union. No more fit into the largest message, unless their names are short.
pub(super) const FILES_MAX: usize = 100_000;

/// Most files of a session.
pub(crate) const SESSION_FILES_MAX: usize = 1_000;

/// Most entries of a list that is only for people. The rest is left out.
pub(super) const REMARKS_MAX: usize = 1_000;

/// Most contents of a retired name, and most conflict copies of a name, in remarks on a union. The rest is left out.
pub(super) const PER_NAME_MAX: usize = 100;

/// Most suffixes of older conflict names.
pub(super) const SUFFIXES_MAX: usize = 1_000;

/// Reads a list of at most `MAX` entries, and refuses a longer one.
pub(crate) fn at_most<'de, const MAX: usize, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    List::<T, MAX>::deserialize(deserializer).map(|list| list.0)
}

/// Does the same as [`at_most`] for a list that may be `null`.
pub(super) fn some_at_most<'de, const MAX: usize, T, D>(
    deserializer: D,
) -> Result<Option<Vec<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    let list = Option::<List<T, MAX>>::deserialize(deserializer)?;
    Ok(list.map(|list| list.0))
}

/// Reads the first `MAX` entries of a list, and skips the others.
pub(super) fn first<'de, const MAX: usize, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    deserializer.deserialize_seq(Entries::<T> { most: MAX, skips: true, entry: PhantomData })
}

struct List<T, const MAX: usize>(Vec<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for List<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = Entries { most: MAX, skips: false, entry: PhantomData };
        deserializer.deserialize_seq(entries).map(Self)
    }
}

struct Entries<T> {
    most: usize,
    /// Entries beyond the limit are skipped instead of refused.
    skips: bool,
    entry: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while list.len() < self.most {
            let Some(entry) = entries.next_element()? else { return Ok(list) };
            list.push(entry);
        }
        while entries.next_element::<IgnoredAny>()?.is_some() {
            if !self.skips {
                return Err(A::Error::custom(format_args!(
                    "a list has over {} entries",
                    self.most
                )));
            }
        }
        Ok(list)
    }
}
