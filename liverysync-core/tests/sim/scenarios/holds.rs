//! Approval and freezes: what changes waits, and nobody loses anything.

use liverysync_core::{
    hash::Content,
    league::{Act, ActError, ActReport, HoldReason, HoldState, MemberId, Setting},
    path::{Extensions, RelPath},
    server,
    time::UnixTime,
};

use super::{PATH, client, config, key_of};
use crate::rig::{Brain, MINUTE, NewPc, SECOND, World};

const NEW: (&str, &[u8]) = ("New/decals.png", b"picture");
const NEW_MATERIAL: (&str, &[u8]) = ("New/decals.json", b"material");

fn approve(liveries: &[&str]) -> Act {
    Act::Approve { liveries: liveries.iter().map(|one| (*one).to_owned()).collect(), from: None }
}

impl World {
    fn held(&self) -> Vec<(String, HoldState, usize)> {
        let held = self.union().held();
        held.map(|held| (held.livery.clone(), held.state, held.files.len())).collect()
    }

    pub(super) fn set_now(&mut self, setting: Setting, value: &str) -> ActReport {
        self.administer(Act::Set { setting, value: value.to_owned() }).unwrap()
    }

    fn is_told(&self, pc: usize, cause: HoldReason) -> bool {
        let is_it = |event: &client::Event| matches!(event, client::Event::Held { cause: told, .. } if *told == cause);
        self.events(pc).iter().any(is_it)
    }

    fn is_told_limit(&self, pc: usize, of: u64) -> bool {
        let is_it = |event: &client::Event| matches!(event, client::Event::Held { limit, .. } if *limit == Some(of));
        self.events(pc).iter().any(is_it)
    }
}

/// A league with an author and another driver, in which changes wait.
fn approving(files: &[(&str, &[u8])]) -> (World, usize, usize) {
    let mut world = World::remembering();
    let (author, other) = (world.join("author", files), world.join("other", &[]));
    world.rest();
    assert_eq!(world.set_now(Setting::Approval, "on"), ActReport::default());
    (world, author, other)
}

#[test]
fn a_new_version_can_be_approved_while_its_author_is_away() {
    let (mut world, author, other) = approving(&[(PATH, b"old")]);
    world.drop_now(author, PATH, b"new");
    world.rest_of_us();
    world.check_files(author, &[(PATH, b"new")]);
    world.check_files(other, &[(PATH, b"old")]);
    assert!(world.is_told(author, HoldReason::Approval));
    assert_eq!(world.held(), [("T".to_owned(), HoldState::Waiting, 1)]);
    assert!(world.union().is_verified(Content::of(b"new")), "the server has what waits");
    world.crash(author);
    world.restart_server();
    world.rest_of_us();
    assert_eq!(world.held(), [("T".to_owned(), HoldState::Waiting, 1)]);
    assert_eq!(world.administer(approve(&["t"])), Ok(ActReport::new(1, 0)));
    assert_eq!(world.held(), []);
}

#[test]
fn a_new_livery_waits_as_a_whole_and_has_its_author_as_owner() {
    let (mut world, author, other) = approving(&[]);
    for file in [NEW, NEW_MATERIAL] {
        world.drop_now(author, file.0, file.1);
        world.rest_of_us();
        world.check_files(other, &[]);
    }
    assert_eq!(world.held(), [("New".to_owned(), HoldState::Waiting, 2)]);
    assert_eq!(world.administer(approve(&[])), Ok(ActReport::new(2, 0)));
    world.rest();
    world.all_hold(&[author, other], &[NEW, NEW_MATERIAL]);
    let author = world.union().author(RelPath::parse(NEW.0, &Extensions::default()).unwrap().key());
    assert_eq!(world.union().owner("New"), author);
    assert!(author.is_some());
}

#[test]
fn what_was_rejected_stays_with_its_author_until_they_change_it() {
    let (mut world, author, other) = approving(&[(PATH, b"old")]);
    world.drop_now(author, PATH, b"new");
    world.rest_of_us();
    let reject = Act::Reject { liveries: vec!["T".into()], from: None };
    assert_eq!(world.administer(reject), Ok(ActReport::default()));
    world.rest_of_us();
    assert!(world.is_told(author, HoldReason::Rejected));
    world.restart_server();
    world.rest_of_us();
    world.check_files(author, &[(PATH, b"new")]);
    world.check_files(other, &[(PATH, b"old")]);
    assert_eq!(world.held(), [("T".to_owned(), HoldState::Rejected, 1)]);
    world.drop_now(author, PATH, b"newer");
    world.rest_of_us();
    assert_eq!(world.held(), [("T".to_owned(), HoldState::Waiting, 1)]);
    // Taken back by its author, nothing waits.
    world.drop_now(author, PATH, b"old");
    world.rest();
    assert_eq!(world.held(), []);
}

#[test]
fn an_approval_of_what_the_server_lacks_takes_effect_once_its_author_is_back() {
    let mut world = World::remembering();
    world.server_config.archive = false;
    world.restart_server();
    world.set_now(Setting::Approval, "on");
    let (author, other) = (world.join("author", &[NEW]), world.join("other", &[]));
    world.rest_of_us();
    world.crash(author);
    world.restart_server();
    world.rest_of_us();
    assert_eq!(world.administer(approve(&["New"])), Ok(ActReport::default()));
    world.rest_of_us();
    assert_eq!(world.held(), [("New".to_owned(), HoldState::Approved, 1)]);
    world.start(author);
    world.rest();
    world.all_hold(&[author, other], &[NEW]);
}

#[test]
fn nothing_changes_in_a_freeze_and_everything_takes_its_place_at_its_end() {
    let mut world = World::remembering();
    let (author, other) = (world.join("author", &[(PATH, b"old")]), world.join("other", &[]));
    world.rest();
    let end = UnixTime::from_nanos(world.date().as_nanos() + 3600 * SECOND as i64);
    world.set_now(Setting::Frozen, &format!("t*\t{end}"));
    world.drop_now(author, PATH, b"new");
    world.drop_now(author, NEW.0, NEW.1);
    world.rest_of_us();
    world.check_files(other, &[(PATH, b"old"), NEW]);
    assert!(world.is_told(author, HoldReason::Freeze));
    let retire = Act::Retire { liveries: vec!["T".into()], confirmed: true };
    assert_eq!(world.administer(retire), Err(ActError::Frozen { livery: "T".into() }));
    world.feed_server(server::Input::Date(world.date()));
    world.rest_of_us();
    assert_eq!(world.held(), [("T".to_owned(), HoldState::Waiting, 1)]);
    world.feed_server(server::Input::Date(end));
    world.rest();
    world.all_hold(&[author, other], &[(PATH, b"new"), NEW]);
    assert_eq!(world.union().settings().value(Setting::Frozen), "");
}

#[test]
fn what_would_become_a_conflict_waits_as_well() {
    let (mut world, author, _other) = approving(&[(PATH, b"old")]);
    let third = world.join("third", &[(PATH, b"another")]);
    world.rest_of_us();
    assert_eq!(world.conflicts(), []);
    world.check_files(third, &[(PATH, b"another")]);
    world.administer(approve(&["T"])).unwrap();
    world.rest();
    assert_eq!(world.conflicts().len(), 1);
    // A conflict copy that the league has is no news when its author returns.
    world.crash(third);
    world.start(third);
    world.rest();
    assert_eq!(world.held(), []);
    world.check_files(author, &[(PATH, b"old"), (&super::conflict(PATH, b"another"), b"another")]);
}

#[test]
fn a_dry_run_lists_what_is_held_with_who_and_since_when() {
    let (mut world, author, other) = approving(&[(PATH, b"old")]);
    let date = world.date();
    world.feed_server(server::Input::Date(date));
    world.drop_now(author, PATH, b"new");
    world.rest_of_us();
    world.crash(author);
    world.crash(other);
    for (pc, yours) in [(author, true), (other, false)] {
        let plan = world.dry_run(pc);
        let [held] = &plan.held[..] else { panic!("{plan:?}") };
        assert_eq!((&*held.livery, held.name.as_deref(), held.yours), ("T", Some("author"), yours));
        assert_eq!(held.since, Some(date.to_string()));
        assert_eq!(held.reason, "waiting for approval");
        assert_eq!(plan.outstanding.len(), usize::from(yours));
        assert!(plan.send.is_empty(), "nobody gets it: {plan:?}");
    }
}

#[test]
fn of_two_pcs_of_one_driver_the_newer_version_waits_alone_and_undecided() {
    let (mut world, first, other) = approving(&[(PATH, b"old")]);
    let mut theirs = config("second");
    theirs.keys.member = Some(key_of("author"));
    let second = world.join_as("second", Brain::New(Box::new(NewPc::new(theirs))), &[]);
    world.rest();
    world.drop_now(first, PATH, b"new");
    world.drop_now(first, "T/decals.json", b"material");
    world.rest_of_us();
    let reject = Act::Reject { liveries: vec!["T".into()], from: None };
    assert_eq!(world.administer(reject), Ok(ActReport::default()));
    world.drop_now(second, PATH, b"newer");
    world.rest_of_us();
    assert_eq!(world.held(), [("T".to_owned(), HoldState::Waiting, 1)]);
    assert!(!world.is_told(second, HoldReason::Rejected), "that was the other PC's version");
    assert_eq!(world.administer(approve(&["T"])), Ok(ActReport::new(1, 0)));
    world.rest_of_us();
    world.check_files(other, &[(PATH, b"newer")]);
    world.check_files(first, &[(PATH, b"new"), ("T/decals.json", b"material")]);
    assert_eq!(world.held(), [("T".to_owned(), HoldState::Waiting, 2)]);
}

#[test]
fn what_is_held_of_a_connected_member_goes_with_them_into_a_merge() {
    let (mut world, author, _) = approving(&[]);
    world.drop_now(author, NEW.0, NEW.1);
    world.rest_of_us();
    let [former, member] = ["author", "other"].map(|name| MemberId::of(&key_of(name)));
    assert_eq!(world.administer(Act::Merge { former, member }), Ok(ActReport::default()));
    for _ in 0..2 {
        let members: Vec<_> = world.union().held().map(|held| held.member).collect();
        assert_eq!(members, [Some(member)]);
        world.drop_now(author, NEW_MATERIAL.0, NEW_MATERIAL.1);
        world.rest_of_us();
    }
    assert_eq!(world.held(), [("New".to_owned(), HoldState::Waiting, 2)]);
}

#[test]
fn of_each_member_a_hundred_liveries_are_held_and_the_others_wait_for_room() {
    let (mut world, author, other) = approving(&[]);
    let paths: Vec<_> = (0..102).map(|number| format!("N{number:03}/decals.png")).collect();
    for path in &paths {
        world.drop_now(author, path, path.as_bytes());
    }
    world.run_for(MINUTE);
    assert_eq!(world.held().len(), 100);
    assert!(world.is_told(author, HoldReason::MemberLiveries) && world.is_told_limit(author, 100));
    world.crash(author);
    world.run_for(MINUTE);
    assert_eq!(world.administer(approve(&[])), Ok(ActReport::new(100, 0)));
    assert_eq!(world.held(), []);
    world.start(author);
    world.run_for(MINUTE);
    assert_eq!(world.held().len(), 2);
    assert_eq!(world.administer(approve(&[])), Ok(ActReport::new(2, 0)));
    world.rest();
    assert_eq!(world.pcs[other].disk.tree.len(), 102);
}

#[test]
fn what_a_peer_without_a_key_brings_is_held_while_it_is_connected() {
    let (mut world, _, _) = approving(&[]);
    let mut keyless = config("keyless");
    keyless.keys.member = None;
    let keyless = world.join_as("keyless", Brain::New(Box::new(NewPc::new(keyless))), &[NEW]);
    world.rest_of_us();
    assert_eq!(world.held().len(), 1);
    world.crash(keyless);
    world.run_for(MINUTE);
    assert_eq!(world.held(), []);
}
