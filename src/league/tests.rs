//! Tests of an admin's views and acts, with real folders.

use std::{fs, fs::File, thread};

use liverysync_core::{
    hash::{Content, ContentHash},
    league::{Act, ActError, ActReport, Cause, MemberId, Record},
    manifest::Entry,
    path::{Extensions, RelPath},
};
use tempfile::TempDir;

use super::*;

/// A limit that no test reaches.
const PATIENCE: Duration = Duration::from_secs(60);

fn author(number: u8) -> MemberId {
    format!("{number:016x}").parse().unwrap()
}

fn entry(path: &str, bytes: &str) -> Entry {
    let path = RelPath::parse(path, &Extensions::default()).unwrap();
    Entry { path, content: Content::of(bytes.as_bytes()), mtime: None }
}

fn placed(step: u64, path: &str, bytes: &str, cause: Cause) -> Record {
    Record::Placed { step, entry: entry(path, bytes), author: Some(author(1)), cause }
}

fn copy_name(path: &str, bytes: &str) -> String {
    let (stem, extension) = path.rsplit_once('.').unwrap();
    format!("{stem}__CONFLICT__{}.{extension}", ContentHash::of(bytes.as_bytes()).short())
}

/// Makes a data folder with these records, and a store with these contents.
fn league(records: &[Record], stored: &[&str]) -> TempDir {
    let data = tempfile::tempdir().unwrap();
    Sqlite::open(data.path()).unwrap().write(records).unwrap();
    for bytes in stored {
        let name = ContentHash::of(bytes.as_bytes()).to_string();
        let folder = data.path().join("blobs").join(&name[..2]);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), bytes).unwrap();
    }
    data
}

/// Returns four liveries of one file each, the first of which was updated once.
fn four() -> TempDir {
    let mut records = vec![Record::Seen { member: author(1), name: "Aoi".to_owned() }];
    for (step, livery) in (1..).zip(["Team", "Other", "Third", "Fourth"]) {
        let path = format!("{livery}/decals.png");
        records.push(placed(step, &path, livery, Cause::Published));
    }
    records.push(placed(5, "Team/decals.png", "new paint", Cause::Updated));
    records.push(Record::Verified(Content::of(b"new paint")));
    league(&records, &["Team", "new paint"])
}

fn open(data: &TempDir) -> League {
    League::open(data.path()).unwrap()
}

fn names(league: &mut League) -> Vec<String> {
    league.union().unwrap().iter().map(|entry| entry.path.as_str().to_owned()).collect()
}

fn retire(livery: &str, confirmed: bool) -> Act {
    Act::Retire { liveries: vec![livery.to_owned()], confirmed }
}

fn lock(data: &TempDir) -> File {
    crate::store::lock::take(data.path()).unwrap().unwrap()
}

#[test]
fn the_status_counts_what_the_league_has() {
    let data = four();
    let mut league = open(&data);
    league.act(&retire("fourth", false), PATIENCE).unwrap();
    let status = league.status().unwrap();
    assert_eq!((status.files, status.bytes, status.liveries, status.retired), (3, 19, 3, 1));
    assert_eq!((status.members, status.conflicts, status.step), (1, 0, 6));
    assert_eq!((status.stored_bytes, status.missing), (9, 2));
    assert_eq!(status.written_at, league.database.dates().unwrap().remove(&6));
    assert!(!status.served);
    let held = lock(&data);
    assert!(league.status().unwrap().served);
    drop(held);
    assert!(!league.is_served().unwrap());
}

#[test]
fn asking_whether_a_server_runs_is_not_a_server() {
    let data = four();
    drop(lock(&data));
    let asking = File::open(data.path().join("lock")).unwrap();
    asking.try_lock_shared().unwrap();
    assert!(!open(&data).is_served().unwrap());
}

#[test]
fn a_content_of_another_length_is_not_in_the_store() {
    let data = league(&[placed(1, "T/decals.png", "paint", Cause::Published)], &["paint"]);
    let name = ContentHash::of(b"paint").to_string();
    fs::write(data.path().join("blobs").join(&name[..2]).join(&name), "pai").unwrap();
    assert_eq!(open(&data).status().unwrap().missing, 1);
}

#[test]
fn a_history_is_told_from_its_end() {
    let data = four();
    let history = open(&data).history("TEAM").unwrap();
    let steps: Vec<_> = history.iter().map(|version| version.step).collect();
    assert_eq!(steps, [5, 1]);
    let [change] = &history[0].changes[..] else { panic!("{history:?}") };
    assert_eq!((change.path.as_str(), change.cause), ("Team/decals.png", Some(Cause::Updated)));
    assert_eq!((change.author, change.name.as_deref()), (Some(author(1)), Some("Aoi")));
    assert!(history.iter().all(|version| version.written_at.is_some()));

    let unknown = open(&data).history("Nobody").unwrap_err();
    assert!(unknown.to_string().contains("no livery \"Nobody\""), "{unknown}");
}

#[test]
fn without_a_server_an_act_is_done_at_once_and_stays_done() {
    let data = four();
    let acted = open(&data).act(&retire("Team", false), PATIENCE).unwrap();
    assert_eq!(acted.report, ActReport::new(0, 1));
    assert!(!acted.served);
    assert_eq!(
        names(&mut open(&data)),
        ["Fourth/decals.png", "Other/decals.png", "Third/decals.png"]
    );

    let restore = Act::Restore { livery: "Team".to_owned(), version: None };
    open(&data).act(&restore, PATIENCE).unwrap();
    let union = open(&data).union().unwrap();
    let restored = union.iter().find(|entry| entry.path.livery() == "Team").unwrap();
    assert_eq!(restored.content, Content::of(b"new paint"));
    assert!(!open(&data).is_served().unwrap());
}

#[test]
fn what_is_refused_changes_nothing() {
    let data = four();
    let liveries = ["Team", "Nobody's"].map(str::to_owned).to_vec();
    let retire = Act::Retire { liveries, confirmed: false };
    let refused = open(&data).act(&retire, PATIENCE).unwrap_err();
    let unknown = ActError::NoLivery { livery: "Nobody's".to_owned() };
    assert!(matches!(&refused, LeagueError::Refused(error) if *error == unknown), "{refused}");
    assert_eq!(open(&data).status().unwrap().step, 5);
}

/// Waits until somebody asks the server for an act.
fn wait_until_asked(server: &mut Sqlite) -> crate::database::ActId {
    loop {
        if let [(id, _)] = server.pending().unwrap()[..] {
            return id;
        }
        thread::yield_now();
    }
}

#[test]
fn a_server_that_runs_is_asked() {
    let data = four();
    let _served = lock(&data);
    let mut server = Sqlite::open(data.path()).unwrap();
    let (done, refused) = thread::scope(|scope| {
        let ask = || open(&data).act(&retire("Team", false), PATIENCE);
        let asking = scope.spawn(ask);
        let id = wait_until_asked(&mut server);
        server.commit(&[], &[(id, Ok(ActReport::new(0, 1)))]).unwrap();
        let done = asking.join().unwrap().unwrap();
        let asking = scope.spawn(ask);
        let id = wait_until_asked(&mut server);
        server.commit(&[], &[(id, Err(ActError::Unsupported))]).unwrap();
        (done, asking.join().unwrap().unwrap_err())
    });
    assert_eq!(done, Acted { report: ActReport::new(0, 1), served: true });
    assert!(matches!(refused, LeagueError::Refused(ActError::Unsupported)), "{refused}");
    assert_eq!(names(&mut open(&data)).len(), 4, "only the server writes");
}

#[test]
fn a_server_that_does_not_answer_is_asked_no_more() {
    let data = four();
    let _served = lock(&data);
    let silent = open(&data).act(&retire("Team", false), Duration::ZERO).unwrap_err();
    assert!(matches!(silent, LeagueError::Silent { .. }), "{silent}");
    assert!(open(&data).database.pending().unwrap().is_empty());
}

#[test]
fn what_a_server_leaves_behind_when_it_ends_is_done_without_it() {
    let data = four();
    let served = lock(&data);
    let mut server = Sqlite::open(data.path()).unwrap();
    let acted = thread::scope(|scope| {
        let asking = scope.spawn(|| open(&data).act(&retire("Team", false), PATIENCE));
        wait_until_asked(&mut server);
        drop(served);
        asking.join().unwrap().unwrap()
    });
    assert!(!acted.served);
    assert!(server.pending().unwrap().is_empty());
    assert_eq!(names(&mut open(&data)).len(), 3);
}

#[test]
fn a_member_is_found_by_name_or_digits() {
    let named = [(1, "Aoi"), (2, "Bruno"), (3, "BRUNO"), (4, "Chloe"), (5, "chloe")];
    let seen =
        named.map(|(number, name)| Record::Seen { member: author(number), name: name.to_owned() });
    let data = league(&seen, &[]);
    let mut league = open(&data);
    for (name, number) in [("Aoi", 1), ("aoi", 1), ("Bruno", 2), ("BRUNO", 3), ("chloe", 5)] {
        assert_eq!(league.member(name).unwrap(), author(number), "{name}");
    }
    // Digits need no member: an admin may name an owner who has not come yet.
    assert_eq!(league.member("00000000000000ff").unwrap(), author(0xff));
    assert!(matches!(league.member("Dan"), Err(LeagueError::NoMember { .. })));
    let Err(LeagueError::SeveralMembers { members, .. }) = league.member("bruNO") else {
        panic!("several")
    };
    assert_eq!(members, [author(2), author(3)]);
}

#[test]
fn a_content_in_conflict_is_found_by_who_brought_it() {
    let path = "Team/decals.png";
    let brought = |step, number, path: &str, bytes: &str, cause| Record::Placed {
        step,
        entry: entry(path, bytes),
        author: Some(author(number)),
        cause,
    };
    let seen = [(1, "Aoi"), (2, "Bruno"), (3, "Chloe")];
    let mut records: Vec<_> = seen
        .map(|(number, name)| Record::Seen { member: author(number), name: name.to_owned() })
        .into();
    records.push(brought(1, 1, path, "paint", Cause::Published));
    for (step, number, bytes) in [(2, 2, "rival"), (3, 3, "third"), (4, 3, "fourth")] {
        records.push(brought(step, number, &copy_name(path, bytes), bytes, Cause::Conflict));
    }
    let data = league(&records, &[]);
    let mut league = open(&data);
    let digits = |bytes: &str| ContentHash::of(bytes.as_bytes()).to_string();
    assert_eq!(league.content_by(path, "Aoi").unwrap(), digits("paint"));
    assert_eq!(league.content_by("TEAM/decals.png", "bruno").unwrap(), digits("rival"));
    let several = league.content_by(path, "Chloe");
    assert!(matches!(several, Err(LeagueError::SeveralContents { .. })), "{several:?}");
    // Everything else is for the act to judge.
    for other in ["Dan", "none", &digits("third")[..6]] {
        assert_eq!(league.content_by(path, other).unwrap(), other);
    }
    let keep = league.content_by(path, "Bruno").unwrap();
    let resolve = Act::Resolve { path: path.to_owned(), keep };
    // Nobody sent the content yet, so the act is refused for that reason and no other.
    let refused = league.act(&resolve, PATIENCE).unwrap_err();
    assert!(matches!(refused, LeagueError::Refused(ActError::NotSent { .. })), "{refused:?}");
}

#[test]
fn a_new_league_keeps_liveries_whole_and_is_not_made_twice() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("leagues/gt3");
    let mut settings = Settings::of_new_league();
    settings.set(Setting::Extensions, "png,json").unwrap();
    let mut league = League::create(&data, &settings).unwrap();
    let made = league.settings().unwrap();
    let shown: Vec<_> = Setting::all().map(|setting| made.value(setting)).collect();
    assert_eq!(shown[1..5], ["livery", "established", "json,png", "owner"]);
    let again = League::create(&data, &Settings::default());
    assert!(matches!(again, Err(LeagueError::Exists { .. })), "{again:?}");
    assert_eq!(league.settings().unwrap(), made);
    let used = root.path().join("used");
    fs::create_dir(&used).unwrap();
    let _server = crate::store::lock::take(&used).unwrap().unwrap();
    let busy = League::create(&used, &settings);
    assert!(matches!(busy, Err(LeagueError::Database(DatabaseError::Busy { .. }))), "{busy:?}");
}

#[test]
fn a_folder_without_a_league_is_named() {
    let data = tempfile::tempdir().unwrap();
    let missing = League::open(data.path()).unwrap_err();
    assert!(missing.to_string().contains("there is no league in"), "{missing}");
    assert!(fs::read_dir(data.path()).unwrap().next().is_none());
}

fn reported(number: u8, entries: &[Entry]) -> Record {
    let (lost, gained) = (Vec::new(), entries.to_vec());
    Record::Reported { member: author(number), complete: true, lost, gained }
}

fn seen(number: u8) -> Record {
    Record::Seen { member: author(number), name: format!("Driver {number}") }
}

/// Makes a member the first one of the league.
fn set_first_seen(data: &TempDir, number: u8, date: &str) {
    let database = rusqlite::Connection::open(data.path().join("league.db")).unwrap();
    let author = author(number).to_string();
    let (row, name, last): (i64, String, String) = database
        .query_row(
            "SELECT number, name, last_seen FROM members WHERE author = ?",
            [&author],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .unwrap();
    let written = format!("{row}\n{author}\n{name}\n{date}\n{last}\n");
    let checksum = ContentHash::of(written.as_bytes()).short();
    let set = "UPDATE members SET first_seen = ?, checksum = ? WHERE author = ?";
    assert_eq!(database.execute(set, [date, &checksum, &author]).unwrap(), 1);
}

/// Makes every row about names unreadable.
fn garble_versions(data: &TempDir) {
    let database = rusqlite::Connection::open(data.path().join("league.db")).unwrap();
    database.execute("UPDATE versions SET checksum = 'garbled'", []).unwrap();
}

#[test]
fn a_union_of_which_nothing_can_be_read_comes_back_from_the_members() {
    let path = "Team/decals.png";
    let records = [
        placed(1, path, "late", Cause::Published),
        seen(1),
        seen(2),
        reported(1, &[entry(path, "late"), entry("Both/decals.png", "same")]),
        reported(2, &[entry(path, "early"), entry("Both/decals.png", "same")]),
    ];
    let data = league(&records, &["late"]);
    set_first_seen(&data, 2, "2020-01-01T00:00:00Z");
    garble_versions(&data);
    assert!(Sqlite::open(data.path()).is_err());

    let rebuilt = rebuild(data.path()).unwrap();
    assert_eq!((rebuilt.from_reports, rebuilt.files), (3, 3));
    assert_eq!((rebuilt.salvaged.versions, rebuilt.salvaged.reports), (0, 4));
    assert!(!rebuilt.salvaged.whole && rebuilt.salvaged.set_aside[0].exists());

    let union = open(&data).union().unwrap();
    let contents: Vec<_> =
        union.iter().map(|entry| (entry.path.as_str().to_owned(), entry.content)).collect();
    let expected = [
        ("Both/decals.png".to_owned(), Content::of(b"same")),
        (path.to_owned(), Content::of(b"early")),
        (copy_name(path, "late"), Content::of(b"late")),
    ];
    assert_eq!(contents, expected, "who was here first keeps the name");
    assert!(union.is_verified(Content::of(b"late")), "the store has it");
    assert!(!union.is_verified(Content::of(b"early")), "nobody has ever seen it");

    let again = rebuild(data.path()).unwrap();
    assert_eq!((again.from_reports, again.files), (0, 3));
    assert!(again.salvaged.whole);
}

#[test]
fn what_can_be_read_of_a_union_is_not_mixed_with_reports() {
    let kept = placed(1, "Team/decals.png", "paint", Cause::Published);
    let data = league(&[kept, reported(1, &[entry("Gone/decals.png", "gone")])], &[]);
    let rebuilt = rebuild(data.path()).unwrap();
    assert_eq!((rebuilt.from_reports, rebuilt.files), (0, 1));
}

#[test]
fn a_league_in_use_is_not_rebuilt() {
    let data = four();
    let _served = lock(&data);
    let busy = rebuild(data.path()).unwrap_err();
    assert!(busy.to_string().contains("a liverysync server uses"), "{busy}");
}

#[test]
fn liveries_are_chosen_by_name_by_pattern_and_by_member() {
    let by = |step, number: u8, path: &str| Record::Placed {
        step,
        entry: entry(path, path),
        author: Some(author(number)),
        cause: Cause::Published,
    };
    let copy = copy_name("S3 Red/decals.png", "rival");
    let mut rival = placed(3, &copy, "rival", Cause::Conflict);
    let Record::Placed { author: by_whom, .. } = &mut rival else { unreachable!() };
    *by_whom = Some(author(2));
    let owned = |livery: &str, owners: &[u8]| Record::Owned {
        livery: livery.to_owned(),
        owners: owners.iter().map(|number| author(*number)).collect(),
        presumed: false,
    };
    let records = [
        by(1, 1, "S3 Red/decals.png"),
        by(1, 2, "S3 Blue/decals.png"),
        by(1, 2, "Nobody's/decals.png"),
        by(1, 1, "Shared/decals.png"),
        by(2, 2, "Shared/sponsors.png"),
        owned("S3 Red", &[1]),
        owned("S3 Blue", &[2]),
        rival,
    ];
    let data = league(&records, &[]);
    let union = open(&data).union().unwrap();
    let chosen = |globs: &[&str], from: Option<u8>| {
        let globs: Vec<_> = globs.iter().map(|glob| (*glob).to_owned()).collect();
        let chosen = union.select(&globs, from.map(author));
        chosen.map(|chosen| chosen.into_keys().collect::<Vec<_>>())
    };
    assert_eq!(chosen(&["s3 *"], None).unwrap(), ["S3 Blue", "S3 Red"]);
    assert_eq!(chosen(&["shared/SPONSORS.png"], None).unwrap(), ["Shared/sponsors.png"]);
    assert_eq!(chosen(&[], Some(2)).unwrap(), ["Nobody's", "S3 Blue", &copy]);
    assert_eq!(chosen(&["S3 *"], Some(2)).unwrap(), ["S3 Blue", &copy]);
    assert_eq!(chosen(&[], Some(1)).unwrap(), ["S3 Red"]);
    let owners = union.select(&["S3 Red".to_owned()], None).unwrap();
    assert!(owners.into_values().eq([[author(1)].into()]));
    let nothing = chosen(&["S4*"], None).unwrap_err();
    assert_eq!(nothing, ActError::NoLivery { livery: "S4*".to_owned() });
    let nothing = chosen(&[], Some(3)).unwrap_err();
    assert_eq!(nothing, ActError::OwnsNothing { member: author(3) });
}

#[test]
fn more_than_ten_liveries_need_a_confirmation_in_a_league_of_any_size() {
    let records: Vec<_> = (0..60)
        .map(|number| placed(1, &format!("{number:02}/decals.png"), "paint", Cause::Published))
        .collect();
    let data = league(&records, &[]);
    let retire = |liveries: std::ops::Range<u8>| {
        let liveries = liveries.map(|number| format!("{number:02}")).collect();
        open(&data).act(&Act::Retire { liveries, confirmed: false }, PATIENCE)
    };
    let refused = retire(0..11).unwrap_err();
    let unconfirmed = ActError::Unconfirmed { retired: 11, all: 60 };
    assert!(matches!(&refused, LeagueError::Refused(error) if *error == unconfirmed), "{refused}");
    assert_eq!(retire(0..10).unwrap().report.retired, 10);
}

#[test]
fn in_a_small_league_five_liveries_need_a_confirmation_if_they_are_a_third_of_it() {
    for (all, retired, is_refused) in [(3, 1, false), (4, 4, false), (12, 5, true), (20, 5, false)]
    {
        let names: Vec<_> = (0..all).map(|number| format!("{number:02}")).collect();
        let records = names
            .iter()
            .map(|livery| placed(1, &format!("{livery}/decals.png"), "paint", Cause::Published));
        let data = league(&records.collect::<Vec<_>>(), &[]);
        let retire = Act::Retire { liveries: names[..retired].to_vec(), confirmed: false };
        let outcome = open(&data).act(&retire, PATIENCE);
        assert_eq!(outcome.is_err(), is_refused, "{retired} of {all}");
    }
}

#[test]
fn without_a_server_bans_and_blocks_last_and_the_store_loses_what_is_blocked() {
    let data = four();
    let content = "TEAM/decals.png".to_owned();
    let acted = open(&data).act(&Act::Block { content }, PATIENCE).unwrap();
    assert_eq!(acted.report, ActReport::new(0, 1));
    open(&data).act(&Act::Ban { member: author(1) }, PATIENCE).unwrap();
    let status = open(&data).status().unwrap();
    let blocked = ContentHash::of(b"new paint");
    assert_eq!((status.banned, status.blocked), (1, vec![blocked]));
    assert!(open(&data).members().unwrap()[0].banned);
    let name = blocked.to_string();
    assert!(!data.path().join("blobs").join(&name[..2]).join(&name).exists());
    assert!(open(&data).union().unwrap().is_banned(author(1)));
    let unblock = Act::Unblock { content: name[..8].to_owned() };
    open(&data).act(&unblock, PATIENCE).unwrap();
    open(&data).act(&Act::Unban { member: author(1) }, PATIENCE).unwrap();
    let status = open(&data).status().unwrap();
    assert_eq!((status.banned, status.blocked), (0, vec![]));
}

#[test]
fn a_limit_is_a_setting_that_lasts() {
    let data = four();
    let set = |value: &str| {
        let setting = Setting::MaxLiveriesPerMember;
        open(&data).act(&Act::Set { setting, value: value.to_owned() }, PATIENCE)
    };
    set("20").unwrap();
    assert_eq!(open(&data).settings().unwrap().value(Setting::MaxLiveriesPerMember), "20");
    assert!(set("0").is_err(), "0 never means unlimited");
    set("none").unwrap();
    assert_eq!(open(&data).settings().unwrap().value(Setting::MaxLiveriesPerMember), "none");
}
