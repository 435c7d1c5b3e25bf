//! Several who use one database, and a server that is killed.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
};

use super::*;

fn act(livery: &str) -> Act {
    Act::Restore { livery: livery.to_owned(), version: None }
}

#[test]
fn an_act_is_asked_for_beside_a_server_and_answered_by_it() {
    let data = folder();
    let mut server = Sqlite::open(data.path()).unwrap();
    let mut admin = Sqlite::attach(data.path()).unwrap();
    assert_eq!(server.pending().unwrap(), []);
    let ids = ["One", "Two", "Three"].map(|livery| admin.ask(&act(livery)).unwrap());
    let asked = server.pending().unwrap();
    assert_eq!(asked, [(ids[0], act("One")), (ids[1], act("Two")), (ids[2], act("Three"))]);
    assert!(admin.withdraw(ids[2]).unwrap());
    assert_eq!(admin.answer_to(ids[0]).unwrap(), None);

    let report = ActReport::new(3, 1);
    server.commit(&[], &[(ids[0], Ok(report.clone()))]).unwrap();
    server.commit(&[], &[(ids[1], Err(ActError::NoLivery { livery: "Two".to_owned() }))]).unwrap();
    assert_eq!(server.pending().unwrap(), []);
    assert_eq!(admin.answer_to(ids[0]).unwrap(), Some(Ok(report.clone())));
    let refused = Err(ActError::NoLivery { livery: "Two".to_owned() });
    assert_eq!(admin.answer_to(ids[1]).unwrap(), Some(refused));
    assert!(!admin.withdraw(ids[1]).unwrap());

    // An answer is final, and none comes to what was withdrawn.
    server.commit(&[], &[(ids[0], Err(ActError::Unsupported))]).unwrap();
    server.commit(&[], &[(ids[2], Ok(ActReport::default()))]).unwrap();
    assert_eq!(admin.answer_to(ids[0]).unwrap(), Some(Ok(report)));
    assert_eq!(admin.answer_to(ids[2]).unwrap(), None);
}

#[test]
fn an_act_is_answered_only_with_what_it_did() {
    let data = folder();
    let mut database = Sqlite::open(data.path()).unwrap();
    let id = database.ask(&act("One")).unwrap();
    let answer = [(id, Ok(ActReport::new(1, 0)))];
    database.commit(&[placed(u64::MAX, "a.png", b"1")], &answer).unwrap_err();
    assert_eq!(database.answer_to(id).unwrap(), None);
    assert_eq!(database.pending().unwrap(), [(id, act("One"))]);
    database.commit(&[placed(1, "a.png", b"1")], &answer).unwrap();
    assert!(database.answer_to(id).unwrap().is_some());
    assert_eq!(database.records().unwrap().len(), 1);
}

#[test]
fn old_answers_go_and_no_number_comes_again() {
    let data = folder();
    let mut database = Sqlite::open(data.path()).unwrap();
    let waiting = database.ask(&act("waits")).unwrap();
    let first = database.ask(&act("first")).unwrap();
    database.commit(&[], &[(first, Ok(ActReport::default()))]).unwrap();
    for _ in 0..ANSWERS_MAX {
        let id = database.ask(&act("next")).unwrap();
        assert!(id > first);
        database.commit(&[], &[(id, Ok(ActReport::default()))]).unwrap();
    }
    assert_eq!(database.answer_to(first).unwrap(), None);
    assert_eq!(database.pending().unwrap(), [(waiting, act("waits"))]);
    assert!(database.withdraw(waiting).unwrap());
    let last = database.ask(&act("last")).unwrap();
    assert!(database.withdraw(last).unwrap());
    assert!(database.ask(&act("after it")).unwrap() > last);
}

#[test]
fn an_unreadable_act_is_refused_and_blocks_nothing() {
    let data = folder();
    let mut database = Sqlite::open(data.path()).unwrap();
    let (garbled, strange) = (database.ask(&act("a")).unwrap(), database.ask(&act("b")).unwrap());
    let sound = database.ask(&act("c")).unwrap();
    let set = "UPDATE acts SET act = ?, checksum = ? WHERE number = ?";
    let unknown = r#"{"act":"paint","livery":"b"}"#.to_owned();
    let written = ContentHash::of(unknown.as_bytes()).short();
    database.connection.execute(set, params![unknown, "00000000", garbled.0]).unwrap();
    database.connection.execute(set, params![unknown, written, strange.0]).unwrap();
    assert_eq!(database.pending().unwrap(), [(sound, act("c"))]);
    for id in [garbled, strange] {
        assert_eq!(database.answer_to(id).unwrap(), Some(Err(ActError::Unsupported)));
    }
}

#[test]
fn a_refusal_in_the_words_of_an_earlier_server_is_read() {
    let data = folder();
    let mut database = Sqlite::open(data.path()).unwrap();
    let id = database.ask(&act("One")).unwrap();
    let set = "UPDATE acts SET answered_at = '2026-03-09T18:30:00Z', refused = ? WHERE number = ?";
    database.connection.execute(set, params!["the league has no livery \"One\"", id.0]).unwrap();
    assert_eq!(database.answer_to(id).unwrap(), Some(Err(ActError::Unsupported)));
}

#[test]
fn a_reader_sees_whole_writes_and_waits_for_nobody() {
    let data = folder();
    let mut server = Sqlite::open(data.path()).unwrap();
    let mut admin = Sqlite::attach(data.path()).unwrap();
    server.write(&[placed(1, "a.png", b"1")]).unwrap();
    let transaction = server.connection.transaction().unwrap();
    record::write(&transaction, "2026-03-09T18:30:00Z", &placed(2, "b.png", b"2")).unwrap();
    assert_eq!(admin.records().unwrap(), [placed(1, "a.png", b"1")]);
    transaction.commit().unwrap();
    assert_eq!(admin.records().unwrap().len(), 2);
}

#[test]
fn a_program_that_locks_the_database_for_too_long_is_reported() {
    let data = folder();
    let mut server = Sqlite::open(data.path()).unwrap();
    server.connection.busy_timeout(Duration::ZERO).unwrap();
    let other = Sqlite::attach(data.path()).unwrap();
    other.connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = server.write(&[placed(1, "a.png", b"1")]).unwrap_err();
    assert!(matches!(error, DatabaseError::Locked { .. }), "{error:?}");
    other.connection.execute_batch("ROLLBACK").unwrap();
    server.write(&[placed(1, "a.png", b"1")]).unwrap();
}

#[test]
fn a_full_disk_leaves_what_was_there() {
    let data = folder();
    let mut database = Sqlite::open(data.path()).unwrap();
    database.write(&[placed(1, "a.png", b"1")]).unwrap();
    let pages: i64 =
        database.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    // The database says the same when it may not grow as when the disk is full.
    database.connection.pragma_update(None, "max_page_count", pages).unwrap();
    let many: Vec<_> = (2..500).map(|step| placed(step, "a.png", b"2")).collect();
    let error = database.write(&many).unwrap_err();
    assert!(matches!(error, DatabaseError::Full { .. }), "{error:?}");
    assert_eq!(database.records().unwrap(), [placed(1, "a.png", b"1")]);
}

#[test]
fn a_read_only_database_is_reported() {
    let data = folder();
    let mut database = Sqlite::open(data.path()).unwrap();
    database.connection.pragma_update(None, "query_only", true).unwrap();
    let error = database.write(&[placed(1, "a.png", b"1")]).unwrap_err();
    assert!(matches!(error, DatabaseError::ReadOnly { .. }), "{error:?}");
}

/// Variable that names the folder of the program to be killed.
const FOLDER: &str = "LIVERYSYNC_TEST_LEDGER";

/// Names of one transaction.
const BATCH: usize = 7;

fn batch(step: u64) -> Vec<Record> {
    (0..BATCH).map(|at| placed(step, &format!("{step}/{at}.png"), b"x")).collect()
}

/// Not a test of its own: the program that the next one kills.
#[test]
fn writes_until_it_is_killed() {
    let Some(data) = std::env::var_os(FOLDER) else { return };
    let mut database = Sqlite::open(Path::new(&data)).unwrap();
    let last = database.dates().unwrap().into_keys().next_back().unwrap_or(0);
    for step in last + 1.. {
        database.write(&batch(step)).unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nwritten {step}").unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn what_a_killed_server_said_it_wrote_is_there_and_each_write_is_whole() {
    let data = folder();
    let name = "database::sqlite::tests::side::writes_until_it_is_killed";
    let mut said = 0;
    for lines in [1, 2, 30, 300, 17] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(FOLDER, data.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut written = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("written ")?.parse::<u64>().ok());
        for _ in 0..lines {
            said = written.next().unwrap();
        }
        child.kill().unwrap();
        // It went on until then.
        said = written.last().unwrap_or(said);
        child.wait().unwrap();

        let mut database = Sqlite::open(data.path()).unwrap();
        let records = database.records().unwrap();
        assert!(records.len() >= said as usize * BATCH, "{said} were written");
        for (step, records) in (1..).zip(records.chunks(BATCH)) {
            assert_eq!(records, batch(step));
        }
    }
    assert!(said >= 350);
}
