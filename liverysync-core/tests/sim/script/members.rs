//! Drivers with two PCs, drivers who come back with another key, and members that turn out to be one.

use liverysync_core::{
    client::ClientConfig,
    league::{Act, MemberId},
};

use super::{Script, holds::administer};
use crate::{
    rig::{Brain, SECOND, World},
    scenarios::key_of,
};

impl Script {
    /// Makes two PCs those of one driver.
    pub(super) fn pair(&mut self, world: &mut World) {
        let key = key_of(&world.pcs[0].name);
        for pc in 0..2 {
            config(world, pc).keys.member = Some(key.clone());
        }
    }

    /// Now and then, gives a driver another key, or merges two members.
    pub(super) fn regroup(&mut self, world: &mut World) {
        let pc = self.members.below(self.options.new) as usize;
        match self.members.below(12) {
            0 => self.change_key(world, pc),
            1 => {
                let other = self.members.below(self.options.new) as usize;
                let members = (member_of(world, pc), member_of(world, other));
                if let (Some(former), Some(member)) = members {
                    let act = if self.members.percent(50) {
                        Act::Merge { former, member }
                    } else {
                        Act::OwnAll { former, member }
                    };
                    administer(world, act);
                }
            }
            _ => {}
        }
    }

    /// Starts a PC again with another key. Its identity knows the one before.
    fn change_key(&mut self, world: &mut World, pc: usize) {
        world.crash(pc);
        self.keys_made += 1;
        let key = key_of(&format!("key {}", self.keys_made));
        let keys = &mut config(world, pc).keys;
        keys.former.extend(keys.member.replace(key));
        let span = self.members.range(1, 30) * SECOND;
        let _ = self.later(world, span);
    }
}

pub(super) fn config(world: &mut World, pc: usize) -> &mut ClientConfig {
    match &mut world.pcs[pc].brain {
        Brain::New(new_pc) => &mut new_pc.config,
        _ => unreachable!("the first PCs speak protocol 2"),
    }
}

/// Returns the member whose key a PC has.
pub(super) fn member_of(world: &World, pc: usize) -> Option<MemberId> {
    match &world.pcs[pc].brain {
        Brain::New(new_pc) => new_pc.config.keys.member.as_ref().map(MemberId::of),
        _ => None,
    }
}
