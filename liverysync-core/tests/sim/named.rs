//! Scenarios with a name: what a league must do, and what it once did wrong.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use liverysync_core::{
    client::{self, ClientConfig},
    hash::Content,
    league::MemberKey,
    path::{Extensions, RelPath, fold},
    server,
    time::UnixTime,
    transfer::CHUNK_BYTES,
};

use crate::{
    disk::Disk,
    liar::{LIES, Liar, Lie},
    old_pc::OldPc,
    rig::{Brain, Hub, Line, MILLISECOND, MINUTE, Ours, SECOND, World},
};

const PLENTY: u64 = 60 * MINUTE;

pub(crate) fn league() -> World {
    let mut world = World::new(1);
    world.start_hub();
    world
}

/// The key of a PC of this name.
pub(crate) fn key_of(name: &str) -> MemberKey {
    MemberKey::from_bytes(*Content::of(name.as_bytes()).hash.as_bytes())
}

pub(crate) fn config(name: &str) -> ClientConfig {
    let mut config = ClientConfig::default();
    config.name = name.to_owned();
    config.member_key = Some(key_of(name));
    config
}

/// The configuration of a client that only looks.
pub(crate) fn dry_run(name: &str) -> ClientConfig {
    let mut config = config(name);
    config.dry_run = true;
    config
}

impl World {
    pub(crate) fn join_as(&mut self, name: &str, brain: Brain, files: &[(&str, &[u8])]) -> usize {
        let pc = self.add_pc(name, brain, Disk::new(false));
        for (path, data) in files {
            self.drop_at(pc, path, data, 60 * SECOND);
        }
        self.start(pc);
        pc
    }

    /// A driver with a client of ours.
    pub(crate) fn join(&mut self, name: &str, files: &[(&str, &[u8])]) -> usize {
        self.join_as(name, Brain::Ours(Box::new(Ours::new(config(name)))), files)
    }

    /// Writes a file that is so many nanoseconds old, and tells nobody.
    pub(crate) fn drop_at(&mut self, pc: usize, path: &str, data: &[u8], age: u64) {
        let data = Bytes::copy_from_slice(data);
        let content = Content::of(&data);
        let old = self.pcs[pc].disk.get(path).map(|node| node.content.hash);
        self.given_up.extend(old.filter(|old| *old != content.hash));
        self.legit.insert(content.hash);
        self.treasured.insert(content);
        let mtime = UnixTime::from_nanos(self.date().as_nanos() - age as i64);
        assert!(self.pcs[pc].disk.fits(path));
        self.pcs[pc].disk.put(path, data, content, mtime);
    }

    pub(crate) fn drop_now(&mut self, pc: usize, path: &str, data: &[u8]) {
        self.drop_at(pc, path, data, 0);
        self.feed(pc, client::Input::FolderChanged);
    }

    pub(crate) fn rest(&mut self) {
        self.run_until_rest(20 * SECOND, PLENTY);
        self.judge_rest(matches!(self.hub, Hub::Old(_)));
    }

    pub(crate) fn text(&self, pc: usize, path: &str) -> Option<Vec<u8>> {
        self.pcs[pc].disk.get(path).map(|node| node.data.to_vec())
    }

    #[track_caller]
    pub(crate) fn check_files(&self, pc: usize, files: &[(&str, &[u8])]) {
        let held: BTreeMap<_, _> =
            self.pcs[pc].disk.tree.values().map(|node| (&*node.path, &node.data[..])).collect();
        let wanted: BTreeMap<_, _> = files.iter().copied().collect();
        assert_eq!(held, wanted, "{}", self.pcs[pc].name);
    }

    pub(crate) fn events(&self, pc: usize) -> &[client::Event] {
        match &self.pcs[pc].brain {
            Brain::Ours(ours) => &ours.events,
            _ => panic!("PC {pc} is not one of ours"),
        }
    }

    pub(crate) fn received(&self, pc: usize) -> Vec<String> {
        let received = self.events(pc).iter().filter_map(|event| match event {
            client::Event::Receiving { path, .. } => Some(path.as_str().to_owned()),
            _ => None,
        });
        received.collect()
    }

    fn sessions_begun(&self) -> usize {
        let began = |event: &&server::Event| matches!(event, server::Event::SessionBegan { .. });
        self.server_events.iter().filter(began).count()
    }
}

pub(crate) fn conflict(path: &str, data: &[u8]) -> String {
    let (stem, extension) = path.rsplit_once('.').unwrap();
    format!("{stem}__CONFLICT__{}.{extension}", Content::of(data).hash.short())
}

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
fn every_pc_gets_both_contents_of_a_conflict_and_the_established_one_keeps_the_name() {
    let mut world = league();
    let path = "T/decals.png";
    let first = world.join("first", &[(path, b"established")]);
    world.run_for(5 * SECOND);
    let second = world.join("second", &[(path, b"rival")]);
    let third = world.join("third", &[]);
    world.rest();
    let rival = conflict(path, b"rival");
    for pc in [first, second, third] {
        world.check_files(pc, &[(path, b"established"), (&rival, b"rival")]);
    }
    assert_eq!(world.received(second), [path], "its own content is copied, not downloaded");
    assert!(world.pcs[second].disk.backs_up(Content::of(b"rival")));

    // Nothing of that is an event of the moment: a new server comes to the same names.
    let begun = world.sessions_begun();
    world.stop_hub();
    world.run_for(5 * SECOND);
    world.start_hub();
    world.rest();
    for pc in [first, second, third] {
        world.check_files(pc, &[(path, b"established"), (&rival, b"rival")]);
    }
    assert_eq!(world.sessions_begun(), begun);
}

#[test]
fn three_contents_of_one_name_get_three_names() {
    let mut world = league();
    let path = "T/decals.png";
    let pcs = [b"1", b"2", b"3"].map(|data| {
        let pc = world.join(&format!("pc{}", data[0]), &[(path, data)]);
        world.run_for(5 * SECOND);
        pc
    });
    world.rest();
    let (two, three) = (conflict(path, b"2"), conflict(path, b"3"));
    for pc in pcs {
        world.check_files(pc, &[(path, b"1"), (&two, b"2"), (&three, b"3")]);
    }
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
fn a_lying_source_is_asked_once_and_another_one_serves() {
    for ours in [true, false] {
        for lie in LIES {
            let mut world = league();
            let path = "T/decals.png";
            let mut liar = Liar::new(ours, lie);
            liar.claim(path, Bytes::from_static(b"the right bytes"));
            let liar = world.join_as("liar", Brain::Liar(Box::new(liar)), &[]);
            world.run_for(5 * SECOND);
            let target = world.join("target", &[("T/other.png", b"own")]);
            world.run_for(2 * SECOND);
            let honest = world.join("honest", &[(path, b"the right bytes")]);
            world.rest();
            assert_eq!(world.text(target, path).unwrap(), b"the right bytes", "{lie:?}");
            assert_eq!(world.received(honest), ["T/other.png"], "{lie:?}");
            // It is asked again only because its manifest has changed: it got the other file.
            let asked = world.liar(liar).asked[path];
            assert!(asked <= 2, "{lie:?} was asked {asked} times");
        }
    }
}

#[test]
fn a_livery_that_only_a_liar_has_leaves_the_others_in_sync() {
    let mut world = league();
    let mut liar = Liar::new(false, Lie::Mute);
    liar.claim("T/decals.png", Bytes::from_static(b"nobody gets this"));
    world.join_as("liar", Brain::Liar(Box::new(liar)), &[]);
    let target = world.join("target", &[]);
    world.rest();
    world.check_files(target, &[]);
    let withheld = world.events(target).iter().rev().find_map(|event| match event {
        client::Event::InSync { withheld, .. } => Some(*withheld),
        _ => None,
    });
    assert_eq!(withheld, Some(1));
}

/// A hash that everybody knows, with a length that it cannot have: the store has the content, and yet
/// nobody can ever get that one.
#[test]
fn a_right_hash_with_a_wrong_length_keeps_nobody_waiting() {
    for ours in [true, false] {
        for liar_first in [true, false] {
            let mut world = league();
            let (path, data) = ("T/decals.png", Bytes::from_static(b"the right bytes"));
            let Content { hash, size } = Content::of(&data);
            let mut liar = Liar::new(ours, Lie::WrongBytes);
            let wrong = Content { hash, size: size + 1 };
            liar.claims.insert("L/decals.png".into(), (wrong, Some(data.clone())));
            let liar = Brain::Liar(Box::new(liar));
            let target = world.join("target", &[]);
            if liar_first {
                world.join_as("liar", liar, &[]);
                world.run_for(10 * SECOND);
                world.join("honest", &[(path, &data)]);
            } else {
                world.join("honest", &[(path, &data)]);
                world.run_for(10 * SECOND);
                world.join_as("liar", liar, &[]);
            }
            world.rest();
            world.check_files(target, &[(path, &data)]);
            let in_sync = |event: &client::Event| matches!(event, client::Event::InSync { .. });
            assert!(world.events(target).iter().any(in_sync));
        }
    }
}

/// Rivals of an old client must be safe elsewhere before it gets the established content; where that
/// can never be, nobody is kept from leaving.
#[test]
fn a_conflict_copy_that_nobody_can_send_keeps_nobody_waiting() {
    let mut world = league();
    let path = "T/decals.png";
    let honest = world.join("honest", &[(path, b"established")]);
    world.run_for(3 * SECOND);
    let mut liar = Liar::new(false, Lie::WrongBytes);
    liar.claim(path, Bytes::from_static(b"rival"));
    world.join_as("liar", Brain::Liar(Box::new(liar)), &[]);
    world.rest();
    world.check_files(honest, &[(path, b"established")]);
}

#[test]
fn a_restarted_server_transfers_nothing_in_a_league_in_sync() {
    let mut world = league();
    let files: [(&str, &[u8]); 2] = [("A/decals.png", b"a"), ("B/decals.png", b"b")];
    let pcs = [world.join("a", &files[..1]), world.join("b", &files[1..])];
    world.rest();
    let begun = world.sessions_begun();
    world.stop_hub();
    world.run_for(20 * SECOND);
    world.start_hub();
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

#[test]
fn names_that_differ_only_in_case_are_one_livery() {
    let mut world = league();
    let a = world.join("a", &[("Team/Decals.png", b"same"), ("Team/x.png", b"one")]);
    world.run_for(3 * SECOND);
    let b = world.join("b", &[("TEAM/decals.PNG", b"same"), ("team/X.png", b"two")]);
    world.rest();
    let two = conflict("Team/X.png", b"two");
    let held = |pc: usize| -> BTreeMap<String, Vec<u8>> {
        world.pcs[pc].disk.tree.values().map(|n| (fold(&n.path), n.data.to_vec())).collect()
    };
    let wanted: [(&str, &[u8]); 3] =
        [("team/decals.png", b"same"), ("team/x.png", b"one"), (&two, b"two")];
    let wanted: BTreeMap<_, _> =
        wanted.into_iter().map(|(path, data)| (fold(path), data.to_vec())).collect();
    assert_eq!((held(a), held(b)), (wanted.clone(), wanted));
}

#[test]
fn a_file_and_a_folder_of_one_name_stay_where_they_are() {
    let mut world = league();
    let a = world.join("a", &[("x.png", b"file")]);
    world.run_for(3 * SECOND);
    let b = world.join("b", &[("x.png/y.png", b"below"), ("z.png", b"z")]);
    let c = world.join("c", &[]);
    world.rest();
    world.check_files(a, &[("x.png", b"file"), ("z.png", b"z")]);
    world.check_files(b, &[("x.png/y.png", b"below"), ("z.png", b"z")]);
    world.check_files(c, &[("x.png", b"file"), ("z.png", b"z")]);
    assert_eq!(world.refused, BTreeSet::from([("b".to_owned(), "x.png/y.png".to_owned())]));
    let told = &world.withheld["b"]["x.png"];
    assert_eq!(*told, server::Withheld::InTheWay);
}

#[test]
fn a_changed_allow_list_takes_effect_at_once() {
    let mut world = league();
    world.feed_hub(server::Input::AllowList(server::ServerMachine::parse_allow_list(
        "# only this\nteam a\n",
    )));
    let files: [(&str, &[u8]); 2] = [("Team A/decals.png", b"a"), ("Team B/decals.png", b"b")];
    world.join("full", &files);
    let empty = world.join("empty", &[]);
    world.run_until_rest(20 * SECOND, PLENTY);
    world.check_files(empty, &files[..1]);
    world.feed_hub(server::Input::AllowList(None));
    world.rest();
    world.check_files(empty, &files);
}

#[test]
fn a_dry_run_shows_its_plan_and_changes_nothing() {
    let mut world = league();
    let a = world.join("a", &[("T/x.png", b"established"), ("T/y.png", b"y")]);
    world.run_for(3 * SECOND);
    let dry = dry_run("dry");
    let files: [(&str, &[u8]); 2] = [("T/x.png", b"rival"), ("T/z.png", b"z")];
    let dry = world.join_as("dry", Brain::Ours(Box::new(Ours::new(dry))), &files);
    world.run_for(20 * SECOND);
    world.check_files(dry, &files);
    world.check_files(a, &[("T/x.png", b"established"), ("T/y.png", b"y")]);
    let plan = world.events(dry).iter().find_map(|event| match event {
        client::Event::Plan(plan) => Some(plan.clone()),
        _ => None,
    });
    let plan = plan.expect("a plan");
    let names = |files: &[(liverysync_core::path::RelPath, u64)]| {
        files.iter().map(|(path, _)| path.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&plan.receive), ["T/y.png", "T/x.png"]);
    assert_eq!(names(&plan.send), ["T/z.png", "T/x.png"]);
    assert_eq!(plan.conflicts[0].1.as_str(), conflict("T/x.png", b"rival"));
}

#[test]
fn a_dry_run_counts_a_file_that_has_just_been_made() {
    let mut world = league();
    let dry = dry_run("dry");
    let dry = world.join_as("dry", Brain::Ours(Box::new(Ours::new(dry))), &[]);
    world.drop_at(dry, "T/new.png", b"new", 0);
    world.run_for(20 * SECOND);
    let plans = world.events(dry).iter().filter_map(|event| match event {
        client::Event::Plan(plan) => Some(plan.send.len()),
        _ => None,
    });
    assert_eq!(plans.collect::<Vec<_>>(), [1]);
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
            Brain::Ours(Box::new(Ours::new(config("target"))))
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

#[test]
fn an_old_client_may_be_silent_while_it_receives_a_large_file() {
    let mut world = league();
    let big = vec![9; 6 * CHUNK_BYTES];
    world.join("source", &[("T/decals.png", &big)]);
    world.run_for(3 * SECOND);
    let old = Brain::Old(Box::new(OldPc::new(true)));
    let old = world.add_pc("old", old, Disk::new(false));
    world.pcs[old].line = Line { down: 15_000, ..Line::default() };
    world.start(old);
    world.rest();
    assert!(world.now > 140 * SECOND, "it takes longer than silence is borne");
    world.check_files(old, &[("T/decals.png", &big)]);
    assert_eq!(world.connections, 2);
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
fn old_clients_of_both_generations_get_every_file_that_they_accept() {
    let mut world = league();
    let files: [(&str, &[u8]); 4] = [
        ("T/decals.png", b"a"),
        ("T/decals Copy.png", b"b"),
        ("T/read me.txt", b"c"),
        ("T/sponsors.json", b"d"),
    ];
    world.join("ours", &files);
    world.run_for(3 * SECOND);
    let first = world.join_as(
        "first",
        Brain::Old(Box::new(OldPc::new(false))),
        &[("T/decals.png", b"rival of first")],
    );
    let careful = world.join_as("104", Brain::Old(Box::new(OldPc::new(true))), &[]);
    world.rest();
    assert_eq!(world.pcs[first].disk.tree.len(), 5);
    assert!(world.text(first, "T/decals Copy.png").is_some());
    world.check_files(careful, &[files[0], files[3]]);
    assert_eq!(world.withheld["104"].len(), 3);
}

#[test]
fn clients_sync_with_old_servers_of_both_generations() {
    for later in [false, true] {
        let mut world = World::new(1);
        world.start_old_hub(later);
        let a = world.join("a", &[("A/decals.png", b"a"), ("A/x.png", b"x")]);
        let b = world.join("b", &[("B/decals.png", b"b"), ("A/x.png", b"rival of x")]);
        world.rest();
        for pc in [a, b] {
            assert_eq!(world.text(pc, "A/decals.png").unwrap(), b"a");
            assert_eq!(world.text(pc, "B/decals.png").unwrap(), b"b");
        }
        for rival in [&b"x"[..], b"rival of x"] {
            assert!(world.pcs.iter().any(|pc| pc.disk.holds(Content::of(rival))));
        }
    }
}

/// Two names of one content that are replaced at the same time count for nothing to each other.
#[test]
fn a_content_under_two_names_survives_an_old_server() {
    let mut world = World::new(1);
    world.start_old_hub(true);
    let a = world.join("a", &[]);
    let b = world.join("b", &[("A/x.png", b"twice"), ("B/x.png", b"twice")]);
    world.drop_at(a, "A/x.png", b"newer a", SECOND);
    world.drop_at(a, "B/x.png", b"newer b", SECOND);
    world.rest();
    assert_eq!(world.text(b, "A/x.png").unwrap(), b"newer a");
    assert!(world.pcs[b].disk.holds(Content::of(b"twice")));
}

#[test]
fn a_file_added_while_an_offer_is_on_its_way_is_not_lost() {
    let path = "T/decals.png";
    for moment in 0..40 {
        let mut world = league();
        let slow = Line { delay_down: 400 * MILLISECOND, ..Line::default() };
        world.join("a", &[(path, b"established")]);
        let b = world.add_pc("b", Brain::Ours(Box::new(Ours::new(config("b")))), Disk::new(false));
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
fn the_files_of_a_livery_stay_shared_although_the_rest_is_gone() {
    let mut world = league();
    // What the store keeps would come back.
    world.server_config.store_bytes_max = 0;
    world.start_hub();
    let mut liar = Liar::new(false, Lie::Skip);
    liar.claim("T/decals.png", Bytes::from_static(b"never comes"));
    world.join_as("liar", Brain::Liar(Box::new(liar)), &[]);
    let a = world.join("a", &[("T/decals.json", b"json"), ("T/sub/x.txt", b"x")]);
    let b = world.join("b", &[]);
    world.rest();
    // The rest of the livery goes away, on both PCs at once.
    for pc in [a, b] {
        world.pcs[pc].disk.remove("T/sub/x.txt");
        world.given_up.insert(Content::of(b"x").hash);
        world.feed(pc, client::Input::FolderChanged);
    }
    world.rest();
    let busy_at = world.busy_at;
    world.run_for(10 * MINUTE);
    assert_eq!(world.busy_at, busy_at, "{}", world.busy_with);
    world.check_files(b, &[("T/decals.json", b"json")]);
}

#[test]
fn a_folder_of_placeholders_and_unshared_files_is_not_shared() {
    let mut world = league();
    world.join("a", &[("T/decals.json", b"placeholder"), ("T/notes.exe", b"exe")]);
    let b = world.join("b", &[]);
    world.rest();
    world.check_files(b, &[]);
}

#[test]
fn an_old_target_gets_the_end_of_a_file_whose_source_is_gone() {
    let mut world = league();
    let path = "T/decals.png";
    let mut liar = Liar::new(true, Lie::Silent);
    liar.claim(path, Bytes::from_static(b"half of this comes"));
    let liar = world.join_as("liar", Brain::Liar(Box::new(liar)), &[]);
    world.run_for(3 * SECOND);
    let old = world.join_as("old", Brain::Old(Box::new(OldPc::new(true))), &[]);
    world.run_for(3 * SECOND);
    world.crash(liar);
    world.join("honest", &[(path, b"half of this comes"), ("U/x.png", b"x")]);
    world.run_for(20 * SECOND);
    world.check_files(old, &[(path, b"half of this comes"), ("U/x.png", b"x")]);
}

#[test]
fn a_file_that_cannot_be_read_to_its_end_does_not_block_an_old_target() {
    let mut world = league();
    let big = vec![1; 5 * CHUNK_BYTES];
    let source = world.join("source", &[("T/decals.png", &big), ("T/x.png", b"x")]);
    world.pcs[source].line = Line { up: 500_000, ..Line::default() };
    world.run_for(3 * SECOND);
    let old = world.join_as("old", Brain::Old(Box::new(OldPc::new(true))), &[]);
    world.run_for(2 * SECOND);
    world.drop_now(source, "T/decals.png", b"edited");
    world.given_up.insert(Content::of(&big).hash);
    world.rest();
    world.check_files(old, &[("T/decals.png", b"edited"), ("T/x.png", b"x")]);
}

#[test]
fn a_file_swapped_with_its_conflict_copy_is_swapped_on_every_pc() {
    let mut world = league();
    let first = world.join("first", &[("T/decals.png", b"established")]);
    world.rest();
    let second = world.join("second", &[("T/decals.png", b"rival")]);
    world.rest();
    let copy = conflict("T/decals.png", b"rival");
    world.drop_now(second, "T/decals.png", b"rival");
    world.drop_now(second, &copy, b"established");
    world.rest();
    for pc in [first, second] {
        world.check_files(pc, &[("T/decals.png", b"rival"), (&copy, b"established")]);
    }
}

#[test]
fn an_old_clients_content_is_safe_elsewhere_before_it_is_overwritten() {
    let mut world = league();
    world.join_as(
        "careful",
        Brain::Old(Box::new(OldPc::new(true))),
        &[("T/decals.png", b"established")],
    );
    world.rest();
    world.join_as("rival", Brain::Old(Box::new(OldPc::new(false))), &[("T/decals.png", b"rival")]);
    let taker = world.join("taker", &[]);
    world.rest();
    let copy = conflict("T/decals.png", b"rival");
    world.check_files(taker, &[("T/decals.png", b"established"), (&copy, b"rival")]);
}

/// A client that ignores these liveries from its start on.
fn ignoring(name: &str, globs: &str) -> Brain {
    let mut config = config(name);
    config.ignored = client::Ignored::parse(globs);
    Brain::Ours(Box::new(Ours::new(config)))
}

fn standings_withheld(world: &World, pc: usize) -> Vec<u64> {
    let events = world.events(pc).iter().filter_map(|event| match event {
        client::Event::InSync { withheld, .. } => Some(*withheld),
        _ => None,
    });
    events.collect()
}

#[test]
fn an_ignored_livery_is_not_downloaded_until_it_is_no_longer_ignored() {
    let mut world = league();
    let files: [(&str, &[u8]); 3] =
        [("Team A/decals.png", b"a"), ("Team B/decals.png", b"b"), ("Team B/sponsors.png", b"s")];
    world.join("full", &files);
    let picky = world.join_as("picky", ignoring("picky", "team b*"), &[]);
    world.run_until_rest(20 * SECOND, PLENTY);
    world.check_files(picky, &files[..1]);
    assert_eq!(standings_withheld(&world, picky).last(), Some(&2));
    world.feed(picky, client::Input::Ignore(client::Ignored::default()));
    world.rest();
    world.check_files(picky, &files);
    assert_eq!(standings_withheld(&world, picky).last(), Some(&0));
}

#[test]
fn an_ignored_livery_is_not_shared_and_stays_as_it_is() {
    let mut world = league();
    let picky = world.join("picky", &[("Mine/decals.png", b"mine"), ("Ours/decals.png", b"ours")]);
    world.run_until_rest(20 * SECOND, PLENTY);
    world.feed(picky, client::Input::Ignore(client::Ignored::parse("mine")));
    world.run_until_rest(20 * SECOND, PLENTY);
    let other = world.join("other", &[("Mine/decals.png", b"another")]);
    world.run_until_rest(20 * SECOND, PLENTY);
    world.check_files(picky, &[("Mine/decals.png", b"mine"), ("Ours/decals.png", b"ours")]);
    world.check_files(other, &[("Mine/decals.png", b"another"), ("Ours/decals.png", b"ours")]);
    // Wanted again, it is as if it had just been made: nothing of it is lost.
    world.feed(picky, client::Input::Ignore(client::Ignored::default()));
    world.rest();
    let kept = conflict("Mine/decals.png", b"mine");
    assert_eq!(world.text(other, &kept).as_deref(), Some(&b"mine"[..]));
    assert_eq!(world.text(picky, "Mine/decals.png").as_deref(), Some(&b"another"[..]));
}

/// Its driver has put there himself what is just being offered, and whose only source leaves in the middle of it.
#[test]
fn a_target_that_has_a_file_it_never_received_is_believed() {
    let mut world = league();
    let path = RelPath::parse("T/x.png", &Extensions::default()).unwrap();
    let author = world.join("author", &[(path.as_str(), &[7; 100_000])]);
    world.pcs[author].line.up = 10_000;
    world.run_for(5 * SECOND);
    let mut target = Liar::new(true, Lie::Mute);
    target.has_all = true;
    let target = world.add_pc("target", Brain::Liar(Box::new(target)), Disk::new(false));
    world.pcs[target].line.delay_up = 3 * SECOND;
    world.start(target);
    // The offer is there, and the answer is on its way.
    world.run_for(4 * SECOND);
    world.crash(author);
    world.run_for(20 * SECOND);
    assert_eq!(world.server().union().get(path.key()).unwrap().copies(), 1);
}
