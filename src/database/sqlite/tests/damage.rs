//! Files that are cut short or garbled.

#[path = "../../../../tests/share/mod.rs"]
mod share;

use std::collections::BTreeSet;

use super::*;
use crate::{
    database::sqlite::rebuild::{RebuildSummary, rebuild},
    error_chain::with_causes,
};

/// The length of the database that is damaged here.
const BYTES: usize = 30 * 4096;

/// A database of several pages in each table, and a content in the store beside it.
struct Sound {
    data: TempDir,
    bytes: Vec<u8>,
    records: Vec<Record>,
    reports: BTreeMap<MemberId, Vec<Entry>>,
}

impl Sound {
    fn make() -> Self {
        let data = folder();
        let mut database = Sqlite::open(data.path()).unwrap();
        for step in 1..=40 {
            let (name, bytes) = (format!("Team {step}/decals.png"), step.to_string());
            let placed = placed(step, &name, bytes.as_bytes());
            let Record::Placed { entry, .. } = &placed else { unreachable!() };
            let (member, verified) = (author(step as u8 % 5), Record::Verified(entry.content));
            let gained = vec![entry.clone()];
            let reported = Record::Reported { member, complete: false, lost: Vec::new(), gained };
            let owned = Record::Owned {
                livery: format!("Team {step}"),
                owners: vec![member],
                presumed: false,
            };
            let seen = Record::Seen { member, name: format!("Driver {step}") };
            database.write(&[placed, verified, reported, owned, seen]).unwrap();
        }
        let (records, reports) = (database.records().unwrap(), database.reports().unwrap());
        drop(database);
        fs::create_dir_all(data.path().join("blobs/ab")).unwrap();
        fs::write(data.path().join("blobs/ab/abcd"), "a content").unwrap();
        let bytes = fs::read(data.path().join(NAME)).unwrap();
        assert!(!data.path().join("league.db-wal").exists());
        assert_eq!(bytes.len(), BYTES);
        Self { data, bytes, records, reports }
    }

    /// Puts a file in the place of the database; whatever it is, it is either as good as the sound one or called
    /// damaged. Returns whether it was good.
    fn judge(&self, bytes: &[u8], what: &str) -> bool {
        fs::write(self.data.path().join(NAME), bytes).unwrap();
        match Sqlite::open(self.data.path()) {
            Ok(mut database) => {
                assert_eq!(database.records().unwrap(), self.records, "{what}");
                assert_eq!(database.reports().unwrap(), self.reports, "{what}");
                true
            }
            Err(DatabaseError::Damaged { path, source }) => {
                assert_eq!(path, self.data.path().join(NAME));
                assert!(!source.to_string().is_empty(), "{what}");
                false
            }
            Err(other) => panic!("{what}: {other}"),
        }
    }

    /// Rebuilds a file, which leaves all of it, and returns what the new one returns.
    fn rebuild(&self, bytes: &[u8], what: &str) -> (RebuildSummary, Vec<Record>) {
        fs::write(self.data.path().join(NAME), bytes).unwrap();
        let summary = rebuild(self.data.path()).unwrap();
        assert_eq!(fs::read(&summary.set_aside[0]).unwrap(), bytes, "{what}");
        let content = fs::read(self.data.path().join("blobs/ab/abcd")).unwrap();
        assert_eq!(content, b"a content");
        let mut database = Sqlite::open(self.data.path()).unwrap();
        let records = database.records().unwrap();
        assert!(is_part(&records, &self.records), "{what}: {records:?}");
        (summary, records)
    }
}

/// Returns true if the first list is the second one with some items left out.
fn is_part(part: &[Record], all: &[Record]) -> bool {
    let mut all = all.iter();
    part.iter().all(|record| all.any(|other| other == record))
}

/// Numbers below `below`, the same on each run.
fn numbers(seed: u64, below: usize) -> impl Iterator<Item = usize> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    })
}

#[test]
fn a_file_that_is_cut_short_is_damaged_and_what_is_left_is_rebuilt() {
    let sound = Sound::make();
    let whole = sound.bytes.len();
    let pages = (0..whole).step_by(4096);
    let edges = [1, 15, 16, 19, 20, 99, 100, 101, 512, 4095, 4097, 8191, whole - 1];
    let cuts: BTreeSet<_> = pages.chain(edges).chain(numbers(7, whole).take(15)).collect();
    for cut in cuts {
        let what = format!("cut at {cut} of {whole}");
        assert!(!sound.judge(&sound.bytes[..cut], &what), "{what}");
        assert!(!sound.rebuild(&sound.bytes[..cut], &what).0.whole, "{what}");
    }
    let (summary, records) = sound.rebuild(&sound.bytes, "whole");
    assert!(summary.whole);
    assert_eq!(records, sound.records);
}

/// Garbles so many bytes at each place in turn.
fn garble(places: impl Iterator<Item = usize>, length: usize) {
    let sound = Sound::make();
    let (mut good, mut lost) = (0, 0);
    let share = std::env::var(share::VARIABLE).ok();
    for at in share::rounds(places, share.as_deref()) {
        let mut bytes = sound.bytes.clone();
        let noise = numbers(at as u64 + 1, 255);
        for (byte, noise) in bytes.iter_mut().skip(at).take(length).zip(noise) {
            *byte ^= noise as u8 + 1;
        }
        let what = format!("{length} garbled at {at}");
        if sound.judge(&bytes, &what) {
            good += 1;
            continue;
        }
        let (summary, records) = sound.rebuild(&bytes, &what);
        lost += usize::from(records != sound.records);
        assert!(!summary.whole || records == sound.records, "{what}");
    }
    // Both have been seen, so the test means something.
    assert!(lost > 0 && (good > 0 || length > 1), "{good} good, {lost} with losses");
}

#[test]
fn a_file_with_one_garbled_byte_is_whole_or_damaged() {
    garble(numbers(11, BYTES).take(60), 1);
}

#[test]
fn a_file_with_a_garbled_header_is_whole_or_damaged() {
    garble(0..108, 1);
}

#[test]
fn a_file_with_many_garbled_bytes_is_whole_or_damaged() {
    garble(numbers(13, BYTES).take(30), 64);
}

#[test]
fn a_file_with_a_garbled_page_is_whole_or_damaged() {
    garble((0..BYTES).step_by(4096), 4096);
}

impl Sound {
    /// Returns the positions of a text; pages that were split may hold it more than once.
    fn places(&self, text: &str) -> Vec<usize> {
        let texts = self.bytes.windows(text.len()).enumerate();
        texts.filter(|(_, bytes)| *bytes == text.as_bytes()).map(|(at, _)| at).collect()
    }
}

#[test]
fn a_broken_leaf_costs_no_more_than_its_rows() {
    const LEAF: u8 = 13;
    let sound = Sound::make();
    let pages = sound.places("Team 20/").into_iter().map(|at| at / 4096 * 4096);
    let leaves: BTreeSet<_> = pages.filter(|page| sound.bytes[*page] == LEAF).collect();
    for page in leaves {
        let mut bytes = sound.bytes.clone();
        bytes[page..page + 4096].fill(0xa5);
        let (summary, records) = sound.rebuild(&bytes, "a page");
        assert!(!summary.whole);
        assert!(records.len() >= sound.records.len() - 30, "{} are left", records.len());
        assert_eq!((summary.verified, summary.owners, summary.members), (40, 40, 5));
    }
}

#[test]
fn a_digit_that_became_another_one_is_found_and_only_its_row_goes() {
    let sound = Sound::make();
    let mut found = 0;
    for at in sound.places(&ContentHash::of(b"20").to_string()) {
        let mut bytes = sound.bytes.clone();
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        if !sound.judge(&bytes, "a digit") {
            found += 1;
            assert!(sound.rebuild(&bytes, "a digit").1.len() >= sound.records.len() - 1);
        }
    }
    // One for the name, one for its proof, one in a report.
    assert!(found >= 3, "{found}");
}

#[test]
fn an_error_names_the_file_and_the_damage() {
    let data = folder();
    fs::write(data.path().join(NAME), "").unwrap();
    let error = with_causes(&Sqlite::open(data.path()).unwrap_err());
    for word in ["league.db is damaged", "cut short"] {
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn a_rebuild_keeps_every_file_under_a_name_of_its_own() {
    let data = folder();
    for text in ["first", "second"] {
        fs::write(data.path().join(NAME), text).unwrap();
        fs::write(data.path().join("league.db-wal"), "its log").unwrap();
        let summary = rebuild(data.path()).unwrap();
        assert_eq!(summary.set_aside.len(), 2);
        assert_eq!(fs::read(&summary.set_aside[0]).unwrap(), text.as_bytes());
        assert_eq!(fs::read(&summary.set_aside[1]).unwrap(), b"its log");
    }
    assert_eq!(Sqlite::open(data.path()).unwrap().records().unwrap(), []);
}

#[test]
fn an_empty_folder_has_nothing_to_lose() {
    let data = folder();
    let summary = rebuild(data.path()).unwrap();
    assert_eq!(summary, RebuildSummary { whole: true, ..RebuildSummary::default() });
    Sqlite::open(data.path()).unwrap();
}

#[test]
fn no_rebuild_while_a_server_has_the_folder() {
    let data = folder();
    let lock = fs::File::create(data.path().join("lock")).unwrap();
    lock.lock().unwrap();
    assert!(matches!(rebuild(data.path()), Err(DatabaseError::Busy { .. })));
}
