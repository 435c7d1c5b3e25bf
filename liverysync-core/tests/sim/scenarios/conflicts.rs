//! Two contents of one name.

use liverysync_core::{client, hash::Content, league::Setting};

use super::{PATH, conflict, league};
use crate::rig::{Brain, SECOND, World};

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
    world.stop_server();
    world.run_for(5 * SECOND);
    world.start_server();
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
    let copy = conflict(PATH, b"yours");
    world.all_hold(&[first, second], &[(PATH, b"mine"), (&copy, b"yours")]);
}

fn conflict_copy(suffix: &str, content: &[u8]) -> String {
    format!("T/decals{suffix}{}.png", Content::of(content).hash.short())
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
    // The server knows the name from its database.
    world.restart_server();
    let second = world.join("second", &[(PATH, b"second")]);
    world.rest_of_us();
    let Brain::New(new_pc) = &world.pcs[second].brain else { panic!("no client of protocol 2") };
    let conflicts = new_pc.events.iter().filter_map(|event| match event {
        client::Event::Conflict { path, conflict_path, keeper } => {
            Some((path.as_str(), conflict_path.as_str(), keeper.as_deref()))
        }
        _ => None,
    });
    let copy = conflict_copy("_RIVAL_", b"second");
    assert_eq!(conflicts.collect::<Vec<_>>(), [(PATH, &*copy, Some("first"))]);
}
