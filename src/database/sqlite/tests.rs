//! Tests of the database with real files.

mod damage;
mod form;
mod side;

use liverysync_core::{
    hash::Content,
    inspect::{ContentFacts, Damage},
    league::{Cause, HeldFile, HeldLivery, HoldState},
    path::{Extensions, RelPath},
    time::UnixTime,
};
use proptest::{collection::vec, option, prelude::*};
use tempfile::TempDir;

use super::*;

#[test]
fn each_commit_is_durable() {
    let data = tempfile::tempdir().unwrap();
    let setting = |database: &mut Sqlite| {
        let ask = |connection: &mut Connection| {
            Ok(connection.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0))?)
        };
        database.with(ask).unwrap()
    };
    let full = 2;
    assert_eq!(setting(&mut Sqlite::open(data.path()).unwrap()), full, "while it is made");
    assert_eq!(setting(&mut Sqlite::open(data.path()).unwrap()), full);
    assert_eq!(setting(&mut Sqlite::attach(data.path()).unwrap()), full, "for an admin's acts");
}

fn author(number: u8) -> MemberId {
    format!("{number:016x}").parse().unwrap()
}

fn path(text: &str) -> RelPath {
    RelPath::parse(text, &Extensions::default()).unwrap()
}

fn entry(text: &str, bytes: &[u8]) -> Entry {
    Entry { path: path(text), content: Content::of(bytes), mtime: Some(UnixTime::from_nanos(5)) }
}

fn placed(step: u64, text: &str, bytes: &[u8]) -> Record {
    let author = Some(author(7));
    Record::Placed { step, entry: entry(text, bytes), author, cause: Cause::Published }
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Returns the records that a database must return after these were written.
#[derive(Debug, Default)]
struct Model {
    versions: Vec<Record>,
    verified: Vec<Content>,
    inspected: Vec<Record>,
    owned: Vec<(String, Vec<MemberId>, bool)>,
    held: Vec<HeldLivery>,
    seen: Vec<(MemberId, String)>,
    merged: Vec<Record>,
    banned: Vec<MemberId>,
    blocked: Vec<ContentHash>,
    reports: BTreeMap<MemberId, Vec<Entry>>,
}

impl Model {
    fn of(records: &[Record]) -> Self {
        let mut model = Self::default();
        records.iter().for_each(|record| model.write(record));
        model
    }

    fn write(&mut self, record: &Record) {
        match record.clone() {
            Record::Forgotten { path } => self.versions.retain(|version| {
                let (Record::Placed { entry: Entry { path: of, .. }, .. }
                | Record::Retired { path: of, .. }
                | Record::Declined { path: of, .. }) = version
                else {
                    return true;
                };
                of.key() != path.key()
            }),
            Record::Verified(content) => {
                self.verified.retain(|known| *known != content);
                self.verified.push(content);
            }
            Record::Owned { livery, owners, presumed } => {
                let key = liverysync_core::path::fold(&livery);
                self.owned.retain(|(known, ..)| liverysync_core::path::fold(known) != key);
                self.owned.push((livery, owners, presumed));
            }
            Record::Met { .. } => {}
            Record::Inspected { content, .. } => {
                let is_it = |known: &Record| matches!(known, Record::Inspected { content: of, .. } if *of == content);
                self.inspected.retain(|known| !is_it(known));
                self.inspected.push(record.clone());
            }
            Record::Seen { member, name } => {
                self.seen.retain(|(known, _)| *known != member);
                self.seen.push((member, name));
            }
            Record::Reported { member, complete, lost, gained } => {
                let report = self.reports.entry(member).or_default();
                report.retain(|entry| {
                    !complete && lost.iter().all(|lost| lost.key() != entry.path.key())
                });
                for gained in gained {
                    report.retain(|entry| entry.path.key() != gained.path.key());
                    report.push(gained);
                }
                self.reports.retain(|_, report| !report.is_empty());
            }
            Record::Merged { .. } => self.merged.push(record.clone()),
            Record::Banned { member, banned } => {
                self.banned.retain(|known| *known != member);
                self.banned.extend(banned.then_some(member));
            }
            Record::Blocked { hash, blocked } => {
                self.blocked.retain(|known| *known != hash);
                self.blocked.extend(blocked.then_some(hash));
            }
            Record::Held(held) => {
                let key =
                    |held: &HeldLivery| (liverysync_core::path::fold(&held.livery), held.member);
                self.held.retain(|known| key(known) != key(&held));
                self.held.extend(Some(held).filter(|held| !held.files.is_empty()));
            }
            version => self.versions.push(version),
        }
    }

    fn cache_loaded(&self) -> Vec<Record> {
        let owned = |(livery, owners, presumed): &(String, Vec<MemberId>, bool)| Record::Owned {
            livery: livery.clone(),
            owners: owners.clone(),
            presumed: *presumed,
        };
        let seen = |(member, name): &(MemberId, String)| Record::Seen {
            member: *member,
            name: name.clone(),
        };
        let mut records = self.versions.clone();
        records.extend(self.verified.iter().copied().map(Record::Verified));
        records.extend(self.inspected.iter().cloned());
        records.extend(self.owned.iter().map(owned));
        let banned = |member: &MemberId| Record::Banned { member: *member, banned: true };
        records.extend(self.banned.iter().map(banned));
        let blocked = |hash: &ContentHash| Record::Blocked { hash: *hash, blocked: true };
        records.extend(self.blocked.iter().map(blocked));
        records.extend(self.seen.iter().map(seen));
        let mut held = self.held.clone();
        held.sort_by_key(|held| {
            (liverysync_core::path::fold(&held.livery).to_string(), held.member)
        });
        records.extend(held.into_iter().map(Record::Held));
        let files = self.reports.iter().flat_map(|(member, report)| {
            let liveries = report.iter().map(|entry| entry.path.key().livery().to_owned());
            liveries.map(|livery| (*member, livery))
        });
        let met: std::collections::BTreeSet<_> = files.collect();
        records.extend(met.into_iter().map(|(member, livery)| Record::Met { member, livery }));
        records.extend(self.merged.iter().cloned());
        records
    }
}

fn any_path() -> impl Strategy<Value = RelPath> {
    let names: &'static [&str] =
        &["a.png", "A.png", "É/a.json", "é/b.dds", "team/x.jpg", "Team/X.jpg", "z.txt"];
    prop::sample::select(names).prop_map(path)
}

fn any_content() -> impl Strategy<Value = Content> {
    (any::<[u8; 32]>(), 0..=i64::MAX as u64)
        .prop_map(|(hash, size)| Content { hash: ContentHash::from_bytes(hash), size })
}

fn any_author() -> impl Strategy<Value = MemberId> {
    (0..4u8).prop_map(author)
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let mtime = option::of(any::<i64>().prop_map(UnixTime::from_nanos));
    (any_path(), any_content(), mtime).prop_map(|(path, content, mtime)| Entry {
        path,
        content,
        mtime,
    })
}

fn any_record() -> impl Strategy<Value = Record> {
    let step = || 1..=i64::MAX as u64;
    let cause = prop::sample::select(&Cause::WORDS[..]).prop_map(|(_, cause)| cause);
    prop_oneof![
        4 => (step(), any_entry(), option::of(any_author()), cause)
            .prop_map(|(step, entry, author, cause)| Record::Placed { step, entry, author, cause }),
        1 => (step(), any_path()).prop_map(|(step, path)| Record::Retired { step, path }),
        1 => (step(), any_path(), any_content())
            .prop_map(|(step, path, content)| Record::Declined { step, path, content }),
        1 => any_path().prop_map(|path| Record::Forgotten { path }),
        1 => any_content().prop_map(Record::Verified),
        1 => (any_content(), any::<u8>(), option::of(any::<(u32, u32)>())).prop_map(
            |(content, number, pixels)| {
                let words = ["", "empty", "zeros", "no_end", "invalid_json"];
                let damage = |at: u8| Damage::from_word(words[usize::from(at) % words.len()]);
                let (png, json) = (damage(number), damage(number / 16));
                Record::Inspected { content, facts: ContentFacts { png, json, pixels } }
            }
        ),
        1 => (prop::sample::select(&["Team", "team", "É", ""][..]), vec(any_author(), 0..4))
            .prop_map(|(livery, owners)| {
                let presumed = owners.len() == 1 && livery.len() % 2 == 0;
                Record::Owned { livery: livery.to_owned(), owners, presumed }
            }),
        1 => (any_author(), any_author())
            .prop_map(|(former, member)| Record::Merged { former, member }),
        1 => (any_author(), any::<bool>())
            .prop_map(|(member, banned)| Record::Banned { member, banned }),
        1 => (any_author(), any::<bool>()).prop_map(|(member, blocked)| {
            let hash = ContentHash::of(member.to_string().as_bytes());
            Record::Blocked { hash, blocked }
        }),
        2 => any_held(),
        1 => (any_author(), any::<String>()).prop_map(|(member, name)| Record::Seen { member, name }),
        2 => (any_author(), any::<bool>(), vec(any_path(), 0..3), vec(any_entry(), 0..5)).prop_map(
            |(member, complete, lost, gained)| Record::Reported { member, complete, lost, gained }
        ),
    ]
}

fn held(livery: &str, member: Option<MemberId>, paths: &[&str]) -> Record {
    let file = |path: &&str| HeldFile { entry: entry(path, path.as_bytes()), base: None };
    let (livery, files) = (livery.to_owned(), paths.iter().map(file).collect());
    Record::Held(HeldLivery { livery, member, state: HoldState::Waiting, files })
}

fn any_held() -> impl Strategy<Value = Record> {
    let folder = prop::sample::select(&["É", "é", "team", "Team"][..]);
    let file = (any_content(), any::<Option<[u8; 32]>>());
    let state = prop::sample::select(&HoldState::WORDS[..]).prop_map(|(_, state)| state);
    (folder, option::of(any_author()), state, vec(file, 0..3)).prop_map(
        |(livery, member, state, files)| {
            let files = files.into_iter().zip(["a.png", "b.json", "c.dds"]);
            let files = files.map(|((content, base), name)| HeldFile {
                entry: Entry { path: path(&format!("{livery}/{name}")), content, mtime: None },
                base: base.map(ContentHash::from_bytes),
            });
            let (livery, files) = (livery.to_owned(), files.collect());
            Record::Held(HeldLivery { livery, member, state, files })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    #[test]
    fn what_was_written_is_read_in_order_before_and_after_a_restart(
        batches in vec(vec(any_record(), 0..12), 0..5),
    ) {
        let data = folder();
        let mut database = Sqlite::open(data.path()).unwrap();
        for batch in &batches {
            database.write(batch).unwrap();
        }
        let model = Model::of(&batches.concat());
        prop_assert_eq!(database.records().unwrap(), model.cache_loaded());
        drop(database);
        let mut database = Sqlite::open(data.path()).unwrap();
        prop_assert_eq!(database.records().unwrap(), model.cache_loaded());
        prop_assert_eq!(&database.reports().unwrap(), &model.reports);

        // Replayed into another database they stay the same.
        let other = folder();
        let mut copy = Sqlite::open(other.path()).unwrap();
        copy.write(&database.records().unwrap()).unwrap();
        let is_copied = |record: &Record| !matches!(record, Record::Met { .. });
        let expected: Vec<_> = model.cache_loaded().into_iter().filter(is_copied).collect();
        prop_assert_eq!(copy.records().unwrap(), expected);
    }
}

#[test]
fn members_are_known_by_when_they_came_and_what_they_hold() {
    let data = folder();
    let mut database = Sqlite::open(data.path()).unwrap();
    let seen = |number, name: &str| Record::Seen { member: author(number), name: name.to_owned() };
    let gained = vec![entry("a.png", b"12345"), entry("b.png", b"123")];
    let reported = Record::Reported { member: author(2), complete: true, lost: Vec::new(), gained };
    database.write(&[seen(2, "Max"), seen(1, "Ayrton"), reported]).unwrap();
    database.write(&[seen(2, "Max V.")]).unwrap();
    let members = database.members().unwrap();
    let told = |at: usize| {
        let member: &MemberRow = &members[at];
        (member.member, member.name.as_str(), member.files, member.bytes)
    };
    assert_eq!([told(0), told(1)], [(author(1), "Ayrton", 0, 0), (author(2), "Max V.", 2, 8)]);
    let (first, last) = (&members[1].first_seen, &members[1].last_seen);
    assert!(first <= last && first.len() == "2026-03-09T18:30:00Z".len() && first.ends_with('Z'));
}

#[test]
fn a_member_who_was_merged_is_no_longer_listed() {
    let data = folder();
    let mut database = Sqlite::open(data.path()).unwrap();
    let seen = |number, name: &str| Record::Seen { member: author(number), name: name.to_owned() };
    let merged = |former, member| Record::Merged { former: author(former), member: author(member) };
    let gained = vec![entry("a.png", b"12345")];
    let reported = Record::Reported { member: author(1), complete: true, lost: Vec::new(), gained };
    database.write(&[seen(1, "Old"), seen(2, "New"), seen(3, "Other"), reported]).unwrap();
    let first_seen = database.members().unwrap()[0].first_seen.clone();
    database.write(&[merged(1, 2), merged(2, 4), seen(4, "Newest")]).unwrap();
    drop(database);
    let mut database = Sqlite::open(data.path()).unwrap();
    let members = database.members().unwrap();
    let told: Vec<_> = members.iter().map(|one| (one.member, one.name.as_str())).collect();
    assert_eq!(told, [(author(3), "Other"), (author(4), "Newest")]);
    assert_eq!((&members[1].first_seen, members[1].files), (&first_seen, 0));
}

#[test]
fn a_livery_waits_since_its_first_file_did_and_unchanged_files_keep_their_rows() {
    let data = folder();
    let mut database = Sqlite::open(data.path()).unwrap();
    let paths = ["Team/a.png", "Team/b.png", "Team/c.png"];
    database.write(&[held("Team", Some(author(7)), &paths)]).unwrap();
    let then = "2026-03-09T18:30:00Z";
    for number in 1..=3 {
        let row = Table::Held
            .select(&database.connection, "WHERE number = ?")
            .unwrap()
            .query_row([number], |row| Ok(Row::read(Table::Held, row).unwrap()));
        let mut values = row.unwrap().values;
        values[7] = Value::Text(then.to_owned());
        let checksum = table::checksum(number, &values);
        let sql = "UPDATE held SET written_at = ?, checksum = ? WHERE number = ?";
        database.connection.execute(sql, params![then, checksum, number]).unwrap();
    }
    let mut changed = held("Team", Some(author(7)), &paths);
    let Record::Held(livery) = &mut changed else { unreachable!() };
    livery.files[1].entry.content = Content::of(b"another");
    database.write(std::slice::from_ref(&changed)).unwrap();
    let since = database.held_since().unwrap();
    assert_eq!(since[&("team".to_owned(), Some(author(7)))], then);
    assert_eq!(database.records().unwrap(), [changed]);
    let mut numbers = database.connection.prepare("SELECT number FROM held ORDER BY 1").unwrap();
    let numbers: Vec<i64> = numbers.query_map([], |row| row.get(0)).unwrap().flatten().collect();
    assert_eq!(numbers, [1, 3, 4], "only the changed file has a new row");
}

#[test]
fn each_step_has_its_date() {
    let data = folder();
    let mut database = Sqlite::open(data.path()).unwrap();
    database.write(&[placed(1, "a.png", b"1"), placed(3, "b.png", b"2")]).unwrap();
    assert!(database.dates().unwrap().into_keys().eq([1, 3]));
}

#[test]
fn a_number_that_does_not_fit_leaves_nothing_written() {
    let data = folder();
    let mut database = Sqlite::open(data.path()).unwrap();
    let error = database.write(&[placed(1, "a.png", b"1"), placed(u64::MAX, "b.png", b"2")]);
    assert!(matches!(error, Err(DatabaseError::TooLarge { number: u64::MAX, .. })), "{error:?}");
    assert_eq!(database.records().unwrap(), []);
}

#[test]
fn names_come_back_with_any_extension() {
    let data = folder();
    let mut database = Sqlite::open(data.path()).unwrap();
    let extensions = Extensions::from_list(["tga", "7z"]).unwrap();
    let records = ["a.tga", "b.7z", "c.TGA"].map(|text| {
        let path = RelPath::parse(text, &extensions).unwrap();
        Record::Retired { step: 1, path }
    });
    database.write(&records).unwrap();
    assert_eq!(database.records().unwrap(), records);
}
