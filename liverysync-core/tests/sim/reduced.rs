//! Scenarios reduced from seeds that once failed.

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
