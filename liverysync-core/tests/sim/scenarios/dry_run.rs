//! Dry runs: a plan, and nothing else.

use bytes::Bytes;
use liverysync_core::{
    client::{self, ClientConfig, ConflictSide},
    hash::Content,
    path::RelPath,
};

use super::{PATH, config, conflict, league};
use crate::{
    liar::{Liar, Lie},
    rig::{Brain, MINUTE, NewPc, SECOND, World},
};

/// Returns the configuration of a client that only looks.
fn dry_run(name: &str) -> ClientConfig {
    let mut config = config(name);
    config.dry_run = true;
    config
}

impl World {
    /// Returns the plan of a PC that is off.
    pub(super) fn dry_run(&mut self, pc: usize) -> client::Plan {
        let Brain::New(new_pc) = &mut self.pcs[pc].brain else {
            panic!("PC {pc} does not speak protocol 2")
        };
        new_pc.config.dry_run = true;
        self.start(pc);
        self.run_for(20 * SECOND);
        self.plan(pc)
    }

    fn plan(&self, pc: usize) -> client::Plan {
        let plan = self.events(pc).iter().find_map(|event| match event {
            client::Event::Plan(plan) => Some((**plan).clone()),
            _ => None,
        });
        plan.expect("a plan")
    }
}

#[test]
fn a_dry_run_shows_its_plan_and_changes_nothing() {
    let mut world = league();
    let a = world.join("a", &[("T/x.png", b"established"), ("T/y.png", b"y")]);
    world.run_for(3 * SECOND);
    let dry = dry_run("dry");
    let files: [(&str, &[u8]); 2] = [("T/x.png", b"rival"), ("T/z.png", b"z")];
    let dry = world.join_as("dry", Brain::New(Box::new(NewPc::new(dry))), &files);
    world.run_for(20 * SECOND);
    world.check_files(dry, &files);
    world.check_files(a, &[("T/x.png", b"established"), ("T/y.png", b"y")]);
    let plan = world.events(dry).iter().find_map(|event| match event {
        client::Event::Plan(plan) => Some((**plan).clone()),
        _ => None,
    });
    let plan = plan.expect("a plan");
    let names = |files: &[(RelPath, u64)]| {
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
    let dry = world.join_as("dry", Brain::New(Box::new(NewPc::new(dry))), &[]);
    world.drop_at(dry, "T/new.png", b"new", 0);
    world.run_for(20 * SECOND);
    let plans = world.events(dry).iter().filter_map(|event| match event {
        client::Event::Plan(plan) => Some(plan.send.len()),
        _ => None,
    });
    assert_eq!(plans.collect::<Vec<_>>(), [1]);
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
    let Brain::New(new_pc) = &mut world.pcs[picky].brain else { panic!("a client of protocol 2") };
    new_pc.config.ignored = client::LiveryGlobs::parse("a");
    let plan = world.dry_run(picky);
    assert!(plan.receive.is_empty() && plan.send.is_empty() && plan.conflicts.is_empty());
    assert_eq!(
        plan.refuse[0],
        ("A/decals.png".to_owned(), "its livery is ignored on this PC".to_owned())
    );
}

#[test]
fn a_dry_run_shows_unavailable_files_and_open_conflicts() {
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
    assert_eq!(open_conflict.copy.as_str(), conflict(PATH, b"rival"));
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
    let dry = dry_run("dry");
    let mut more = other.to_vec();
    more.extend([("U/decals.png", &b"common"[..]), ("U/decals.json", b"added")]);
    let dry = world.join_as("dry", Brain::New(Box::new(NewPc::new(dry))), &more);
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
