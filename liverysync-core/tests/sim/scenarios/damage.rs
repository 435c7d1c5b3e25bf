//! Damaged files: they never replace an intact one.

use liverysync_core::{
    client,
    hash::Content,
    inspect::Damage,
    league::{Act, HoldReason, Record},
    server,
};

use super::{PATH, conflict};
use crate::{
    old_pc::OldPc,
    rig::{Brain, MINUTE, World},
};

const GOOD: &[u8] = b"picture";
const DAMAGED: &[u8] = &[0; 9];
const MATERIAL: &str = "T/decals.json";

impl World {
    fn join_old(&mut self, files: &[(&str, &[u8])]) -> usize {
        self.join_as("old", Brain::Old(Box::new(OldPc::new(false))), files)
    }

    /// Returns the damaged files that the server has named, each with whether the league has it.
    fn named(&self) -> Vec<(String, bool)> {
        let named = self.server_events.iter().filter_map(|event| match event {
            server::Event::Damaged { path, damage: Damage::Zeros, published, .. } => {
                Some((path.as_str().to_owned(), *published))
            }
            _ => None,
        });
        named.collect()
    }

    fn held_for(&self) -> Vec<(String, HoldReason)> {
        let union = self.union();
        union.held().map(|hold| (hold.livery.clone(), union.hold_cause(hold).reason)).collect()
    }
}

#[test]
fn a_damaged_file_of_an_old_client_replaces_nothing() {
    let mut world = World::remembering();
    let other = world.join("other", &[(PATH, GOOD), (MATERIAL, b"{}")]);
    let old = world.join_old(&[]);
    world.rest();
    world.drop_at(old, PATH, DAMAGED, 0);
    // Until the server has asked it again.
    world.run_for(MINUTE);
    world.rest();
    world.all_hold(&[other], &[(PATH, GOOD), (MATERIAL, b"{}")]);
    world.check_files(old, &[(PATH, DAMAGED), (MATERIAL, b"{}")]);
    assert_eq!(world.named(), [(PATH.to_owned(), false)]);
    assert_eq!(world.held_for(), [("T".to_owned(), HoldReason::Damaged)]);
    // An admin cannot approve it.
    world.administer(Act::Approve { liveries: vec!["T".to_owned()], from: None }).unwrap();
    world.rest();
    assert_eq!(world.conflicts(), []);
    // It is in conflict once it is intact.
    world.drop_at(old, PATH, b"edited", 0);
    world.run_for(MINUTE);
    world.rest();
    let copy = conflict(PATH, b"edited");
    world.all_hold(&[other], &[(PATH, GOOD), (MATERIAL, b"{}"), (&copy, b"edited")]);
    assert_eq!(world.held_for(), []);
}

#[test]
fn what_somebody_had_before_they_met_the_league_is_inspected() {
    let mut world = World::remembering();
    let author = world.join("author", &[(PATH, GOOD), (MATERIAL, b"{}")]);
    world.rest();
    let newcomer = world.join("newcomer", &[(PATH, DAMAGED)]);
    world.rest();
    world.check_files(author, &[(PATH, GOOD), (MATERIAL, b"{}")]);
    world.check_files(newcomer, &[(PATH, DAMAGED), (MATERIAL, b"{}")]);
    let is_told = |event: &client::Event| matches!(event, client::Event::Held { cause: HoldReason::Damaged, livery, .. } if livery == "T");
    assert!(world.events(newcomer).iter().any(is_told));
    // It stays known, also to a server that starts again.
    world.restart_server();
    world.rest();
    assert_eq!(world.held_for(), [("T".to_owned(), HoldReason::Damaged)]);
    world.pcs[newcomer].disk.remove(PATH).unwrap();
    world.given_up.insert(Content::of(DAMAGED).hash);
    world.feed(newcomer, client::Input::FolderChanged);
    world.rest();
    world.all_hold(&[author, newcomer], &[(PATH, GOOD), (MATERIAL, b"{}")]);
    assert_eq!(world.held_for(), []);
}

#[test]
fn with_nothing_intact_to_replace_a_damaged_file_is_published_and_named() {
    let mut world = World::remembering();
    let first = world.join("first", &[(PATH, DAMAGED)]);
    world.rest();
    assert_eq!(world.named(), [(PATH.to_owned(), true)]);
    let old = world.join_old(&[(PATH, &[0; 5])]);
    world.rest();
    let copy = conflict(PATH, &[0; 5]);
    world.check_files(first, &[(PATH, DAMAGED), (&copy, &[0; 5])]);
    assert_eq!(world.named().len(), 2);
    let damaged: Vec<_> = world.union().damaged().map(|(entry, _)| entry.content.size).collect();
    assert_eq!(damaged, [9, 5]);
    let _unused = old;
}

#[test]
fn contents_of_an_earlier_run_are_inspected_after_the_start() {
    let mut world = World::remembering();
    let first = world.join("first", &[(PATH, DAMAGED)]);
    world.rest();
    world.stop_server();
    world.records.retain(|record| !matches!(record, Record::Inspected { .. }));
    world.server_events.clear();
    world.start_server();
    world.rest();
    assert_eq!(world.named(), [(PATH.to_owned(), true)]);
    // Only once.
    world.server_events.clear();
    world.restart_server();
    world.rest();
    assert_eq!(world.named(), []);
    world.check_files(first, &[(PATH, DAMAGED)]);
}

#[test]
fn a_conflict_is_offered_once_the_server_has_all_of_it() {
    let mut world = World::remembering();
    let first = world.join("first", &[(PATH, GOOD)]);
    world.rest();
    let old = world.join_old(&[(PATH, b"rival")]);
    world.rest();
    let copy = conflict(PATH, b"rival");
    world.check_files(first, &[(PATH, GOOD), (&copy, b"rival")]);
    assert!(world.union().is_verified(Content::of(b"rival")));
    assert_eq!(world.named(), []);
    let _unused = old;
}
