//! Lineage: updates are updates, whoever was away.

use std::collections::BTreeSet;

use bytes::Bytes;
use liverysync_core::{
    client::{self, ClientMachine, ConflictSide},
    conflict::{Policy, Scope},
    hash::Content,
    league::{Act, ActError, ActReport, Setting},
    path::RelPath,
    server,
    union::Union,
};

use crate::{
    named::league,
    old_pc::OldPc,
    rig::{Brain, Hub, MINUTE, Ours, SECOND, World},
};

const PATH: &str = "T/decals.png";

impl World {
    /// A league whose memory outlives its server, and which keeps everything.
    pub(crate) fn remembering() -> Self {
        let mut world = Self::new(1);
        world.remembers = true;
        world.server_config.archive = true;
        world.start_hub();
        world
    }

    /// The same, where a rival livery is kept whole.
    fn of_whole_liveries() -> Self {
        let mut world = Self::remembering();
        world.set(Setting::ConflictScope, "livery");
        world
    }

    /// Has the administrator change a setting of the league.
    pub(crate) fn set(&mut self, setting: Setting, value: &str) {
        let act = Act::Set { setting, value: value.to_owned() };
        assert_eq!(self.administer(act), Ok(ActReport::default()));
    }

    fn resolve(&mut self, path: &str, keep: &[u8]) -> Result<ActReport, ActError> {
        let keep = Content::of(keep).hash.short();
        self.administer(Act::Resolve { path: path.into(), keep })
    }

    pub(crate) fn restart_hub(&mut self) {
        self.stop_hub();
        self.start_hub();
    }

    fn is_in_sync(&self, pc: usize) -> bool {
        match &self.pcs[pc].brain {
            Brain::Ours(ours) => ours.machine.as_ref().is_some_and(ClientMachine::is_in_sync),
            _ => false,
        }
    }

    /// Returns the conflict copies that a PC counted when it was last in sync.
    fn last_conflict_copies(&self, pc: usize) -> Vec<String> {
        let Brain::Ours(ours) = &self.pcs[pc].brain else { panic!("no client of ours") };
        let last = ours.events.iter().rev().find_map(|event| match event {
            client::Event::InSync { conflicts, .. } => Some(conflicts),
            _ => None,
        });
        last.unwrap().iter().map(|path| path.as_str().to_owned()).collect()
    }

    /// All are in sync; then a driver's PC is switched off.
    pub(crate) fn leave(&mut self, pc: usize) {
        self.rest();
        self.crash(pc);
    }

    /// Rest for those who are there.
    pub(crate) fn rest_of_us(&mut self) {
        self.run_until_rest(20 * SECOND, 60 * MINUTE);
        self.judge_memory();
    }

    pub(crate) fn union(&self) -> &Union {
        match &self.hub {
            Hub::Ours(hub) => hub.machine.union(),
            _ => panic!("no server of ours"),
        }
    }

    fn union_names(&self) -> Vec<String> {
        self.union().iter().map(|entry| entry.path.as_str().to_owned()).collect()
    }

    /// Returns each name in conflict with the first of its conflict names.
    fn conflicts(&self) -> Vec<(String, String)> {
        let conflicts = self.union().conflicts().into_iter();
        let named = conflicts.map(|conflict| {
            (conflict.path.as_str().to_owned(), conflict.copies[0].0.as_str().to_owned())
        });
        named.collect()
    }

    pub(crate) fn all_hold(&self, pcs: &[usize], files: &[(&str, &[u8])]) {
        pcs.iter().for_each(|pc| self.check_files(*pc, files));
    }

    pub(crate) fn administer(&mut self, act: Act) -> Result<ActReport, ActError> {
        self.acted.clear();
        self.feed_hub(server::Input::Act(7, act));
        let (number, outcome) = self.acted.pop().expect("an act has an outcome");
        assert_eq!(number, 7);
        outcome
    }
}

#[test]
fn an_edit_updates_every_pc_and_leaves_no_conflict_copy() {
    let mut world = league();
    let pcs = ["a", "b", "c"].map(|name| world.join(name, &[(PATH, b"old")]));
    world.rest();
    world.drop_now(pcs[1], PATH, b"new");
    world.rest();
    // Twice in a row, before anybody could say that the first is in sync.
    world.drop_now(pcs[1], PATH, b"newer");
    world.run_for(SECOND);
    world.drop_now(pcs[1], PATH, b"newest");
    world.rest();
    world.all_hold(&pcs, &[(PATH, b"newest")]);
}

#[test]
fn a_pc_that_was_off_gets_the_update_without_a_conflict() {
    for restarts in [false, true] {
        let mut world = World::remembering();
        let author = world.join("author", &[(PATH, b"one")]);
        let away = world.join("away", &[]);
        world.leave(away);
        for edit in [&b"two"[..], b"three"] {
            world.drop_now(author, PATH, edit);
            world.rest_of_us();
        }
        if restarts {
            world.restart_hub();
        }
        world.start(away);
        world.rest();
        world.all_hold(&[author, away], &[(PATH, b"three")]);
    }
}

#[test]
fn an_edit_made_offline_is_an_update() {
    let mut world = World::remembering();
    let other = world.join("other", &[]);
    let author = world.join("author", &[(PATH, b"one"), ("T/sponsors.png", b"same")]);
    world.leave(author);
    world.restart_hub();
    // Who replaces a livery may delete the old one first.
    world.pcs[author].disk.remove(PATH);
    world.given_up.insert(Content::of(b"one").hash);
    world.drop_at(author, PATH, b"two", 60 * SECOND);
    world.start(author);
    world.rest();
    for pc in [author, other] {
        world.check_files(pc, &[(PATH, b"two"), ("T/sponsors.png", b"same")]);
    }
}

#[test]
fn a_revert_is_an_update() {
    let mut world = league();
    let author = world.join("author", &[(PATH, b"one")]);
    let other = world.join("other", &[]);
    world.rest();
    for edit in [&b"two"[..], b"one"] {
        world.drop_now(author, PATH, edit);
        world.rest();
        world.all_hold(&[author, other], &[(PATH, edit)]);
    }
}

#[test]
fn two_edits_of_one_base_conflict() {
    let mut world = World::remembering();
    let first = world.join("first", &[(PATH, b"base")]);
    let second = world.join("second", &[]);
    world.leave(second);
    world.drop_now(first, PATH, b"mine");
    world.rest_of_us();
    world.drop_at(second, PATH, b"yours", 60 * SECOND);
    world.start(second);
    world.rest();
    let copy = crate::named::conflict(PATH, b"yours");
    world.all_hold(&[first, second], &[(PATH, b"mine"), (&copy, b"yours")]);
}

#[test]
fn a_restarted_server_gives_a_new_driver_everything_while_every_author_is_away() {
    let mut world = World::remembering();
    // Both have it from the beginning, so nobody ever lacked it.
    let authors = ["a", "b"].map(|name| world.join(name, &[(PATH, b"paint")]));
    world.rest();
    authors.into_iter().for_each(|pc| world.crash(pc));
    world.restart_hub();
    let new = world.join("new", &[]);
    world.rest_of_us();
    world.check_files(new, &[(PATH, b"paint")]);
}

/// A driver who leaves as soon as they are in sync must not take the only copy of a file with them.
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
fn a_retired_livery_leaves_every_pc_and_does_not_come_back() {
    let mut world = World::remembering();
    let files: &[(&str, &[u8])] = &[(PATH, b"paint"), ("U/decals.png", b"other")];
    let here = world.join("here", files);
    let away = world.join("away", &[]);
    let _third = world.join("third", &[("V/x.png", b"v"), ("W/x.png", b"w")]);
    world.leave(away);
    let many = Act::Retire { liveries: vec!["T".into(), "U".into()], confirmed: false };
    assert_eq!(world.administer(many), Err(ActError::Unconfirmed { retired: 2, all: 4 }));
    let retire = Act::Retire { liveries: vec!["t".into()], confirmed: false };
    assert_eq!(world.administer(retire), Ok(ActReport::new(0, 1)));
    world.rest_of_us();
    world.start(away);
    world.rest();
    for pc in [here, away] {
        assert_eq!(world.text(pc, PATH), None);
        assert!(world.pcs[pc].disk.backs_up(Content::of(b"paint")));
        assert!(world.text(pc, "U/decals.png").is_some());
    }
    world.restart_hub();
    world.rest();
    let restore = Act::Restore { livery: "T".into(), version: None };
    assert_eq!(world.administer(restore), Ok(ActReport::new(1, 0)));
    world.rest();
    for pc in [here, away] {
        assert_eq!(world.text(pc, PATH).unwrap(), b"paint");
    }
}

#[test]
fn an_admin_resolves_a_conflict() {
    for keep_copy in [false, true] {
        let mut world = World::remembering();
        let first = world.join("first", &[(PATH, b"established")]);
        world.rest();
        let second = world.join("second", &[(PATH, b"rival")]);
        let away = world.join("away", &[]);
        world.leave(away);
        let kept = if keep_copy { &b"rival"[..] } else { b"established" };
        let keep = Content::of(kept).hash.short();
        let none = Act::Resolve { path: PATH.into(), keep: "0000".into() };
        assert!(matches!(world.administer(none), Err(ActError::NoContent { .. })));
        let other = if keep_copy { &b"established"[..] } else { b"rival" };
        world.given_up.insert(Content::of(other).hash);
        let report = world.administer(Act::Resolve { path: PATH.into(), keep }).unwrap();
        assert_eq!(report, ActReport::new(usize::from(keep_copy), 1));
        world.rest_of_us();
        world.start(away);
        world.rest();
        world.all_hold(&[first, second, away], &[(PATH, kept)]);
    }
}

/// Where the league keeps rival liveries whole: two drivers with liveries of one name, of which a file collides and
/// another does not, and the folder that the second one gets.
fn conflicting_liveries(second_is_old: bool) -> (World, [usize; 3], String) {
    let mut world = World::of_whole_liveries();
    let first: &[(&str, &[u8])] = &[(PATH, b"established"), ("T/decals.json", b"same")];
    let first = world.join("first", first);
    world.rest();
    let rival: &[(&str, &[u8])] =
        &[(PATH, b"rival"), ("T/decals.json", b"same"), ("T/sponsors.png", b"only here")];
    let second = match second_is_old {
        true => world.join_as("second", Brain::Old(Box::new(OldPc::new(false))), rival),
        false => world.join("second", rival),
    };
    let third = world.join("third", &[]);
    world.rest();
    let folders = world.pcs[third].disk.tree.values();
    let folders: BTreeSet<_> = folders.filter_map(|node| node.path.split('/').next()).collect();
    let folders: Vec<_> = folders.into_iter().map(str::to_owned).collect();
    assert_eq!(folders.len(), 2, "{folders:?}");
    (world, [first, second, third], folders[1].clone())
}

#[test]
fn a_livery_in_conflict_is_complete_in_its_conflict_folder() {
    for old in [false, true] {
        let (world, [first, second, third], folder) = conflicting_liveries(old);
        assert!(folder.starts_with("T__CONFLICT__"), "{folder}");
        let whole = ["decals.png", "decals.json", "sponsors.png"];
        let [picture, json, sponsors] = whole.map(|name| format!("{folder}/{name}"));
        let everything: &[(&str, &[u8])] = &[
            (PATH, b"established"),
            ("T/decals.json", b"same"),
            (&picture, b"rival"),
            (&json, b"same"),
            (&sponsors, b"only here"),
        ];
        world.all_hold(&[first, third], everything);
        if !old {
            world.check_files(second, everything);
            // What is his goes aside on his own PC, and what both have is there already.
            assert_eq!(world.received(second), [PATH]);
        }
    }
}

/// The second driver's livery has the first one's name, and nothing else in common with it.
#[test]
fn a_livery_without_a_collision_is_kept_apart() {
    for old in [false, true] {
        let mut world = World::of_whole_liveries();
        let first = world.join("first", &[(PATH, b"established")]);
        world.rest();
        let other: &[(&str, &[u8])] = &[("T/sponsors.png", b"other"), ("T/sub/x.png", b"x")];
        let second = match old {
            true => world.join_as("second", Brain::Old(Box::new(OldPc::new(false))), other),
            false => world.join("second", other),
        };
        let third = world.join("third", &[]);
        world.rest();
        let names = world.pcs[third].disk.tree.values().map(|node| node.path.clone());
        let names: Vec<_> = names.filter(|name| name.starts_with("T__CONFLICT__")).collect();
        assert_eq!(names.len(), 2, "{names:?}");
        let everything: &[(&str, &[u8])] =
            &[(PATH, b"established"), (&names[0], b"other"), (&names[1], b"x")];
        world.all_hold(&[first, third], everything);
        if !old {
            world.check_files(second, everything);
            assert_eq!(world.received(second), [PATH]);
        }
        // By now they have it, so what they add belongs to it.
        world.drop_now(third, "T/decals.json", b"added");
        world.rest();
        assert_eq!(world.text(first, "T/decals.json").unwrap(), b"added");
    }
}

/// His files appear one by one, so that the other livery is there before the last of them.
#[test]
fn a_livery_that_is_copied_in_slowly_is_kept_apart_as_a_whole() {
    for old in [false, true] {
        for pause in [SECOND, 3 * SECOND, 20 * SECOND] {
            let mut world = World::of_whole_liveries();
            let first = world.join("first", &[(PATH, b"established")]);
            world.rest();
            let mut names: Vec<_> = (1..5).map(|number| format!("T/piece {number}.png")).collect();
            names.push(PATH.to_owned());
            let begun: &[(&str, &[u8])] = &[(&names[0], b"piece")];
            let second = match old {
                true => world.join_as("second", Brain::Old(Box::new(OldPc::new(false))), begun),
                false => world.join("second", begun),
            };
            for name in &names[1..] {
                world.run_for(pause);
                world.drop_now(second, name, name.as_bytes());
            }
            world.run_for(30 * SECOND);
            world.rest();
            let names = world.pcs[first].disk.tree.values().map(|node| node.path.clone());
            let (own, other): (Vec<_>, Vec<_>) = names.partition(|name| name.starts_with("T/"));
            assert_eq!(own, [PATH], "{old} {pause}");
            let folders: BTreeSet<_> = other.iter().map(|name| name.split('/').next()).collect();
            assert_eq!((folders.len(), other.len()), (1, 5), "{old} {pause}: {other:?}");
        }
    }
}

#[test]
fn an_edit_of_a_livery_that_was_kept_apart_counts_in_either_folder() {
    let name = "T/sponsors.png";
    for pause in [1, 2, 4, 41] {
        let mut world = World::of_whole_liveries();
        let first = world.join("first", &[(PATH, b"established")]);
        world.rest();
        let second = world.join("second", &[(name, b"other")]);
        world.run_for(pause * SECOND);
        world.drop_now(second, name, b"edited");
        world.given_up.insert(Content::of(b"other").hash);
        world.rest();
        let copies: Vec<_> = world.pcs[first].disk.tree.values().collect();
        let edited = copies.iter().filter(|node| node.content == Content::of(b"edited"));
        let edited: Vec<_> = edited.map(|node| node.path.as_str()).collect();
        assert_eq!((copies.len(), edited.len()), (2, 1), "{pause}: {copies:?}");
        world.all_hold(&[first, second], &[(PATH, b"established"), (edited[0], b"edited")]);
    }
}

/// In the livery's folder it is a file of its own; beside the picture that went aside the game would take it for its
/// cache, and nobody would take it.
#[test]
fn a_file_that_would_be_a_cache_in_the_conflict_folder_gets_another_folder() {
    let mut world = World::of_whole_liveries();
    let first = world.join("first", &[("T/sponsors.png", b"established")]);
    world.rest();
    let second = world.join("second", &[(PATH, b"other")]);
    world.rest();
    world.drop_now(second, "T/decals_0.dds", b"its own");
    world.rest();
    for pc in [first, second] {
        let holds = |content: &[u8]| world.pcs[pc].disk.holds(Content::of(content));
        assert!(holds(b"other") && holds(b"its own"));
    }
}

/// An added file changes a livery as well.
#[test]
fn if_only_owners_update_an_addition_by_another_member_is_a_conflict_copy() {
    let mut world = league();
    world.set(Setting::Updates, "owner");
    let pcs = [world.join("owner", &[(PATH, b"paint")]), world.join("other", &[])];
    world.rest();
    world.drop_now(pcs[1], "T/sponsors.png", b"added");
    world.rest();
    let copy = crate::named::conflict("T/sponsors.png", b"added");
    world.all_hold(&pcs, &[(PATH, b"paint"), (&copy, b"added")]);
    world.resolve("T/sponsors.png", b"added").unwrap();
    world.rest();
    world.all_hold(&pcs, &[(PATH, b"paint"), ("T/sponsors.png", b"added")]);
}

#[test]
fn an_admin_keeps_one_of_two_whole_liveries() {
    for keep_copy in [false, true] {
        let (mut world, pcs, _) = conflicting_liveries(false);
        let kept: &[(&str, &[u8])] = if keep_copy {
            &[(PATH, b"rival"), ("T/decals.json", b"same"), ("T/sponsors.png", b"only here")]
        } else {
            &[(PATH, b"established"), ("T/decals.json", b"same")]
        };
        for given_up in [&b"established"[..], b"rival", b"only here"] {
            if !kept.iter().any(|(_, kept)| *kept == given_up) {
                world.given_up.insert(Content::of(given_up).hash);
            }
        }
        let keep = Content::of(kept[0].1).hash.short();
        world.administer(Act::Resolve { path: PATH.into(), keep }).unwrap();
        world.rest();
        world.all_hold(&pcs, kept);
    }
}

/// A driver's livery appears in their folder while another one of its name is on its way to them.
#[test]
fn a_livery_that_appears_while_another_arrives_is_kept_whole() {
    let mut played = 0;
    for wait in 0.. {
        let mut world = World::of_whole_liveries();
        let first = world.join("first", &[(PATH, b"established"), ("T/decals.json", b"same")]);
        world.rest();
        let second = world.join("second", &[]);
        world.pcs[second].disk_pace = SECOND / 5;
        world.run_for(wait * SECOND / 50);
        if world.text(second, PATH).is_some() {
            break;
        }
        world.drop_at(second, PATH, b"rival", 0);
        world.drop_at(second, "T/decals.json", b"same", 0);
        world.feed(second, client::Input::FolderChanged);
        world.rest();
        let names: Vec<_> =
            world.pcs[first].disk.tree.values().map(|node| node.path.clone()).collect();
        assert_eq!(names.len(), 4, "{wait}: {names:?}");
        for pc in [first, second] {
            assert_eq!(world.text(pc, PATH).unwrap(), b"established");
            let whole = names.iter().filter(|name| name.starts_with("T__CONFLICT__"));
            assert_eq!(whole.count(), 2, "{wait}: {names:?}");
        }
        played += 1;
    }
    assert!(played > 50, "{played}");
}

#[test]
fn if_two_liveries_share_a_file_an_admin_names_another_file_to_keep_one() {
    let mut world = World::of_whole_liveries();
    let sponsors = "T/sponsors.png";
    let first = world.join("first", &[(PATH, b"established"), (sponsors, b"one")]);
    world.rest();
    let second = world.join("second", &[(PATH, b"rival"), (sponsors, b"two")]);
    world.rest();
    let third = world.join("third", &[(PATH, b"rival"), (sponsors, b"three")]);
    world.rest();
    let several = world.resolve(PATH, b"rival");
    assert!(
        matches!(&several, Err(ActError::SeveralLiveries { folders, .. }) if folders.len() == 2)
    );
    for gone in [&b"established"[..], b"one", b"two"] {
        world.given_up.insert(Content::of(gone).hash);
    }
    world.resolve(sponsors, b"three").unwrap();
    world.rest();
    world.all_hold(&[first, second, third], &[(PATH, b"rival"), (sponsors, b"three")]);
}

#[test]
fn the_driver_of_the_livery_that_stays_owns_it() {
    let mut world = World::of_whole_liveries();
    world.set(Setting::Updates, "owner");
    let first = world.join("first", &[(PATH, b"established")]);
    world.rest();
    let second = world.join("second", &[(PATH, b"rival")]);
    world.rest();
    world.given_up.insert(Content::of(b"established").hash);
    world.resolve(PATH, b"rival").unwrap();
    world.rest();
    world.drop_now(second, PATH, b"next");
    world.rest();
    world.all_hold(&[first, second], &[(PATH, b"next")]);
}

/// A folder may be called like a conflict copy of a livery although the league keeps rival files beside.
#[test]
fn a_folder_with_a_conflict_name_does_not_hinder_an_admin() {
    let mut world = World::remembering();
    let folder = "T__CONFLICT__0badcafe/decals.png";
    let first = world.join("first", &[(PATH, b"established")]);
    world.rest();
    let second = world.join("second", &[(PATH, b"rival"), (folder, b"other")]);
    world.rest();
    world.given_up.insert(Content::of(b"established").hash);
    world.resolve(PATH, b"rival").unwrap();
    world.rest();
    world.all_hold(&[first, second], &[(PATH, b"rival"), (folder, b"other")]);
}

#[test]
fn a_livery_is_renamed_on_every_pc_without_a_download() {
    let mut world = World::remembering();
    let files: &[(&str, &[u8])] = &[(PATH, b"paint"), ("T/decals.json", b"json")];
    let pcs = ["a", "b"].map(|name| world.join(name, files));
    world.rest();
    let taken = Act::Rename { livery: "T".into(), new: "t".into() };
    assert!(matches!(world.administer(taken), Err(ActError::InvalidName { .. })));
    let rename = Act::Rename { livery: "T".into(), new: "Team Seven".into() };
    assert_eq!(world.administer(rename), Ok(ActReport::new(2, 2)));
    world.rest();
    for pc in pcs {
        let renamed: &[(&str, &[u8])] =
            &[("Team Seven/decals.png", b"paint"), ("Team Seven/decals.json", b"json")];
        world.check_files(pc, renamed);
        assert_eq!(world.received(pc), [""; 0]);
    }
}

#[test]
fn if_only_owners_update_an_edit_by_another_member_conflicts() {
    let mut world = World::remembering();
    world.set(Setting::Updates, "owner");
    let owner = world.join("owner", &[(PATH, b"one")]);
    let other = world.join("other", &[]);
    world.rest();
    world.drop_now(other, PATH, b"mine");
    world.rest();
    let copy = crate::named::conflict(PATH, b"mine");
    world.all_hold(&[owner, other], &[(PATH, b"one"), (&copy, b"mine")]);
    world.drop_now(owner, PATH, b"two");
    world.rest();
    world.all_hold(&[owner, other], &[(PATH, b"two"), (&copy, b"mine")]);
    let member = liverysync_core::league::MemberId::of(&crate::named::key_of("other"));
    world.administer(Act::Own { livery: "T".into(), member }).unwrap();
    world.drop_now(other, PATH, b"three");
    world.rest();
    world.all_hold(&[owner, other], &[(PATH, b"three"), (&copy, b"mine")]);
}

/// An update whose bytes never come must not take the name's content with it.
#[test]
fn an_update_that_never_arrives_expires() {
    use crate::liar::{Liar, Lie};
    let mut world = World::remembering();
    let honest = world.join("honest", &[(PATH, b"paint")]);
    world.rest();
    let mut liar = Liar::new(true, Lie::Skip);
    liar.base = Some(Content::of(b"paint").hash);
    liar.claim(PATH, Bytes::from_static(b"never comes"));
    let liar = world.join_as("liar", Brain::Liar(Box::new(liar)), &[]);
    world.run_for(60 * SECOND);
    assert!(matches!(world.hub, Hub::Ours(_)));
    world.crash(liar);
    let new = world.join("new", &[]);
    world.rest_of_us();
    world.all_hold(&[honest, new], &[(PATH, b"paint")]);
}

impl World {
    /// Returns the plan of a PC that is off.
    fn dry_run(&mut self, pc: usize) -> client::Plan {
        let Brain::Ours(ours) = &mut self.pcs[pc].brain else {
            panic!("PC {pc} is not one of ours")
        };
        ours.config.dry_run = true;
        self.start(pc);
        self.run_for(20 * SECOND);
        self.plan(pc)
    }

    fn plan(&self, pc: usize) -> client::Plan {
        let plan = self.events(pc).iter().find_map(|event| match event {
            client::Event::Plan(plan) => Some(plan.clone()),
            _ => None,
        });
        plan.expect("a plan")
    }
}

#[test]
fn a_dry_run_tells_an_update_from_a_conflict() {
    let names = |files: &[(RelPath, u64)]| -> Vec<_> {
        files.iter().map(|(path, _)| path.as_str().to_owned()).collect()
    };
    let files: [(&str, &[u8]); 2] = [("A/decals.png", b"a"), ("B/decals.png", b"b")];
    let mut world = league();
    let other = world.join("other", &files);
    let away = world.join("away", &[]);
    world.leave(away);
    world.drop_at(away, "A/decals.png", b"edited away", 60 * SECOND);
    world.drop_now(other, "B/decals.png", b"edited here");
    world.run_until_rest(20 * SECOND, 60 * MINUTE);
    let plan = world.dry_run(away);
    assert_eq!(names(&plan.send), ["A/decals.png"]);
    assert_eq!(names(&plan.receive), ["B/decals.png"]);
    assert!(plan.conflicts.is_empty(), "{:?}", plan.conflicts);
}

#[test]
fn a_dry_run_plans_nothing_for_an_ignored_livery() {
    let mut world = league();
    world.join("other", &[("A/decals.png", b"a"), ("B/decals.png", b"b")]);
    let picky = world.join("picky", &[("A/decals.png", b"mine")]);
    world.leave(picky);
    let Brain::Ours(ours) = &mut world.pcs[picky].brain else { panic!("one of ours") };
    ours.config.ignored = client::Ignored::parse("a");
    let plan = world.dry_run(picky);
    assert!(plan.receive.is_empty() && plan.send.is_empty() && plan.conflicts.is_empty());
    assert_eq!(
        plan.refuse[0],
        ("A/decals.png".to_owned(), "its livery is ignored on this PC".to_owned())
    );
}

#[test]
fn a_dry_run_shows_unavailable_files_and_open_conflicts() {
    use crate::liar::{Liar, Lie};
    let mut world = league();
    world.join("first", &[(PATH, b"established")]);
    world.rest();
    let mut liar = Liar::new(true, Lie::WrongBytes);
    liar.claim("Never/decals.png", Bytes::from_static(b"never comes"));
    world.join_as("liar", Brain::Liar(Box::new(liar)), &[]);
    let second = world.join("second", &[(PATH, b"rival")]);
    world.run_for(60 * SECOND);
    world.crash(second);
    let plan = world.dry_run(second);
    assert!(plan.is_in_sync(), "{plan:?}");
    let paths: Vec<_> = plan.unavailable.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["Never/decals.png"]);
    let [open_conflict] = &plan.open_conflicts[..] else { panic!("{:?}", plan.open_conflicts) };
    assert_eq!(open_conflict.path.as_str(), PATH);
    assert_eq!(open_conflict.copy.as_str(), crate::named::conflict(PATH, b"rival"));
    assert_eq!(
        (open_conflict.yours, open_conflict.sha256),
        (ConflictSide::Copy, Content::of(b"rival").hash)
    );
}

#[test]
fn a_dry_run_names_the_folder_of_a_livery_that_will_be_kept_apart() {
    let other: &[(&str, &[u8])] = &[("T/sponsors.png", b"other")];
    let mut world = World::of_whole_liveries();
    let first = world.join("first", &[(PATH, b"established"), ("U/decals.png", b"common")]);
    world.rest();
    let dry = crate::named::dry_run("dry");
    let mut more = other.to_vec();
    more.extend([("U/decals.png", &b"common"[..]), ("U/decals.json", b"added")]);
    let dry = world.join_as("dry", Brain::Ours(Box::new(Ours::new(dry))), &more);
    world.run_for(20 * SECOND);
    let plan = world.plan(dry);
    let [(own, kept_as)] = &plan.conflicts[..] else { panic!("{:?}", plan.conflicts) };
    assert_eq!(own.as_str(), other[0].0);
    world.crash(dry);
    let second = world.join("second", other);
    world.rest_of_us();
    let everything =
        [(PATH, &b"established"[..]), (kept_as.as_str(), b"other"), ("U/decals.png", b"common")];
    world.all_hold(&[first, second], &everything);
    for (pc, own) in [(first, ConflictSide::Established), (second, ConflictSide::Copy)] {
        world.crash(pc);
        let plan = world.dry_run(pc);
        assert!(plan.is_in_sync(), "{plan:?}");
        let [open_conflict] = &plan.open_conflicts[..] else { panic!("{:?}", plan.open_conflicts) };
        let (name, copy) = (open_conflict.path.as_str(), open_conflict.copy.as_str());
        assert_eq!((name, copy, open_conflict.free), (other[0].0, kept_as.as_str(), true));
        assert_eq!((open_conflict.yours, open_conflict.sha256), (own, Content::of(b"other").hash));
    }
}

#[test]
fn a_league_keeps_its_settings_whatever_a_later_server_is_told() {
    let mut world = World::remembering();
    world.stop_hub();
    world.server_config.naming.scope = Scope::Livery;
    world.server_config.policy = Policy::NewestMtime;
    world.server_config.settings_given = [Setting::ConflictScope].into();
    world.start_hub();
    // The first server has written down its own; only what the second one was told explicitly is worth a word.
    let differing = world.server_events.iter().filter_map(|event| match event {
        server::Event::SettingsDiffer { settings } => Some(settings),
        _ => None,
    });
    let differing = differing.flatten().map(|one| (one.setting, &*one.used, &*one.given));
    let differing: Vec<_> = differing.collect();
    assert_eq!(differing, [(Setting::ConflictScope, "file", "livery")]);
    let pcs = ["first", "second"].map(|name| world.join(name, &[]));
    world.drop_now(pcs[0], PATH, b"first");
    world.rest();
    world.drop_now(pcs[1], "U/decals.png", b"second");
    world.drop_now(pcs[1], PATH, b"rival");
    world.rest();
    let names: Vec<_> = world.union_names();
    assert!(!names.iter().any(|name| name.starts_with("T__CONFLICT__")), "{names:?}");
}

#[test]
fn a_change_of_suffix_or_scope_affects_new_conflicts_only() {
    let mut world = World::remembering();
    let first = world.join("first", &[("A/decals.png", b"a"), ("B/decals.png", b"b")]);
    world.leave(first);
    world.join("second", &[("A/decals.png", b"another a")]);
    world.rest_of_us();
    world.set(Setting::ConflictSuffix, "_RIVAL_");
    world.set(Setting::ConflictScope, "livery");
    for restarts in [false, true] {
        if restarts {
            world.restart_hub();
        }
        let conflicts = world.conflicts();
        assert_eq!(conflicts.len(), 1, "{conflicts:?}");
        assert!(conflicts[0].1.starts_with("A/decals__CONFLICT__"), "{conflicts:?}");
    }
    world.join("third", &[("B/decals.png", b"another b")]);
    world.rest_of_us();
    let conflicts = world.conflicts();
    assert_eq!(conflicts.len(), 2, "{conflicts:?}");
    assert!(conflicts[1].1.starts_with("B_RIVAL_"), "{conflicts:?}");
    let keep = Content::of(b"another a").hash.short();
    world.administer(Act::Resolve { path: "A/decals.png".into(), keep }).unwrap();
    assert_eq!(world.conflicts().len(), 1);
}

#[test]
fn a_client_recognizes_conflict_copies_by_the_suffix_of_its_league() {
    let mut world = World::remembering();
    world.set(Setting::ConflictSuffix, "_RIVAL_");
    let pcs = ["first", "second"].map(|name| {
        let pc = world.join(name, &[(PATH, name.as_bytes())]);
        world.rest();
        pc
    });
    let copies = |world: &World| pcs.map(|pc| world.last_conflict_copies(pc));
    let of_second = conflict_copy("_RIVAL_", b"second");
    assert_eq!(copies(&world), [[of_second.clone()], [of_second.clone()]]);
    // Those who are connected learn of a change too.
    world.set(Setting::ConflictSuffix, "_OTHER_");
    let third = world.join("third", &[(PATH, b"third")]);
    world.rest();
    let all = [conflict_copy("_OTHER_", b"third"), of_second];
    assert_eq!(copies(&world), [all.clone(), all.clone()]);
    assert_eq!(world.last_conflict_copies(third), all);
}

#[test]
fn drivers_are_told_who_keeps_the_name_that_their_file_lost() {
    let mut world = World::remembering();
    world.set(Setting::ConflictSuffix, "_RIVAL_");
    let first = world.join("first", &[(PATH, b"first")]);
    world.leave(first);
    // The server knows the name from its memory.
    world.restart_hub();
    let second = world.join("second", &[(PATH, b"second")]);
    world.rest_of_us();
    let Brain::Ours(ours) = &world.pcs[second].brain else { panic!("no client of ours") };
    let conflicts = ours.events.iter().filter_map(|event| match event {
        client::Event::Conflict { path, conflict_path, keeper } => {
            Some((path.as_str(), conflict_path.as_str(), keeper.as_deref()))
        }
        _ => None,
    });
    let copy = conflict_copy("_RIVAL_", b"second");
    assert_eq!(conflicts.collect::<Vec<_>>(), [(PATH, &*copy, Some("first"))]);
}

fn conflict_copy(suffix: &str, content: &[u8]) -> String {
    format!("T/decals{suffix}{}.png", Content::of(content).hash.short())
}

#[test]
fn a_type_that_the_league_adds_is_distributed_at_once() {
    let mut world = World::remembering();
    let extensions = "dds,jpeg,jpg,json,png,txt,webp";
    let wide = liverysync_core::path::Extensions::from_list(extensions.split(',')).unwrap();
    let pcs = ["first", "second"].map(|name| world.join(name, &[]));
    for pc in pcs {
        if let Brain::Ours(ours) = &mut world.pcs[pc].brain {
            ours.config.rules.extensions = wide.clone();
            ours.config.naming.extensions = wide.clone();
        }
        world.crash(pc);
        world.start(pc);
    }
    world.drop_now(pcs[0], "T/preview.webp", b"picture");
    world.drop_now(pcs[0], PATH, b"paint");
    world.run_for(60 * SECOND);
    assert_eq!(world.union_names(), [PATH]);
    world.set(Setting::Extensions, extensions);
    world.rest();
    world.all_hold(&pcs, &[(PATH, b"paint"), ("T/preview.webp", b"picture")]);
}
