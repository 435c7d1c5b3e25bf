//! Scenarios reduced from seeds that once failed.

use std::collections::BTreeSet;

use liverysync_core::{
    client, conflict::Scope, hash::Content, manifest::Manifest, server, transfer::CHUNK_BYTES,
};

use crate::{
    net::Dir,
    old_pc::OldPc,
    rig::{Brain, MILLISECOND, MINUTE, SECOND, World},
    scenarios::{conflict, league},
};

impl World {
    fn cut_off(&mut self, pc: usize, dirs: &[Dir]) {
        let link = self.pcs[pc].link.unwrap();
        for dir in dirs {
            self.partition(link, *dir);
        }
    }

    fn manifest(&self, pc: usize) -> Manifest {
        match &self.pcs[pc].brain {
            Brain::New(new_pc) => new_pc.machine.as_ref().unwrap().manifest(),
            _ => panic!("PC {pc} does not speak protocol 2"),
        }
    }

    /// Returns the number of sessions that have ended at a PC.
    fn ended(&self, pc: usize) -> usize {
        let ended = |event: &&client::Event| matches!(event, client::Event::SessionEnded { .. });
        self.events(pc).iter().filter(ended).count()
    }

    /// Returns how often the server has heard from a PC what it has.
    fn reports_of(&self, pc: &str) -> usize {
        let of_pc = |event: &&server::Event| matches!(event, server::Event::Manifest { name, .. } if name == pc);
        self.server_events.iter().filter(of_pc).count()
    }
}

#[test]
fn a_league_rests_only_once_an_old_client_has_connected_again() {
    let mut world = league();
    let old = world.join_as("old", Brain::Old(Box::new(OldPc::new(true))), &[("T/a.png", b"a")]);
    world.join("ours", &[]);
    world.rest();
    let link = world.pcs[old].link.unwrap();
    world.cut_off(old, &[Dir::Up, Dir::Down]);
    world.run_for(3 * MINUTE);
    assert!(world.links[link].member.is_none(), "the server gave it up");
    world.heal_link(link);
    world.run_for(SECOND);
    assert!(world.pcs[old].link.is_none(), "it learns only now that it was given up");
    world.rest();
}

// The server hears of an installed file when its session is done. Until then it takes the PC to lack that content.
#[test]
fn a_content_that_an_open_session_brought_is_copied_not_downloaded() {
    let mut world = league();
    let big = vec![7; 4 * CHUNK_BYTES];
    let source = world.join("source", &[("A/a.png", b"small"), ("Z/z.dds", &big)]);
    world.pcs[source].line.up = 20_000;
    let target = world.join("target", &[]);
    world.run_for(20 * SECOND);
    assert!(world.text(target, "A/a.png").is_some());
    assert!(world.text(target, "Z/z.dds").is_none(), "the session is open");
    world.drop_now(source, "M/m.png", b"small");
    world.rest();
    assert_eq!(world.text(target, "M/m.png").unwrap(), b"small");
    assert!(!world.received(target).contains(&"M/m.png".to_owned()));
}

// An install and an edit of the same file may reach the server at one moment. The edit was made of the league's version,
// so it must not become a new version of the driver's own livery under its conflict name.
#[test]
fn an_edit_right_after_an_install_leaves_the_drivers_own_conflicting_livery_alone() {
    let mut world = World::new(1);
    world.server_config.settings.naming.scope = Scope::Livery;
    world.start_server();
    let first = world.join("first", &[("T/a.png", b"the league's")]);
    world.run_for(5 * SECOND);
    let second = world.join("second", &[("T/a.png", b"rival")]);
    world.run_until("the league's has come", |world| world.arrived(second) == 12);
    world.cut_off(second, &[Dir::Up]);
    let installed = |world: &World| world.text(second, "T/a.png").unwrap() == b"the league's";
    world.run_until("it is in place", installed);
    world.drop_now(second, "T/a.png", b"edit of it");
    // The server waits for nothing more of who lacks nothing.
    world.drop_now(first, "U/u.png", b"something else");
    world.run_for(2 * SECOND);
    world.heal_link(world.pcs[second].link.unwrap());
    world.rest();
    assert_eq!(world.text(second, "T/a.png").unwrap(), b"edit of it", "it is an update");
}

// The server hears of an edit a moment before the union takes it in. An offer in between may only replace the version
// that the union knows to be an older one.
#[test]
fn an_edit_that_is_not_yet_in_the_union_is_kept_beside_the_version_that_replaces_it() {
    let mut world = league();
    let path = "T/a.png";
    let first = world.join("first", &[(path, b"one")]);
    let second = world.join("second", &[]);
    world.rest();
    world.feed_server(server::Input::AllowList(Some(BTreeSet::new())));
    world.drop_now(first, path, b"two");
    world.run_for(5 * SECOND);
    assert_eq!(world.text(second, path).unwrap(), b"one", "it is outdated, and gets no other");
    world.drop_now(second, path, b"edit of one");
    let reports = world.reports_of("second");
    world.run_until("the server has heard of the edit", |world| {
        world.reports_of("second") > reports
    });
    world.feed_server(server::Input::AllowList(None));
    world.rest();
    for pc in [first, second] {
        let rival = conflict(path, b"edit of one");
        world.check_files(pc, &[(path, b"two"), (&rival, b"edit of one")]);
    }
}

// The first old server gives a file in conflict a name at which its PC may have another file, and asks for either by that
// name.
#[test]
fn the_first_old_server_gets_both_files_that_it_asks_for_by_one_name() {
    let mut world = World::new(1);
    world.start_old_server(false);
    let path = "T/a.png";
    let mut rivals: [&[u8]; 2] = [b"one", b"two"];
    // The lowest digest keeps the name.
    rivals.sort_by_key(|data| Content::of(data).hash);
    let name = conflict(path, rivals[1]);
    let target = world.join("target", &[(path, rivals[0])]);
    world.run_for(SECOND);
    let source = world.join("source", &[(path, rivals[1]), (&name, b"another file")]);
    world.rest();
    for pc in [target, source] {
        assert_eq!(world.text(pc, path).unwrap(), rivals[0]);
        for data in [rivals[1], b"another file"] {
            assert!(world.pcs[pc].disk.holds(Content::of(data)));
        }
    }
}

// An old client skips a file that is gone without a word. The later old server then asks it for that file again at once,
// and asks nobody who takes part in a session for a manifest.
#[test]
fn the_later_old_server_finds_the_time_to_ask_a_source_what_it_still_has() {
    let mut world = World::new(1);
    world.start_old_server(true);
    let files: [(&str, &[u8]); 2] = [("A/a.png", b"of both"), ("B/b.png", b"gone soon")];
    let source = world.join_as("source", Brain::Old(Box::new(OldPc::new(true))), &files);
    world.run_for(SECOND);
    let gone = world.pcs[source].disk.remove("B/b.png").unwrap();
    world.given_up.insert(gone.content.hash);
    let target = world.join("target", &files[..1]);
    world.rest();
    world.check_files(target, &files[..1]);
    assert!(world.old_server().begun < 4, "the server was told in time what the source has");
}

// A PC that keeps its manifest back must not do so when the server asks it for a file that is gone: the server would ask
// for that again and again.
#[test]
fn an_old_server_hears_at_once_that_a_requested_file_is_gone() {
    let mut world = World::new(1);
    world.start_old_server(false);
    let source = world.join("source", &[("A/a.png", b"a")]);
    world.pcs[source].line.delay_up = 400 * MILLISECOND;
    let target = world.join("target", &[("F/f.png", b"f")]);
    world.run_for(20 * SECOND);
    // The server asks for it after it is gone. The error ends the session, and nobody tells the target.
    world.drop_now(source, "Z/z.png", b"z");
    world.run_until("it is published", |world| world.manifest(source).len() == 3);
    world.pcs[source].disk.remove("Z/z.png");
    world.feed(source, client::Input::FolderChanged);
    let ended = |world: &World| world.ended(target);
    let before = ended(&world);
    world.run_until("the target has waited in vain", |world| ended(world) > before);
    world.crash(source);
    world.pcs[target].disk.remove("F/f.png");
    world.feed(target, client::Input::FolderChanged);
    world.run_until("the target knows", |world| world.manifest(target).len() == 1);
    let begun = world.old_server().begun;
    world.join("third", &[("A/a.png", b"a")]);
    world.run_for(2 * SECOND);
    let begun = world.old_server().begun - begun;
    assert!((1..10).contains(&begun), "{begun} sessions for a file that is gone");
}
