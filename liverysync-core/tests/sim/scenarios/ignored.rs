//! Liveries that a driver ignores, and liveries that the allow list leaves out.

use liverysync_core::{client, league::Act, server};

use super::{PLENTY, config, conflict, league};
use crate::rig::{Brain, NewPc, SECOND, World};

/// Returns a client that ignores these liveries from its start on.
fn ignoring(name: &str, globs: &str) -> Brain {
    let mut config = config(name);
    config.ignored = client::LiveryGlobs::parse(globs);
    Brain::New(Box::new(NewPc::new(config)))
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
    world.feed(picky, client::Input::Ignore(client::LiveryGlobs::default()));
    world.rest();
    world.check_files(picky, &files);
    assert_eq!(standings_withheld(&world, picky).last(), Some(&0));
}

#[test]
fn an_ignored_livery_is_not_shared_and_stays_as_it_is() {
    let mut world = league();
    let picky = world.join("picky", &[("Mine/decals.png", b"mine"), ("Ours/decals.png", b"ours")]);
    world.run_until_rest(20 * SECOND, PLENTY);
    world.feed(picky, client::Input::Ignore(client::LiveryGlobs::parse("mine")));
    world.run_until_rest(20 * SECOND, PLENTY);
    let other = world.join("other", &[("Mine/decals.png", b"another")]);
    world.run_until_rest(20 * SECOND, PLENTY);
    world.check_files(picky, &[("Mine/decals.png", b"mine"), ("Ours/decals.png", b"ours")]);
    world.check_files(other, &[("Mine/decals.png", b"another"), ("Ours/decals.png", b"ours")]);
    // Wanted again, it is as if it had just been made: nothing of it is lost.
    world.feed(picky, client::Input::Ignore(client::LiveryGlobs::default()));
    world.rest();
    let kept = conflict("Mine/decals.png", b"mine");
    assert_eq!(world.text(other, &kept).as_deref(), Some(&b"mine"[..]));
    assert_eq!(world.text(picky, "Mine/decals.png").as_deref(), Some(&b"another"[..]));
}

#[test]
fn names_on_an_allow_list_that_are_of_no_livery_are_told_once() {
    let mut world = league();
    let list = |text| server::Input::AllowList(server::ServerMachine::parse_allow_list(text));
    let told = |world: &mut World| {
        let names = |event| match event {
            server::Event::AllowListUnmatched { names } => Some(names),
            _ => None,
        };
        std::mem::take(&mut world.server_events).into_iter().filter_map(names).collect::<Vec<_>>()
    };
    // A new league has no liveries to compare with.
    world.feed_server(list("team a\nTaem B\n\"Team B\"\n"));
    assert!(told(&mut world).is_empty());
    let files: [(&str, &[u8]); 2] = [("Team A/decals.png", b"a"), ("Team B/decals.png", b"b")];
    world.join("full", &files);
    world.join("empty", &[]);
    world.run_until_rest(20 * SECOND, PLENTY);
    assert_eq!(told(&mut world), [["\"Team B\"", "Taem B"]]);

    world.feed_server(list("TEAM A\nTaem B\n\"team b\"\n"));
    world.feed_server(list("team a\nteam b"));
    world.run_until_rest(20 * SECOND, PLENTY);
    assert!(told(&mut world).is_empty());
    world.feed_server(list("Team C"));
    assert_eq!(told(&mut world), [["Team C"]]);
}

#[test]
fn a_deleted_livery_that_the_league_still_has_is_named_once() {
    let mut world = World::remembering();
    let files: [(&str, &[u8]); 3] =
        [("Gone/decals.png", b"a"), ("Gone/sponsors.png", b"b"), ("Old/decals.png", b"c")];
    world.join("full", &files);
    let pc = world.join("deletes", &[]);
    world.rest();
    let told = |world: &World| {
        let liveries = world.events(pc).iter().filter_map(|event| match event {
            client::Event::LiveryReturns { livery } => Some(livery.clone()),
            _ => None,
        });
        liveries.collect::<Vec<_>>()
    };
    assert!(told(&world).is_empty());
    // Part of a livery may just be on its way to somewhere else.
    world.pcs[pc].disk.remove(files[0].0);
    world.feed(pc, client::Input::FolderChanged);
    world.rest();
    assert!(told(&world).is_empty());
    for (path, _) in &files[..2] {
        world.pcs[pc].disk.remove(path);
    }
    world.feed(pc, client::Input::FolderChanged);
    world.rest();
    assert_eq!(told(&world), ["Gone"]);
    world.check_files(pc, &files);

    let retire = Act::Retire { liveries: vec!["old".into()], confirmed: true };
    world.administer(retire).unwrap();
    world.rest();
    let restore = Act::Restore { livery: "old".into(), version: None };
    world.administer(restore).unwrap();
    world.rest();
    world.check_files(pc, &files);
    assert_eq!(told(&world), ["Gone"]);
}

#[test]
fn a_changed_allow_list_takes_effect_at_once() {
    let mut world = league();
    world.feed_server(server::Input::AllowList(server::ServerMachine::parse_allow_list(
        "# only this\nteam a\n",
    )));
    let files: [(&str, &[u8]); 2] = [("Team A/decals.png", b"a"), ("Team B/decals.png", b"b")];
    world.join("full", &files);
    let empty = world.join("empty", &[]);
    world.run_until_rest(20 * SECOND, PLENTY);
    world.check_files(empty, &files[..1]);
    world.feed_server(server::Input::AllowList(None));
    world.rest();
    world.check_files(empty, &files);
}
