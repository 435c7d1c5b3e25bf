//! The lists of messages, which end at their limits.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use liverysync_core::wire::messages::Message;

const FILE: &str = r#"{"rel_path":"","size":0,"sha256":""}"#;
const REQUEST: &str = r#"{"rel_path":"","size":0,"sha256":"","transfer":1}"#;
const RESUME: &str = r#"{"transfer":1}"#;
const NAME: &str = r#""""#;
const HELD: &str = r#"{"livery":"","cause":"approval"}"#;
const DAMAGED: &str = r#"{"rel_path":"","damage":""}"#;
const NOTICE: &str = r#"{"livery":"","news":"owned"}"#;
const OWNED: &str = r#"{"rel_path":""}"#;
const CONFLICT: &str = r#"{"rel_path":"","copies":[]}"#;
const RETIRED: &str = r#"{"rel_path":"","contents":[]}"#;
const RULES: &str = r#"{"type":"SERVER_STATE","lint_rules":{"#;

/// Returns a message with a list of `count` entries, and `end` after the last one. `around` has `*` in place of them.
fn message(around: &str, entry: &str, count: usize, end: &str) -> String {
    let list = vec![entry; count].join(",");
    around.replacen('*', &format!("{list}{end}"), 1)
}

/// Checks that a list of `most` entries is taken, and that nothing is read of a longer one beyond the next entry.
#[track_caller]
fn check_refused(around: &str, entry: &str, most: usize) {
    Message::decode(message(around, entry, most, "").as_bytes()).unwrap();
    // The rest is no JSON. A reader that went on would say so.
    let error = Message::decode(message(around, entry, most + 1, ",?").as_bytes()).unwrap_err();
    let reason = std::error::Error::source(&error).unwrap().to_string();
    assert!(reason.contains(&format!("a list has over {most} entries")), "{around}: {reason}");
}

/// Checks that a list of more than `most` entries is the same as one of `most`.
#[track_caller]
fn check_cut(around: &str, entry: &str, most: usize) {
    let read = |count| Message::decode(message(around, entry, count, "").as_bytes()).unwrap();
    assert!(read(most) == read(most + 7), "{around}");
    assert!(read(most) != read(most - 1), "{around}");
}

#[test]
fn a_list_of_files_is_refused_beyond_a_hundred_thousand() {
    for (around, entry) in [
        (r#"{"type":"MANIFEST_FULL","manifest":[*]}"#, FILE),
        (r#"{"type":"MANIFEST_CHANGES","revision":1,"removed":[],"changed":[*]}"#, FILE),
        (r#"{"type":"MANIFEST_CHANGES","revision":1,"changed":[],"removed":[*]}"#, NAME),
        (r#"{"type":"MANIFEST_FULL","manifest":[],"remarks":{"allowed":[*]}}"#, NAME),
        (r#"{"type":"RETIRE","files":[*]}"#, FILE),
        (r#"{"type":"SERVER_STATE","outdated":[*]}"#, NAME),
        // The type need not be first.
        (r#"{"manifest":[*],"type":"MANIFEST_FULL"}"#, FILE),
    ] {
        let most = 100_000;
        if around.starts_with(r#"{"type""#) {
            check_refused(around, entry, most);
        }
        assert!(Message::decode(message(around, entry, most + 1, "").as_bytes()).is_err());
    }
}

#[test]
fn a_session_has_at_most_a_thousand_files() {
    for (around, entry) in [
        (r#"{"type":"SYNC_OFFER","sync_id":"s","role":"TARGET","files":[*]}"#, FILE),
        (r#"{"type":"SEND_FILES","sync_id":"s","files":[*]}"#, REQUEST),
        (r#"{"type":"SEND_FILES","sync_id":"s","paths":[*]}"#, NAME),
        (r#"{"type":"ACCEPT","sync_id":"s","files":[*]}"#, RESUME),
        (r#"{"type":"SYNC_DONE","sync_id":"s","installed":[*]}"#, NAME),
    ] {
        check_refused(around, entry, 1_000);
    }
}

#[test]
fn a_list_of_rules_is_refused_when_no_league_has_as_many() {
    check_refused(&format!(r#"{RULES}"picture-sides":[*]}}}}"#), "2048", 10_000);
    check_refused(&format!(r#"{RULES}"names":[*]}}}}"#), r#""a""#, 10_000);
    check_refused(&format!(r#"{RULES}"files":[*]}}}}"#), r#""a""#, 10_000);
    let suffixes = r#"{"type":"SERVER_STATE","naming":{"suffix":"_","former_suffixes":[*]}}"#;
    check_refused(suffixes, NAME, 1_000);
}

#[test]
fn what_is_only_for_people_is_cut_off() {
    for (field, entry, most) in [
        ("held", HELD, 1_000),
        ("damaged", DAMAGED, 1_000),
        ("unavailable", NAME, 100_000),
        ("conflicts", CONFLICT, 100_000),
        ("retired", RETIRED, 100_000),
    ] {
        let remarks = format!(r#"{{"{field}":[*]}}"#);
        let around = format!(r#"{{"type":"MANIFEST_FULL","manifest":[],"remarks":{remarks}}}"#);
        check_cut(&around, entry, most);
    }
    for (field, entry) in [("blocked", NAME), ("respelled", NAME), ("held", HELD)] {
        check_cut(&format!(r#"{{"type":"SERVER_STATE","{field}":[*]}}"#), entry, 1_000);
    }
    for (field, list, entry) in [("conflicts", "copies", OWNED), ("retired", "contents", NAME)] {
        let remarks = format!(r#"{{"{field}":[{{"rel_path":"","{list}":[*]}}]}}"#);
        let around = format!(r#"{{"type":"MANIFEST_FULL","manifest":[],"remarks":{remarks}}}"#);
        check_cut(&around, entry, 100);
    }
    check_cut(r#"{"type":"NOTICES","notices":[*]}"#, NOTICE, 100);
    check_cut(r#"{"type":"HELLO","former_keys":[*]}"#, NAME, 16);
}

#[test]
fn an_act_is_short() {
    let around = r#"{"type":"ACT","act":"retire","confirmed":false,"liveries":[*]}"#;
    assert!(Message::decode(message(around, NAME, 20_000, "").as_bytes()).is_ok());
    assert!(Message::decode(message(around, NAME, 25_000, "").as_bytes()).is_err());
    let around = r#"{"type":"ACTED","placed":0,"retired":0,"later":[*]}"#;
    assert!(Message::decode(message(around, NAME, 20_000, "").as_bytes()).is_ok());
    assert!(Message::decode(message(around, NAME, 25_000, "").as_bytes()).is_err());
}

#[test]
fn a_message_has_its_type_once_and_anywhere() {
    for payload in [
        r#"{"type":"FILE_END","sync_id":"s","rel_path":"a"}"#,
        r#"{"sync_id":"s","type":"FILE_END","rel_path":"a"}"#,
        r#"{"sync_id":"s","rel_path":"a","later":[{"type":1}],"ty\u0070e":"FILE_END"}"#,
    ] {
        assert!(
            matches!(Message::decode(payload.as_bytes()), Ok(Message::FileEnd(_))),
            "{payload}"
        );
    }
    for payload in [
        r#"{"type":"PING","type":"PING"}"#,
        r#"{"later":1,"type":"PING","type":"PONG"}"#,
        r#"{"type":"PING"}{"#,
        r#"{"later":1,"type":"PING"}{"#,
    ] {
        assert!(Message::decode(payload.as_bytes()).is_err(), "{payload}");
    }
}
