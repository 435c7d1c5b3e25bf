//! Drivers who share only some liveries, or only send or receive, and members who are banned for a while.

use liverysync_core::{
    client::{self, LiveryGlobs},
    league::Act,
    wire::messages::Role,
};

use super::{
    Script,
    files::LIVERIES,
    holds::administer,
    members::{config, member_of},
};
use crate::rig::{Brain, SECOND, World};

impl Script {
    /// Now and then, changes what a driver shares, in which direction their PC syncs, or whether they may connect.
    pub(super) fn choose(&mut self, world: &mut World) {
        let pc = self.choices.below(self.options.new) as usize;
        match self.choices.below(8) {
            0 | 1 => {
                let livery = LIVERIES[self.choices.below(self.names) as usize];
                let globs = *self.choices.pick(&["*", "!*", "*\n!{}", "{}"]);
                self.share(world, pc, LiveryGlobs::parse(&globs.replace("{}", livery)));
            }
            2 => {
                let only = *self.choices.pick(&[None, Some(Role::Source), Some(Role::Target)]);
                world.crash(pc);
                config(world, pc).only = only;
                let span = self.choices.range(1, 20) * SECOND;
                self.later(world, span);
            }
            3 => {
                if let Some(member) = member_of(world, pc) {
                    self.banned.push(member);
                    administer(world, Act::Ban { member });
                }
            }
            4 => {
                // It stays on the list: the server may be down just now.
                if let Some(member) = self.banned.last().copied() {
                    administer(world, Act::Unban { member });
                }
            }
            _ => {}
        }
    }

    #[expect(clippy::unused_self, reason = "reads as the script sharing")]
    fn share(&self, world: &mut World, pc: usize, globs: LiveryGlobs) {
        world.say(|| format!("{} shares {globs:?}", world.pcs[pc].name));
        config(world, pc).share = Some(globs.clone());
        world.feed(pc, client::Input::Share(globs));
    }

    /// Lets everybody connect, and share all that they have.
    pub(super) fn unite(&mut self, world: &mut World) {
        for member in std::mem::take(&mut self.banned) {
            administer(world, Act::Unban { member });
        }
        for pc in 0..world.pcs.len() {
            if matches!(world.pcs[pc].brain, Brain::New(_)) {
                world.crash(pc);
                let config = config(world, pc);
                (config.share, config.only) = (Some(LiveryGlobs::all()), None);
                world.start(pc);
            }
        }
    }
}
