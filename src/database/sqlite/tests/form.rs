//! Files of other forms.

use super::*;

const FORM_1: &str = include_str!("form1.sql");
const FORM_2: &str = include_str!("form2.sql");
const FORM_3: &str = include_str!("form3.sql");

fn fixture() -> (TempDir, PathBuf) {
    let data = folder();
    let path = data.path().join(NAME);
    Connection::open(&path).unwrap().execute_batch(FORM_1).unwrap();
    (data, path)
}

fn remembered() -> Vec<Record> {
    let content = Content::of(b"red");
    vec![
        placed(1, "Équipe/decals.png", b"red"),
        Record::Declined { step: 2, path: path("équipe/decals.png"), content: Content::of(b"x") },
        Record::Retired { step: 3, path: path("Équipe/decals.png") },
        Record::Verified(content),
        Record::Owned {
            livery: "Équipe".to_owned(),
            owners: vec![author(7), author(8)],
            presumed: false,
        },
        Record::Owned { livery: "Nobody's".to_owned(), owners: Vec::new(), presumed: false },
        Record::Seen { member: author(7), name: "Ayrton".to_owned() },
        Record::Met { member: author(7), livery: "équipe".to_owned() },
    ]
}

#[test]
fn a_file_of_the_first_form_is_read() {
    let (data, _) = fixture();
    let mut database = Sqlite::open(data.path()).unwrap();
    assert_eq!(database.records().unwrap(), remembered());
    let reports = BTreeMap::from([(author(7), vec![entry("Équipe/decals.png", b"red")])]);
    assert_eq!(database.reports().unwrap(), reports);
    assert_eq!(database.members().unwrap()[0].first_seen, "2026-03-09T18:30:00Z");
}

#[test]
fn a_file_of_the_second_form_is_read_and_holds_nothing() {
    let (data, path) = fixture();
    Connection::open(&path).unwrap().execute_batch(FORM_2).unwrap();
    let mut database = Sqlite::open(data.path()).unwrap();
    let setting = liverysync_core::league::Setting::Updates;
    let set = Record::Set { setting, value: "owner".to_owned() };
    assert_eq!(database.records().unwrap(), [vec![set], remembered()].concat());
    let held = held("Équipe", Some(author(7)), &["Équipe/b.json", "équipe/decals.png"]);
    database.write(std::slice::from_ref(&held)).unwrap();
    assert_eq!(database.held_since().unwrap().len(), 1);
    drop(database);
    assert_eq!(rebuild(data.path()).unwrap().held, 2);
    let records = Sqlite::open(data.path()).unwrap().records().unwrap();
    assert!(records.contains(&held), "{records:?}");
}

#[test]
fn a_file_of_the_third_form_is_read_and_bans_nobody() {
    let (data, path) = fixture();
    Connection::open(&path).unwrap().execute_batch(&[FORM_2, FORM_3].concat()).unwrap();
    let mut database = Sqlite::open(data.path()).unwrap();
    let held = held("Équipe", Some(author(7)), &["Équipe/decals.png"]);
    let before = database.records().unwrap();
    assert!(before.contains(&held), "{before:?}");
    assert_eq!(
        database.held_since().unwrap().into_values().next().unwrap(),
        "2026-09-09T18:30:00Z"
    );
    assert!(!database.members().unwrap()[0].banned);
    let banned = Record::Banned { member: author(7), banned: true };
    let blocked = Record::Blocked { hash: ContentHash::of(b"red"), blocked: true };
    let facts = ContentFacts { png: Some(Damage::NoEnd), json: None, pixels: Some((64, 32)) };
    let inspected = Record::Inspected { content: Content::of(b"red"), facts };
    database.write(&[banned.clone(), blocked.clone(), inspected.clone()]).unwrap();
    drop(database);
    let summary = rebuild(data.path()).unwrap();
    assert_eq!((summary.bans, summary.blocks, summary.held), (1, 1, 1));
    assert_eq!(summary.inspections, 1);
    let mut database = Sqlite::open(data.path()).unwrap();
    assert!(database.members().unwrap()[0].banned);
    let records = database.records().unwrap();
    assert!(records.contains(&banned) && records.contains(&blocked), "{records:?}");
    assert!(records.contains(&inspected), "{records:?}");
}

#[test]
fn a_file_of_an_older_form_is_brought_up_to_date_once() {
    let (data, path) = fixture();
    let later = ["ALTER TABLE members ADD COLUMN note TEXT", "CREATE TABLE more (a)"];
    let steps = [STEPS, &later[..]].concat();
    for _ in 0..2 {
        let connection = open(&path, &steps).unwrap();
        connection.execute("INSERT INTO more SELECT note FROM members", []).unwrap();
        let forms: i64 =
            connection.query_row("SELECT count(*) FROM migrations", [], |row| row.get(0)).unwrap();
        assert_eq!(forms, steps.len() as i64);
    }
    // For this program it now comes from a newer one.
    let error = Sqlite::open(data.path()).unwrap_err();
    assert!(matches!(error, DatabaseError::Newer { found: 6, known: 4, .. }), "{error:?}");
    let error = error.to_string();
    assert!(error.contains("form 6") && error.contains("up to 4"), "{error}");
}

#[test]
fn a_step_that_fails_leaves_the_form_as_it_was() {
    let (data, path) = fixture();
    let steps = [STEPS[0], "CREATE TABLE more (a); CREATE TABLE members (a)"];
    assert!(open(&path, &steps).is_err());
    assert_eq!(Sqlite::open(data.path()).unwrap().records().unwrap(), remembered());
}

#[test]
fn beside_a_server_nothing_is_brought_up_to_date() {
    let (data, path) = fixture();
    let refusal = attach(&path, STEPS).unwrap_err();
    assert!(matches!(refusal, Refusal::Older { found: 1, known: 4 }), "{refusal:?}");
    Sqlite::open(data.path()).unwrap();
    assert!(Sqlite::attach(data.path()).is_ok());
    let empty = folder();
    assert!(matches!(Sqlite::attach(empty.path()), Err(DatabaseError::Missing { .. })));
    assert!(!empty.path().join(NAME).exists());
}

#[test]
fn other_databases_are_not_taken_for_a_league_database() {
    let data = folder();
    let other = Connection::open(data.path().join(NAME)).unwrap();
    other.execute_batch("CREATE TABLE versions (a)").unwrap();
    drop(other);
    let error = Sqlite::open(data.path()).unwrap_err();
    assert!(
        matches!(&error, DatabaseError::Damaged { source, .. } if source.to_string().contains("not marked"))
    );
}

#[test]
fn what_others_add_for_themselves_does_no_harm() {
    let (data, path) = fixture();
    let other = Connection::open(path).unwrap();
    other.execute_batch("CREATE VIEW mine AS SELECT * FROM union_now").unwrap();
    drop(other);
    assert_eq!(Sqlite::open(data.path()).unwrap().records().unwrap(), remembered());
}

#[test]
fn a_setting_is_remembered_with_what_it_was_before() {
    let (data, _) = fixture();
    let mut database = Sqlite::open(data.path()).unwrap();
    let set = |value: &str| Record::Set {
        setting: liverysync_core::league::Setting::ConflictSuffix,
        value: value.to_owned(),
    };
    database.write(&[set("__A__"), set("__B__")]).unwrap();
    drop(database);
    let mut database = Sqlite::open(data.path()).unwrap();
    let expected = [vec![set("__A__"), set("__B__")], remembered()].concat();
    assert_eq!(database.records().unwrap(), expected);
    drop(database);
    assert_eq!(rebuild(data.path()).unwrap().settings, 2);
    assert_eq!(Sqlite::open(data.path()).unwrap().records().unwrap(), expected);
}

#[test]
fn a_key_of_another_rule_is_recomputed() {
    let (data, path) = fixture();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("UPDATE versions SET key = 'old ' || number").unwrap();
    drop(other);
    let mut database = Sqlite::open(data.path()).unwrap();
    assert_eq!(database.records().unwrap(), remembered());
    database.write(&[Record::Forgotten { path: super::path("ÉQUIPE/DECALS.PNG") }]).unwrap();
    assert_eq!(database.records().unwrap(), remembered()[3..]);
}

#[test]
fn an_invalid_name_is_reported() {
    let (data, path) = fixture();
    let other = Connection::open(path).unwrap();
    let row: Vec<Value> =
        vec!["CON/x.png".to_owned().into(), 4.into(), Value::Null, Value::Null, Value::Null];
    let rest: Vec<Value> =
        vec![Value::Null, "retired".to_owned().into(), "2026-03-09T18:30:00Z".to_owned().into()];
    Table::Versions.put(&other, &[row, rest].concat()).unwrap();
    drop(other);
    let error = Sqlite::open(data.path()).unwrap().records().unwrap_err();
    assert!(
        matches!(&error, DatabaseError::Name { name, table: "versions", .. } if name == "CON/x.png")
    );
    let summary = rebuild(data.path()).unwrap();
    assert_eq!((summary.versions, summary.whole), (3, false));
    assert_eq!(Sqlite::open(data.path()).unwrap().records().unwrap(), remembered());
}

#[test]
fn the_view_shows_what_a_name_has_now() {
    let data = folder();
    let mut database = Sqlite::open(data.path()).unwrap();
    let turned_down =
        Record::Declined { step: 4, path: path("b.png"), content: Content::of(b"no") };
    let retired = Record::Retired { step: 3, path: path("A.PNG") };
    let records = [placed(1, "a.png", b"1"), placed(1, "b.png", b"2"), placed(2, "B.png", b"3")];
    database.write(&records).unwrap();
    database.write(&[retired, turned_down]).unwrap();
    let now: (String, String) = database
        .connection
        .query_row("SELECT path, sha256 FROM union_now", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert_eq!(now, ("B.png".to_owned(), ContentHash::of(b"3").to_string()));
}
