//! Shared liveries: the first contact with a league, lists of shared liveries, and PCs that only send or only
//! receive.

use liverysync_core::{
    client::{self, Event, LiveryGlobs, Outstanding},
    hash::Content,
    wire::messages::Role,
};

use super::{PLENTY, config, league};
use crate::rig::{Brain, NewPc, SECOND, World};

/// Returns a client of a driver who has not chosen what to share.
fn undecided(name: &str) -> Brain {
    let mut config = config(name);
    config.share = None;
    Brain::New(Box::new(NewPc::new(config)))
}

fn sharing(name: &str, globs: &str) -> Brain {
    let mut config = config(name);
    config.share = Some(LiveryGlobs::parse(globs));
    Brain::New(Box::new(NewPc::new(config)))
}

fn only(name: &str, role: Role) -> Brain {
    let mut config = config(name);
    config.only = Some(role);
    Brain::New(Box::new(NewPc::new(config)))
}

/// Returns a file for each of so many liveries.
fn liveries(number: usize) -> Vec<(String, Vec<u8>)> {
    (0..number).map(|at| (format!("Old {at:02}/decals.png"), format!("old {at}").into())).collect()
}

fn borrowed(files: &[(String, Vec<u8>)]) -> Vec<(&str, &[u8])> {
    files.iter().map(|(path, bytes)| (path.as_str(), &bytes[..])).collect()
}

/// Returns the number of liveries in each question.
fn questions(world: &World, pc: usize) -> Vec<usize> {
    let asked = world.events(pc).iter().filter_map(|event| match event {
        Event::ShareNeeded { liveries, .. } => Some(*liveries),
        _ => None,
    });
    asked.collect()
}

/// Returns what was outstanding when a PC was last in sync.
fn outstanding(world: &World, pc: usize) -> Vec<Outstanding> {
    let last = world.events(pc).iter().rev().find_map(|event| match event {
        Event::InSync { outstanding, .. } => Some(outstanding.clone()),
        _ => None,
    });
    last.expect("it was in sync")
}

fn remembered(world: &World, pc: usize) -> Option<LiveryGlobs> {
    let Brain::New(new_pc) = &world.pcs[pc].brain else { panic!("no client of protocol 2") };
    new_pc.config.share.clone()
}

impl World {
    fn settle_down(&mut self) {
        self.run_until_rest(20 * SECOND, PLENTY);
    }

    fn share(&mut self, pc: usize, globs: &str) {
        self.feed(pc, client::Input::Share(LiveryGlobs::parse(globs)));
    }
}

const IRIS: (&str, &[u8]) = ("Iris/decals.png", b"iris");

#[test]
fn a_first_contact_with_many_new_liveries_publishes_none_of_them_until_told() {
    let mut world = league();
    let aoi = world.join("aoi", &[IRIS]);
    world.settle_down();
    let old = liveries(11);
    let bruno = world.join_as("bruno", undecided("bruno"), &borrowed(&old));
    world.settle_down();
    world.check_files(aoi, &[IRIS]);
    let mut all = borrowed(&old);
    all.push(IRIS);
    world.check_files(bruno, &all);
    assert_eq!(questions(&world, bruno), [11]);
    assert_eq!(outstanding(&world, bruno).len(), 11);
    assert!(world.is_in_sync(bruno) && world.is_in_sync(aoi));
    assert_eq!(remembered(&world, bruno), None);

    world.share(bruno, "old 0*\n!old 03");
    world.settle_down();
    let chosen: Vec<_> =
        all.iter().filter(|(path, _)| *path != old[3].0 && *path != old[10].0).copied().collect();
    world.check_files(aoi, &chosen);
    world.check_files(bruno, &all);
    assert_eq!(outstanding(&world, bruno), []);

    world.share(bruno, "*");
    world.rest();
    world.all_hold(&[aoi, bruno], &all);
    assert_eq!(questions(&world, bruno), [11]);
}

#[test]
fn a_first_contact_with_few_new_liveries_asks_nothing_and_is_remembered() {
    let mut world = league();
    let old = liveries(12);
    // The league has two of them already.
    let aoi = world.join("aoi", &borrowed(&old[..2]));
    world.settle_down();
    let bruno = world.join_as("bruno", undecided("bruno"), &borrowed(&old));
    world.rest();
    world.all_hold(&[aoi, bruno], &borrowed(&old));
    assert_eq!(questions(&world, bruno), [0; 0]);
    assert_eq!(remembered(&world, bruno), Some(LiveryGlobs::all()));
}

#[test]
fn a_question_outlives_the_link_and_the_client() {
    let mut world = league();
    let aoi = world.join("aoi", &[IRIS]);
    let old = liveries(11);
    let bruno = world.join_as("bruno", undecided("bruno"), &borrowed(&old));
    world.settle_down();
    world.restart_server();
    world.settle_down();
    world.crash(bruno);
    world.start(bruno);
    world.settle_down();
    world.check_files(aoi, &[IRIS]);
    assert_eq!(questions(&world, bruno), [11]);
    // The driver removes some, so there is nothing to ask any more.
    world.pcs[bruno].disk.remove(&old[0].0);
    world.feed(bruno, client::Input::FolderChanged);
    world.settle_down();
    let mut all = borrowed(&old[1..]);
    all.push(IRIS);
    world.all_hold(&[aoi, bruno], &all);
}

#[test]
fn on_protocol_1_everything_that_was_never_in_sync_is_asked_about() {
    let mut world = World::new(1);
    // The later generation serves nobody who publishes nothing.
    world.start_old_server(false);
    let aoi = world.join("aoi", &[IRIS]);
    let old = liveries(11);
    let bruno = world.join_as("bruno", undecided("bruno"), &borrowed(&old));
    world.settle_down();
    world.check_files(aoi, &[IRIS]);
    assert_eq!(questions(&world, bruno), [11]);
    assert_eq!(world.text(bruno, IRIS.0).as_deref(), Some(IRIS.1));
    world.share(bruno, "*");
    world.settle_down();
    assert_eq!(world.pcs[aoi].disk.tree.len(), 12);
}

#[test]
fn a_list_of_shared_liveries_concerns_new_ones_only() {
    let mut world = World::remembering();
    let aoi = world.join("aoi", &[IRIS, ("Twin/decals.png", b"aoi's")]);
    world.settle_down();
    let own: [(&str, &[u8]); 4] = [
        ("904 Mine/decals.png", b"mine"),
        ("Private/decals.png", b"private"),
        ("Twin/decals.png", b"bruno's"),
        ("Twin/sponsors.png", b"bruno's sponsors"),
    ];
    let bruno = world.join_as("bruno", sharing("bruno", "904*"), &own);
    world.settle_down();
    // What is private gives way to what the league has under its name, and is kept.
    let league = [IRIS, ("Twin/decals.png", b"aoi's"), own[0]];
    world.check_files(aoi, &league);
    world.check_files(bruno, &[league[0], league[1], league[2], own[1]]);
    let backups: Vec<_> = world.pcs[bruno].disk.backup.values().copied().collect();
    for (_, bytes) in &own[2..] {
        assert!(backups.contains(&Content::of(bytes)), "{}", String::from_utf8_lossy(bytes));
    }

    // What the league has is edited and completed as ever.
    world.drop_now(bruno, IRIS.0, b"iris, better");
    world.drop_now(bruno, "Iris/sponsors.png", b"sponsors");
    world.drop_now(aoi, own[0].0, b"mine, helped");
    world.settle_down();
    for pc in [aoi, bruno] {
        assert_eq!(world.text(pc, IRIS.0).as_deref(), Some(&b"iris, better"[..]));
        assert_eq!(world.text(pc, "Iris/sponsors.png").as_deref(), Some(&b"sponsors"[..]));
        assert_eq!(world.text(pc, own[0].0).as_deref(), Some(&b"mine, helped"[..]));
    }
    assert_eq!(world.conflicts(), []);
}

#[test]
fn a_pc_that_only_receives_publishes_nothing_and_keeps_its_edits() {
    let mut world = World::remembering();
    let aoi = world.join("aoi", &[IRIS, ("Twin/decals.png", b"aoi's")]);
    world.settle_down();
    let own: [(&str, &[u8]); 2] = [("Mine/decals.png", b"mine"), ("Twin/decals.png", b"bruno's")];
    let bruno = world.join_as("bruno", only("bruno", Role::Target), &own);
    world.settle_down();
    let league: [(&str, &[u8]); 2] = [IRIS, ("Twin/decals.png", b"aoi's")];
    world.check_files(aoi, &league);
    world.check_files(bruno, &[own[0], league[0], league[1]]);

    world.drop_now(bruno, IRIS.0, b"tinted");
    world.settle_down();
    assert_eq!(world.text(bruno, IRIS.0).as_deref(), Some(&b"tinted"[..]));
    assert_eq!(world.text(aoi, IRIS.0).as_deref(), Some(IRIS.1));
    assert!(world.is_in_sync(bruno));
    world.crash(bruno);
    world.start(bruno);
    world.settle_down();
    assert_eq!(world.text(bruno, IRIS.0).as_deref(), Some(&b"tinted"[..]));

    world.drop_now(aoi, IRIS.0, b"iris 2");
    world.settle_down();
    assert_eq!(world.text(bruno, IRIS.0).as_deref(), Some(&b"iris 2"[..]));
    let tinted = Content::of(b"tinted");
    assert!(world.pcs[bruno].disk.backup.values().any(|kept| *kept == tinted));
    assert_eq!(world.conflicts(), []);
    assert_eq!(world.union_names(), ["Iris/decals.png", "Twin/decals.png"]);
}

#[test]
fn a_pc_that_only_sends_downloads_nothing_and_counts_as_in_sync() {
    let mut world = World::remembering();
    let aoi = world.join("aoi", &[IRIS, ("Twin/decals.png", b"aoi's")]);
    world.settle_down();
    let own: [(&str, &[u8]); 2] = [("Mine/decals.png", b"mine"), ("Twin/decals.png", b"bruno's")];
    let bruno = world.join_as("bruno", only("bruno", Role::Source), &own);
    world.settle_down();
    world.check_files(bruno, &own);
    assert!(world.is_in_sync(bruno));
    assert_eq!(world.text(aoi, own[0].0).as_deref(), Some(own[0].1));
    assert_eq!(world.text(aoi, "Twin/decals.png").as_deref(), Some(&b"aoi's"[..]));
    assert_eq!(world.conflicts().len(), 1);
    // An edit of what lost its name is no update of what has it.
    world.drop_now(bruno, "Twin/decals.png", b"bruno's, better");
    world.drop_now(bruno, "Mine/decals.png", b"mine, better");
    world.settle_down();
    assert_eq!(world.text(aoi, "Twin/decals.png").as_deref(), Some(&b"aoi's"[..]));
    assert_eq!(world.text(aoi, "Mine/decals.png").as_deref(), Some(&b"mine, better"[..]));
    assert!(world.received(bruno).is_empty());
}

#[test]
fn globs_that_match_no_livery_are_named_once() {
    let mut world = league();
    world.join("aoi", &[IRIS]);
    world.settle_down();
    let mut picky = config("picky");
    picky.ignored = LiveryGlobs::parse("iris\nirsi\nmine");
    picky.share = Some(LiveryGlobs::parse("904*\nMine\n*"));
    let files: [(&str, &[u8]); 1] = [("Mine/decals.png", b"mine")];
    let picky = world.join_as("picky", Brain::New(Box::new(NewPc::new(picky))), &files);
    world.settle_down();
    let told = world.events(picky).iter().filter_map(|event| match event {
        Event::GlobsUnmatched { shared, globs } => Some((*shared, globs.clone())),
        _ => None,
    });
    let told: Vec<_> = told.collect();
    assert_eq!(told, [(false, vec!["irsi".to_owned()]), (true, vec!["904*".to_owned()])]);
}
