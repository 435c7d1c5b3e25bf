//! The records of a league in the simplest form: a book of names that is written record by record, and looked at
//! after every step of the union.

use std::collections::{BTreeMap, BTreeSet};

use liverysync_core::{
    hash::Content,
    league::{Cause, MemberId, Record},
    manifest::Manifest,
    path::{PathKey, RelPath},
    union::Union,
};

/// The present and past contents of each name.
#[derive(Debug, Default)]
pub(crate) struct Book {
    names: BTreeMap<PathKey, (RelPath, Content)>,
    authors: BTreeMap<PathKey, Option<MemberId>>,
    /// Contents that their own author has replaced.
    pub(crate) outdone: BTreeSet<Content>,
    past: BTreeMap<PathKey, Vec<Content>>,
    verified: BTreeSet<Content>,
    /// True if something was written since the last look at the union.
    is_news: bool,
}

impl Book {
    pub(crate) fn write(&mut self, records: &[Record]) {
        self.is_news |= !records.is_empty();
        let missed = self.missed(records);
        for record in records {
            match record {
                Record::Placed { entry, cause, author, .. } => {
                    let key = entry.path.key();
                    let before = self.authors.insert(key.clone(), *author);
                    let now = self.names.get(key).map(|(_, content)| *content);
                    if *cause == Cause::Updated && author.is_some() && before == Some(*author) {
                        self.outdone.extend(now);
                    }
                    let past = self.past.entry(key.clone()).or_default();
                    if *cause == Cause::Expired {
                        // Nobody ever sent the content before, so it no longer counts.
                        past.pop();
                    }
                    past.push(entry.content);
                    self.names.insert(key.clone(), (entry.path.clone(), entry.content));
                }
                Record::Retired { path, .. } => {
                    self.names.remove(path.key()).expect("only what there is goes");
                }
                Record::Forgotten { path } => {
                    self.names.remove(path.key()).expect("only what there is goes");
                    let past = self.past.remove(path.key()).unwrap_or_default();
                    let sent = past.iter().find(|content| self.verified.contains(*content));
                    let is_part = missed.contains(path.key().livery());
                    assert!(
                        sent.is_none() || is_part,
                        "{path} had what was sent, and is forgotten"
                    );
                }
                Record::Verified(content) => {
                    self.verified.insert(*content);
                }
                Record::Declined { .. }
                | Record::Inspected { .. }
                | Record::Owned { .. }
                | Record::Met { .. }
                | Record::Merged { .. }
                | Record::Banned { .. }
                | Record::Blocked { .. }
                | Record::Held(_)
                | Record::Set { .. }
                | Record::Seen { .. }
                | Record::Reported { .. } => {}
            }
        }
    }

    /// Returns the liveries that lose a name whose content nobody ever sent. If they were new, the rest goes with it.
    fn missed(&self, records: &[Record]) -> BTreeSet<String> {
        let missed = records.iter().filter_map(|record| match record {
            Record::Forgotten { path } | Record::Retired { path, .. } => {
                let (_, content) = self.names.get(path.key())?;
                let is_missed = !self.verified.contains(content);
                is_missed.then(|| path.key().livery().to_owned())
            }
            _ => None,
        });
        missed.collect()
    }

    /// Checks that the union is what this book says, and could be on a disk.
    pub(crate) fn judge(&mut self, union: &Union) {
        if !std::mem::take(&mut self.is_news) {
            return;
        }
        let held = union.iter().map(|entry| (entry.path.clone(), entry.content));
        assert!(held.eq(self.names.values().cloned()), "the union is not what was written down");
        let mut disk = Manifest::new();
        for entry in union.iter() {
            let valid = RelPath::parse(entry.path.as_str(), &union.settings().naming.extensions);
            assert_eq!(valid.as_ref(), Ok(&entry.path), "a name that cannot be");
            disk.insert((**entry).clone()).expect("all names fit below one root");
            assert!(union.knows(entry.path.key(), entry.content), "{} has no past", entry.path);
        }
        for (key, past) in &self.past {
            let lost = past
                .iter()
                .find(|content| self.verified.contains(*content) && !union.knows(key, **content));
            assert_eq!(lost, None, "{key:?} had it, and it is not in its past");
        }
    }
}
