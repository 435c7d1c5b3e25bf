//! Files that a PC cannot install in the present state of its disk.

use liverysync_core::client::{self, Outstanding};

use super::{PLENTY, league};
use crate::rig::{SECOND, World};

const FILES: [(&str, &[u8]); 2] = [("Iris/decals.png", b"iris"), ("Rose/decals.png", b"rose")];

/// Returns the outstanding of each time that a PC was in sync.
fn outstanding(world: &World, pc: usize) -> Vec<Vec<Outstanding>> {
    let events = world.events(pc).iter().filter_map(|event| match event {
        client::Event::InSync { outstanding, .. } => Some(outstanding.clone()),
        _ => None,
    });
    events.collect()
}

fn iris() -> Vec<Outstanding> {
    let (path, reason) = ("Iris/decals.png".to_owned(), "the folder is not writable".to_owned());
    vec![Outstanding::NotInstallable { path, reason }]
}

fn attempts(world: &World, pc: usize) -> usize {
    let is_attempt = |event: &&client::Event| matches!(event, client::Event::Receiving { path, .. } if path.livery() == "Iris");
    world.events(pc).iter().filter(is_attempt).count()
}

#[test]
fn a_blocked_file_is_never_sent_and_comes_once_it_can_be_installed() {
    let mut world = league();
    world.join("full", &FILES);
    let pc = world.join("blocked", &[("Mine/decals.png", b"mine")]);
    world.pcs[pc].disk.blocked.insert("iris".to_owned());
    world.run_until_rest(20 * SECOND, PLENTY);
    world.run_for(300 * SECOND);
    assert_eq!(world.text(pc, "Rose/decals.png").as_deref(), Some(&b"rose"[..]));
    assert_eq!(world.text(pc, "Iris/decals.png"), None);
    assert_eq!(attempts(&world, pc), 0, "it was sent in vain");
    assert_eq!(outstanding(&world, pc).last(), Some(&iris()));
    let said = outstanding(&world, pc).len();
    world.run_for(600 * SECOND);
    assert_eq!(outstanding(&world, pc).len(), said, "it is said again after each scan");

    world.pcs[pc].disk.blocked.clear();
    world.feed(pc, client::Input::FolderChanged);
    world.rest();
    assert_eq!(world.text(pc, "Iris/decals.png").as_deref(), Some(&b"iris"[..]));
    assert_eq!(outstanding(&world, pc).last(), Some(&Vec::new()));
}

#[test]
fn a_file_that_is_blocked_only_when_it_is_installed_is_sent_once() {
    let mut world = league();
    world.join("full", &FILES);
    let pc = world.join("blocked", &[]);
    world.pcs[pc].disk.refuses.insert("iris".to_owned());
    world.run_until_rest(20 * SECOND, PLENTY);
    world.run_for(300 * SECOND);
    assert_eq!(attempts(&world, pc), 1);
    assert_eq!(outstanding(&world, pc).last(), Some(&iris()));

    // Nothing but a change of the livery is a reason to try again.
    world.feed(pc, client::Input::FolderChanged);
    world.run_until_rest(20 * SECOND, PLENTY);
    world.run_for(300 * SECOND);
    assert_eq!(attempts(&world, pc), 1);
    world.pcs[pc].disk.refuses.clear();
    world.drop_now(pc, "Iris/sponsors.png", b"mine");
    world.rest();
    assert_eq!(attempts(&world, pc), 2);
    assert_eq!(world.text(pc, "Iris/decals.png").as_deref(), Some(&b"iris"[..]));
}
