//! The texts of a league's commands.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use liverysync::{
    Content, ContentHash, Entry, MemberId,
    database::{LeagueDatabase as _, Sqlite},
    league::{
        Act, ActReport, Acted, Cause, Conflict, HoldReason, League, LeagueStatus, LiveryStatus,
        MemberRow, Rebuilt, Setting, Settings,
    },
};
use liverysync_core::league::{HeldFile, HeldLivery, HoldState, Record};

use super::{Texts, path};
use crate::text::{error, league, owner};

pub(super) fn member(digits: &str) -> MemberId {
    digits.parse().unwrap()
}

fn held(livery: &str, member: Option<MemberId>, state: HoldState) -> Record {
    let content = Content::of(b"held");
    let file = |name: &str| {
        let entry = Entry { path: path(&format!("{livery}/{name}")), content, mtime: None };
        HeldFile { entry, base: None }
    };
    let files = ["decals.json", "decals.png"].iter().map(|name| file(name)).collect();
    Record::Held(HeldLivery { livery: livery.to_owned(), member, state, files })
}

/// Makes a league in `data` with a livery of a few versions.
fn a_league(data: &Path) -> League {
    let aoi = Some(member("00000000000000a0"));
    let placed = |step, file: &str, content: &str, cause| {
        let content = Content::of(content.as_bytes());
        let entry = Entry { path: path(file), content, mtime: None };
        Record::Placed { step, entry, author: aoi, cause }
    };
    let mut records = vec![
        placed(1, "Team/decals.png", "paint", Cause::Published),
        placed(2, "Team/decals.png", "new paint", Cause::Updated),
        placed(3, "Team/decals__CONFLICT__14468801.png", "other", Cause::Conflict),
        Record::Seen { member: member("00000000000000a0"), name: "Aoi".to_owned() },
        held("77 Iris", aoi, HoldState::Waiting),
        held("78 Iris", aoi, HoldState::Rejected),
        held("Safety Car", None, HoldState::Approved),
    ];
    records.extend((0..61).map(|n| placed(4, &format!("Team/{n:02}.png"), "x", Cause::Published)));
    Sqlite::open(data).unwrap().write(&records).unwrap();
    League::open(data).unwrap()
}

pub(super) fn league_texts(all: &mut Texts) {
    all.section("league status");
    let mut status = LeagueStatus::default();
    all.block(league::status(&status));
    (status.served, status.liveries, status.files, status.bytes) = (true, 61, 243, 340_300_000);
    (status.retired, status.conflicts, status.members, status.missing) = (3, 1, 24, 2);
    (status.stored_bytes, status.step) = (317_000_000, 7);
    status.written_at = Some("2026-11-30T08:31:12Z".to_owned());
    all.block(league::status(&status));
    (status.banned, status.blocked) = (1, vec![ContentHash::of(b"blocked")]);
    status.held = a_league_data().1.held().unwrap();
    for (livery, cause) in status.held.iter_mut().zip([
        HoldReason::MemberLiveries,
        HoldReason::Rejected,
        HoldReason::Freeze,
    ]) {
        livery.since = Some("2026-11-30T08:31:12Z".to_owned());
        (livery.cause, livery.limit) = (cause, Some(20));
    }
    all.block(league::status(&status));

    all.section("league create, show");
    all.block(league::created(Path::new("data"), &Settings::of_new_league()));
    all.block(league::settings(&Settings::default()));

    all.section("league members, liveries, history, conflicts");
    let mut data = a_league_data();
    let mut members: Vec<MemberRow> = data.1.members().unwrap();
    for member in &mut members {
        member.first_seen = "2026-11-01T20:00:00Z".to_owned();
        member.last_seen = "2026-11-30T08:31:12Z".to_owned();
        (member.files, member.bytes) = (243, 340_300_000);
    }
    all.block(league::members(&members));
    let livery = |livery: &str, conflicts, retired| {
        let mut status = LiveryStatus::default();
        status.livery = livery.to_owned();
        status.files = if retired { 0 } else { 4 };
        status.bytes = if retired { 0 } else { 8_400_000 };
        status.version = "1a2b3c4d".to_owned();
        status.owners = vec![member("00000000000000a0"), member("00000000000000b0")];
        (status.conflicts, status.retired) = (conflicts, retired);
        status
    };
    let names = BTreeMap::from([(member("00000000000000a0"), "Aoi".to_owned())]);
    let liveries = [livery("Team", 0, false), livery("Other", 2, false), livery("Old", 0, true)];
    all.block(league::liveries(&liveries, &names));
    let mut held = data.1.held().unwrap();
    for livery in &mut held {
        livery.since = Some("2026-11-30T08:31:12Z".to_owned());
    }
    all.block(league::held(&held));
    all.block(league::held(&[]));
    let mut versions = data.1.history("Team").unwrap();
    for version in &mut versions {
        version.written_at = Some("2026-11-30T08:31:12Z".to_owned());
    }
    versions[1].files = 0;
    versions[1].changes[0].cause = None;
    versions[1].changes[0].author = None;
    all.block(league::history(&versions));
    let content = |text: &str| Content::of(text.as_bytes());
    let copy = "Team/decals__CONFLICT__14468801.png";
    let conflict = |file: &str, established| {
        let mut conflict = Conflict::new(path(file), established);
        conflict.copies.push((path(copy), content("other")));
        conflict
    };
    let some = [conflict("Team/decals.png", Some(content("paint"))), conflict("Free/x.png", None)];
    let brought = [("Team/decals.png", "paint", "Aoi"), (copy, "other", "Bruno")];
    let names =
        brought.map(|(file, text, who)| ((file.to_owned(), content(text).hash), who.to_owned()));
    all.block(league::conflicts(&some, &BTreeMap::from(names)));
    all.block(league::conflicts(&some[1..], &BTreeMap::new()));
    all.block(league::conflicts(&[], &BTreeMap::new()));

    all.section("league resolve, rename, retire, restore, own");
    let acts = [
        Act::Resolve { path: "Team/decals.png".to_owned(), keep: "1a2b3c4d".to_owned() },
        Act::Resolve { path: "Team/sponsors.png".to_owned(), keep: "none".to_owned() },
        Act::Rename { livery: "Team".to_owned(), new: "New Team".to_owned() },
        Act::Retire { liveries: vec!["Team".to_owned(), "Old".to_owned()], confirmed: false },
        Act::Restore { livery: "Team".to_owned(), version: None },
        Act::Own { livery: "Team".to_owned(), member: member("00000000000000a0") },
        Act::Set { setting: Setting::Updates, value: "owner".to_owned() },
        Act::OwnAll { former: member("00000000000000a0"), member: member("00000000000000b1") },
        Act::Merge { former: member("00000000000000a0"), member: member("00000000000000b1") },
        Act::Set { setting: Setting::Approval, value: "on".to_owned() },
        Act::Set { setting: Setting::Frozen, value: "WRT*\t2026-12-05T20:00:00Z\nTeam".to_owned() },
        Act::Set { setting: Setting::Frozen, value: String::new() },
        Act::Approve { liveries: vec!["Team".to_owned()], from: None },
        Act::Approve { liveries: Vec::new(), from: None },
        Act::Reject { liveries: vec!["Team".to_owned()], from: None },
        Act::Ban { member: member("00000000000000a0") },
        Act::Unban { member: member("00000000000000a0") },
        Act::Block { content: "Team/decals.png".to_owned() },
        Act::Unblock { content: "1a2b3c4d".to_owned() },
        Act::Set { setting: Setting::MaxBytesPerMember, value: "500000000".to_owned() },
        Act::Set { setting: Setting::MaxLiveriesPerMember, value: "none".to_owned() },
    ];
    let names = BTreeMap::from([(member("00000000000000a0"), "Aoi".to_owned())]);
    let few = ["S3 Red", "S3 Blue", "Team/a__CONFLICT__14468801.png"];
    let aoi = BTreeSet::from([member("00000000000000a0")]);
    let few = few.map(|path| (path.to_owned(), aoi.clone()));
    all.block(league::retiring(&BTreeMap::from(few), &names, false));
    let many = (0..12).map(|number| (format!("S3 {number:02}"), BTreeSet::new()));
    all.block(league::retiring(&many.collect(), &names, false));
    let mut acted = Acted::default();
    all.add(league::acted(&acts[4], &acted, &names));
    (acted.report.placed, acted.report.retired, acted.served) = (4, 4, true);
    acts.iter().for_each(|act| all.add(league::acted(act, &acted, &names)));
    (acted.report.retired, acted.served) = (0, false);
    all.add(league::acted(&acts[4], &acted, &names));

    all.section("league rebuild");
    let mut rebuilt = Rebuilt::default();
    all.block(league::rebuilt(&rebuilt));
    rebuilt.salvaged.set_aside = vec!["data/league.db.damaged-20261130".into()];
    (rebuilt.salvaged.versions, rebuilt.salvaged.members, rebuilt.files) = (250, 24, 243);
    rebuilt.from_reports = 3;
    all.block(league::rebuilt(&rebuilt));
    (rebuilt.salvaged.whole, rebuilt.from_reports) = (true, 0);
    all.block(league::rebuilt(&rebuilt));
}

/// Makes a league, and returns it with its folder.
fn a_league_data() -> (tempfile::TempDir, League) {
    let data = tempfile::tempdir().unwrap();
    let league = a_league(data.path());
    (data, league)
}

pub(super) fn owner_texts(all: &mut Texts) {
    all.section("withdraw, rename, replace");
    let (team, new) = (|| "Team".to_owned(), || "Team 7".to_owned());
    let names = vec![team(), "Iris/sponsors.png".to_owned()];
    for act in [
        Act::Retire { liveries: names, confirmed: true },
        Act::Rename { livery: team(), new: new() },
        Act::Replace { old: team(), new: new() },
    ] {
        for dry_run in [true, false] {
            all.block(owner::acted(&act, &ActReport::new(0, 4), dry_run));
        }
    }
    let timed_out = std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time");
    all.block(error::unreachable_server("192.168.1.50:9239", &timed_out));
}
