//! Scenarios reduced from seeds that once failed.

use liverysync_core::transfer::CHUNK_BYTES;

use crate::{
    named::league,
    net::Dir,
    old_pc::OldPc,
    rig::{Brain, MINUTE, SECOND, World},
};

impl World {
    fn cut_off(&mut self, pc: usize, dirs: &[Dir]) {
        let link = self.pcs[pc].link.unwrap();
        for dir in dirs {
            self.partition(link, *dir);
        }
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

/// The server hears of an installed file when its session is done. Until then it takes the PC to lack that content.
#[test]
fn a_content_that_an_open_session_has_brought_is_copied_and_not_downloaded() {
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
