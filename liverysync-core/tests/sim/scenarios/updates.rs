//! Updates are updates, whoever was away.

use liverysync_core::hash::Content;

use super::{PATH, config, conflict, key_of, league};
use crate::rig::{Brain, MINUTE, NewPc, SECOND, World};

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
            world.restart_server();
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
    world.restart_server();
    // Drivers who replace a livery may delete the old one first.
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

/// A PC of the author's that knows nothing of the league.
fn join_as_author(world: &mut World, file: (&str, &[u8])) -> usize {
    let mut theirs = config("second");
    theirs.keys.member = Some(key_of("author"));
    world.join_as("second", Brain::New(Box::new(NewPc::new(theirs))), &[file])
}

#[test]
fn a_pc_that_has_lost_its_state_edits_what_its_driver_brought() {
    let mut world = World::remembering();
    let (author, other) = (world.join("author", &[(PATH, b"old")]), world.join("other", &[]));
    world.rest();
    world.crash(author);
    world.run_for(MINUTE);
    let again = join_as_author(&mut world, (PATH, b"edited"));
    world.rest_of_us();
    assert_eq!(world.conflicts(), []);
    for pc in [again, other] {
        world.check_files(pc, &[(PATH, b"edited")]);
    }
}

#[test]
fn two_pcs_of_one_driver_keep_what_each_of_them_has() {
    let mut world = World::remembering();
    let author = world.join("author", &[(PATH, b"old")]);
    world.rest();
    world.run_for(MINUTE);
    let second = join_as_author(&mut world, (PATH, b"another"));
    world.rest();
    let copy = conflict(PATH, b"another");
    world.all_hold(&[author, second], &[(PATH, b"old"), (&copy, b"another")]);
}
