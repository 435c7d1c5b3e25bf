//! Files on their way to every PC, and leagues at rest.

use std::collections::BTreeSet;

use liverysync_core::{client, hash::Content, server, transfer::CHUNK_BYTES};

use super::{PATH, config, league};
use crate::{
    disk::Disk,
    old_pc::OldPc,
    rig::{Brain, Line, MILLISECOND, MINUTE, NewPc, SECOND, World},
};

#[test]
fn an_empty_driver_gets_everything() {
    let mut world = league();
    let big = vec![7; 3 * CHUNK_BYTES + 1];
    let files: [(&str, &[u8]); 6] = [
        ("Team A/decals.png", b"a"),
        ("#2 レーシング/decals.png", b""),
        ("Équipe d'été/sub folder/read me.txt", &big),
        ("x/one.dds", &big[..CHUNK_BYTES]),
        ("x/two.dds", &big[..=CHUNK_BYTES]),
        ("loose.png", b"b"),
    ];
    let full = world.join("full", &files);
    let empty = world.join("empty", &[]);
    world.rest();
    world.check_files(empty, &files);
    for (path, _) in files {
        let dates = [full, empty].map(|pc| world.pcs[pc].disk.get(path).unwrap().mtime.as_nanos());
        assert!(dates[0].abs_diff(dates[1]) < 1_000, "{path} keeps its date");
    }
}

#[test]
fn no_session_is_repeated() {
    let mut world = league();
    let files: Vec<(String, Vec<u8>)> =
        (0..120_u8).map(|n| (format!("T{}/{n}.png", n / 10), vec![n; 10])).collect();
    let files: Vec<_> = files.iter().map(|(path, data)| (&**path, &**data)).collect();
    world.join("full", &files);
    let empty = world.join("empty", &[]);
    world.rest();
    world.check_files(empty, &files);
    assert_eq!(world.sessions_begun(), 6, "three up and three down, of at most 50 files");
    assert_eq!(world.received(empty).len(), 120);
}

#[test]
fn every_pc_gets_a_late_livery_within_three_seconds() {
    let mut world = league();
    let pcs = ["a", "b", "c", "d"].map(|name| world.join(name, &[]));
    world.rest();
    world.drop_now(pcs[2], "New/decals.png", b"new");
    world.run_for(3 * SECOND);
    for pc in pcs {
        world.check_files(pc, &[("New/decals.png", b"new")]);
    }
    world.rest();
}

#[test]
fn a_restarted_server_transfers_nothing_in_a_league_in_sync() {
    let mut world = league();
    let files: [(&str, &[u8]); 2] = [("A/decals.png", b"a"), ("B/decals.png", b"b")];
    let pcs = [world.join("a", &files[..1]), world.join("b", &files[1..])];
    world.rest();
    let begun = world.sessions_begun();
    world.stop_server();
    world.run_for(20 * SECOND);
    world.start_server();
    world.rest();
    assert_eq!(world.sessions_begun(), begun);
    for pc in pcs {
        world.check_files(pc, &files);
    }
}

#[test]
fn a_pc_that_matches_a_league_in_sync_is_told_so_at_once() {
    let mut world = league();
    let files: [(&str, &[u8]); 2] = [("T/decals.png", b"a"), ("T/decals.json", b"b")];
    world.join("first", &files);
    world.rest();
    let told = world.server_events.len();
    let second = world.join("second", &files);
    let sync_status = |event: &client::Event| matches!(event, client::Event::SyncStatus { .. });
    let end = world.now + 30 * SECOND;
    while !world.events(second).iter().any(sync_status) {
        assert!(world.step(end), "it was told nothing");
    }
    let news = &world.server_events[told..];
    assert!(news.iter().any(|event| matches!(event, server::Event::Joined { .. })));
    assert!(!news.iter().any(|event| matches!(event, server::Event::InSync { .. })));
    world.rest();
    assert!(matches!(world.server_events.last(), Some(server::Event::InSync { clients: 2, .. })));
}

#[test]
fn two_clients_that_stop_once_in_sync_both_get_everything() {
    let mut world = league();
    let files: [(&str, &[u8]); 2] = [("A/decals.png", b"a"), ("B/decals.png", b"b")];
    let pcs = [world.join("a", &files[..1]), world.join("b", &files[1..])];
    let in_sync = |event: &client::Event| matches!(event, client::Event::InSync { .. });
    let end = world.now + 30 * SECOND;
    let mut left = BTreeSet::new();
    // The first may have the server to itself for a moment, and what it has then is the union.
    world.run_for(SECOND);
    while left.len() < 2 && world.step(end) {
        for pc in pcs {
            if !left.contains(&pc) && world.events(pc).last().is_some_and(in_sync) {
                world.crash(pc);
                left.insert(pc);
            }
        }
    }
    assert_eq!(left.len(), 2);
    for pc in pcs {
        world.check_files(pc, &files);
    }
}

// A driver who leaves as soon as they are in sync must not take the only copy of a file with them.
#[test]
fn nobody_is_in_sync_before_the_store_has_their_files() {
    let mut world = World::remembering();
    let big = vec![7; 3_000_000];
    let author = world.join("author", &[(PATH, &big)]);
    while !world.is_in_sync(author) {
        assert!(world.step(10 * MINUTE), "it is in sync at last");
    }
    world.crash(author);
    let new = world.join("new", &[]);
    world.rest_of_us();
    world.check_files(new, &[(PATH, &big)]);
}

#[test]
fn a_restarted_server_gives_a_new_driver_everything_while_every_author_is_away() {
    let mut world = World::remembering();
    // Both have it from the beginning, so nobody ever lacked it.
    let authors = ["a", "b"].map(|name| world.join(name, &[(PATH, b"paint")]));
    world.rest();
    authors.into_iter().for_each(|pc| world.crash(pc));
    world.restart_server();
    let new = world.join("new", &[]);
    world.rest_of_us();
    world.check_files(new, &[(PATH, b"paint")]);
}

#[test]
fn a_league_at_rest_stays_at_rest() {
    let mut world = league();
    let a = world.join("a", &[("A/decals.png", b"a"), ("A/decals_0.dds", b"cache")]);
    world.join("b", &[("A/decals.png", b"rival"), ("C/decals.json", b"placeholder")]);
    world.join_as("old", Brain::Old(Box::new(OldPc::new(false))), &[("B/x.txt", b"text")]);
    world.join_as("104", Brain::Old(Box::new(OldPc::new(true))), &[("B/x.png", b"picture")]);
    world.rest();
    let busy_at = world.busy_at;
    let events = world.events(a).len();
    world.run_for(60 * MINUTE);
    assert_eq!(world.busy_at, busy_at, "{}", world.busy_with);
    assert_eq!(world.events(a)[events..], [], "a walk that finds nothing is no news");
}

#[test]
fn a_file_added_while_an_offer_is_on_its_way_is_not_lost() {
    let path = "T/decals.png";
    for moment in 0..40 {
        let mut world = league();
        let slow = Line { delay_down: 400 * MILLISECOND, ..Line::default() };
        world.join("a", &[(path, b"established")]);
        let b = world.add_pc("b", Brain::New(Box::new(NewPc::new(config("b")))), Disk::new(false));
        world.pcs[b].line = slow;
        world.start(b);
        world.run_for(moment * 50 * MILLISECOND);
        if world.text(b, path).is_none() {
            world.drop_now(b, path, b"dropped");
        }
        world.rest();
        let dropped = Content::of(b"dropped");
        let written = world.treasured.contains(&dropped);
        assert!(!written || world.pcs[b].disk.holds(dropped), "dropped at {moment}");
    }
}

#[test]
fn a_full_disk_gets_the_rest_once_there_is_room() {
    let mut world = league();
    let files: [(&str, &[u8]); 2] = [("A/decals.png", b"a"), ("B/decals.png", b"b")];
    world.join("full", &files);
    let target = world.join("target", &[]);
    world.pcs[target].disk.full = true;
    world.run_for(MINUTE);
    world.check_files(target, &[]);
    world.pcs[target].disk.full = false;
    world.run_for(2 * MINUTE);
    world.check_files(target, &files);
    world.rest();
}

#[test]
fn a_source_that_could_not_read_a_file_is_asked_again() {
    for old_target in [false, true] {
        let mut world = league();
        let source = world.join("source", &[("T/decals.png", b"picture"), ("T/x.png", b"x")]);
        world.run_for(3 * SECOND);
        world.pcs[source].disk.locked.insert("T/decals.png".into());
        let brain = if old_target {
            Brain::Old(Box::new(OldPc::new(true)))
        } else {
            Brain::New(Box::new(NewPc::new(config("target"))))
        };
        let target = world.join_as("target", brain, &[]);
        world.run_for(MINUTE / 2);
        world.check_files(target, &[("T/x.png", b"x")]);
        world.pcs[source].disk.locked.clear();
        world.run_for(2 * MINUTE);
        world.check_files(target, &[("T/decals.png", b"picture"), ("T/x.png", b"x")]);
        world.rest();
    }
}

/// A livery of two files, and an update of both, of which one takes long.
const BEFORE: [(&str, &[u8]); 2] = [(PATH, b"old"), ("T/sponsors.png", b"old sponsors")];
const LARGE: &[u8] = &[7; 3_000_000];
const AFTER: [(&str, &[u8]); 2] = [(PATH, b"new"), ("T/sponsors.png", LARGE)];

/// Makes a league of an author and another driver, which is in the middle of an update of two files.
fn in_an_update(mut world: World) -> (World, [usize; 2]) {
    let (author, other) = (world.join("author", &BEFORE), world.join("other", &[]));
    world.leave(author);
    world.pcs[author].line.up = 1_000_000;
    world.start(author);
    world.rest();
    AFTER.iter().for_each(|(path, bytes)| world.drop_at(author, path, bytes, 0));
    world.feed(author, client::Input::FolderChanged);
    let small = Content::of(b"new");
    while !world.union().is_verified(small) {
        assert!(world.step(10 * MINUTE), "the small file arrives");
    }
    assert!(!world.union().is_verified(Content::of(LARGE)));
    (world, [author, other])
}

fn leagues() -> impl Iterator<Item = World> {
    let forgetful = || {
        let mut world = World::new(1);
        world.start_server();
        world
    };
    [World::remembering(), World::of_whole_liveries(), forgetful()].into_iter()
}

#[test]
fn an_update_whose_author_leaves_half_way_tears_no_livery() {
    for world in leagues() {
        let (mut world, [author, other]) = in_an_update(world);
        world.crash(author);
        world.rest_of_us();
        world.check_files(other, &BEFORE);
        let late = world.join("late", &[]);
        world.rest_of_us();
        if world.remembers {
            // The author, who had the rest, is the only other one.
            world.check_files(late, &BEFORE);
        }
        world.start(author);
        world.rest();
        world.all_hold(&[author, other, late], &AFTER);
        assert_eq!(world.conflicts(), []);
    }
}

// The same for a livery that nobody else has: half of it is of no use to anyone.
#[test]
fn a_new_livery_whose_author_leaves_half_way_is_there_whole_or_not_at_all() {
    let mut one_by_one = World::new(1);
    // The server asks for the large file when it has the small one.
    one_by_one.server_config.store_bytes_max = 1_000;
    one_by_one.server_config.spool_bytes_max = 1_000;
    one_by_one.server_config.client_sessions_max = 1;
    one_by_one.start_server();
    for mut world in leagues().chain([one_by_one]) {
        let other = world.join("other", &[]);
        world.rest();
        let author = world.join("author", &[]);
        world.leave(author);
        world.pcs[author].line.up = 1_000_000;
        world.start(author);
        AFTER.iter().for_each(|(path, bytes)| world.drop_at(author, path, bytes, 0));
        world.feed(author, client::Input::FolderChanged);
        while !world.union().is_verified(Content::of(b"new")) {
            assert!(world.step(10 * MINUTE), "the small file arrives");
        }
        assert!(!world.union().is_verified(Content::of(LARGE)));
        world.crash(author);
        world.rest_of_us();
        let late = world.join("late", &[]);
        world.rest_of_us();
        assert!(
            world.union().is_empty(),
            "{:?} {:?}",
            world.union().iter().map(|e| (e.path.to_string(), e.copies())).collect::<Vec<_>>(),
            world.union().history("t")
        );
        [other, late].iter().for_each(|pc| world.check_files(*pc, &[]));
        world.start(author);
        world.rest();
        world.all_hold(&[author, other, late], &AFTER);
        assert_eq!(world.conflicts(), []);
    }
}

// Or anyone could hold back everybody's liveries, with a file that never comes.
#[test]
fn what_is_added_to_a_livery_holds_back_nothing_of_it() {
    for mut world in leagues() {
        let (author, other) = (world.join("author", &BEFORE), world.join("other", &[]));
        world.leave(author);
        world.pcs[author].line.up = 1_000_000;
        world.start(author);
        world.rest();
        world.drop_at(author, "T/extra.png", LARGE, 0);
        world.feed(author, client::Input::FolderChanged);
        while !world.union().iter().any(|entry| entry.path.as_str() == "T/extra.png") {
            assert!(world.step(10 * MINUTE), "it is announced");
        }
        let late = world.join("late", &[]);
        while BEFORE.iter().any(|(path, _)| world.text(late, path).is_none()) {
            assert!(world.step(10 * MINUTE), "the rest of the livery arrives");
        }
        let addition = world.text(late, "T/extra.png");
        assert_eq!(addition, None, "while the addition is on its way");
        world.rest();
        assert_eq!(world.text(other, "T/extra.png").unwrap(), LARGE);
    }
}

#[test]
fn an_update_that_is_changed_while_it_arrives_arrives_as_it_is_then() {
    for world in leagues() {
        let (mut world, [author, other]) = in_an_update(world);
        world.drop_now(author, PATH, b"newer");
        world.rest();
        world.all_hold(&[author, other], &[(PATH, b"newer"), ("T/sponsors.png", LARGE)]);
        assert_eq!(world.conflicts(), []);
    }
}

#[test]
fn an_update_that_another_one_overtakes_becomes_a_conflict() {
    let (mut world, [author, other]) = in_an_update(World::remembering());
    world.drop_now(other, PATH, b"theirs");
    world.rest();
    let conflicts = world.conflicts();
    assert_eq!(conflicts.len(), 1);
    let files: &[(&str, &[u8])] =
        &[(PATH, b"theirs"), (&conflicts[0].1, b"new"), ("T/sponsors.png", LARGE)];
    world.all_hold(&[author, other], files);
}

#[test]
fn an_author_is_in_sync_only_when_the_others_have_their_update() {
    let (mut world, [author, other]) = in_an_update(World::remembering());
    while !world.is_in_sync(author) {
        assert!(world.step(10 * MINUTE), "the author is in sync at last");
    }
    // From now on, nobody needs the author any more.
    world.crash(author);
    world.rest_of_us();
    world.check_files(other, &AFTER);
}

// Between two scans, the file is another one and the same again, so its PC reports nothing.
#[test]
fn a_file_that_changes_back_before_it_is_sent_arrives() {
    let mut world = league();
    let (author, other) = (world.join("author", &[]), world.join("other", &[]));
    world.rest();
    let before = world.sessions_begun();
    world.drop_now(author, PATH, LARGE);
    while world.sessions_begun() == before {
        assert!(world.step(10 * MINUTE), "the file is asked for");
    }
    world.drop_at(author, PATH, LARGE, 5 * SECOND);
    // It is asked for again a minute later.
    world.run_for(2 * MINUTE);
    world.rest();
    let failed = |event: &client::Event| matches!(event, client::Event::SendFailed { .. });
    assert!(world.events(author).iter().any(failed), "it could not be sent at first");
    world.check_files(other, &[(PATH, LARGE)]);
}
