//! The memory of a server for a league of 1,000 PCs with the same 3,000 files, and of hostile messages.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::collections::BTreeSet;

use liverysync_core::{
    conflict::{Naming, Policy},
    hash::Content,
    manifest::{Entry, Manifest},
    path::{Extensions, PathKey, RelPath},
    time::UnixTime,
    union::{Change, PeerId, Union},
    wire::Message,
};

const MEMBERS: u64 = 1_000;
const FILES: usize = 3_000;
/// Returns the most memory that this process has had, in megabytes.
#[expect(clippy::disallowed_methods, reason = "only the system knows")]
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1_000
}

/// Returns the list of a PC. It shares no memory with the list of another one.
fn list(mtime: i64) -> Manifest {
    let mut manifest = Manifest::new();
    for number in 0..FILES {
        let name = ["decals.png", "decals.json", "sponsors.png", "sponsors.json"][number % 4];
        let path = format!("#{}_Équipe {}/{name}", number / 4, number % 7);
        let path = RelPath::parse(&path, &Extensions::default()).unwrap();
        let content = Content::of(&number.to_le_bytes());
        let mtime = Some(UnixTime::from_nanos(mtime));
        manifest.insert(Entry { path, content, mtime }).unwrap();
    }
    manifest
}

/// Returns the data that a server keeps of its peers: the union, and the files that each has and lacks.
fn league(mtime: impl Fn(u64) -> i64) -> (Union, Vec<(Manifest, BTreeSet<PathKey>)>) {
    let mut union = Union::new(Policy::Established, Naming::default());
    let members = (0..MEMBERS).map(|member| {
        let mut manifest = list(mtime(member));
        let change = Change::between(PeerId(member), member, &Manifest::new(), &manifest);
        let _outcome = union.step(vec![change]);
        union.share(&mut manifest);
        (manifest, BTreeSet::new())
    });
    let members = members.collect();
    (union, members)
}

// Measured: 85 and 366 MB.
#[test]
#[ignore = "half a minute, optimised: cargo test --release -p liverysync-core --test memory -- --ignored"]
fn a_thousand_pcs_with_the_same_files_share_memory() {
    let before = peak();
    drop(league(|_| 0));
    let same = peak() - before;
    // No two PCs date a file alike: names are still shared, entries are not.
    drop(league(|member| i64::try_from(member).unwrap()));
    let own_dates = peak() - before;
    println!("{same} MB, and {own_dates} MB with dates of their own");
    assert!(same < 150, "{same} MB");
    assert!(own_dates < 400, "{own_dates} MB");
}

/// Returns a message with as many of one entry as fit into its 16 MiB.
fn full_of(before: &str, entry: &str, after: &str) -> String {
    let room = Message::BYTES_MAX - before.len() - after.len();
    let entries = format!("{entry},").repeat(room / (entry.len() + 1));
    format!("{before}{}{after}", entries.trim_end_matches(','))
}

// Measured: under 20 MB; 130 and 175 MB without a limit of lists, and with fields that are kept until the type is known.
#[test]
fn a_hostile_message_takes_little_memory() {
    let file = r#"{"rel_path":"","size":0,"sha256":""}"#;
    let name = r#""""#;
    let messages = [
        full_of(r#"{"type":"MANIFEST_FULL","manifest":["#, file, "]}"),
        full_of(r#"{"type":"MANIFEST_CHANGES","revision":1,"changed":[],"removed":["#, name, "]}"),
        full_of(r#"{"type":"SYNC_OFFER","sync_id":"","role":"TARGET","files":["#, file, "]}"),
        full_of(r#"{"type":"SEND_FILES","sync_id":"","paths":["#, name, "]}"),
        full_of(r#"{"type":"SERVER_STATE","later":["#, "[]", "]}"),
        full_of(r#"{"type":"SERVER_STATE","held":["#, r#"{"livery":"","cause":""}"#, "]}"),
        full_of(r#"{"type":"FILE_BEGIN","later":["#, "{}", "]}"),
        full_of(r#"{"type":"ACT","act":"retire","confirmed":true,"liveries":["#, name, "]}"),
    ];
    let before = peak();
    for message in &messages {
        let _either = Message::decode(message.as_bytes());
    }
    let most = peak() - before;
    assert!(most < 50, "{most} MB");
}
