//! The script of a seeded run: who takes part, what the drivers do, and what goes wrong.

mod acts;
mod admin;
mod cast;
mod choices;
mod files;
mod holds;
mod members;
mod options;

use std::collections::BTreeMap;

use bytes::Bytes;
use liverysync_core::{hash::Content, league::MemberId, server};

use self::{files::LIVERIES, holds::release_all, options::Options};
use crate::{
    rig::{Ev, MINUTE, SECOND, SimServer, World},
    rng::Rng,
};

/// A file that is written in two steps.
struct Writing {
    pc: usize,
    path: String,
    data: Bytes,
}

pub(crate) struct Script {
    pub(crate) options: Options,
    rng: Rng,
    /// Decides what is held.
    holds: Rng,
    /// Decides who is which member.
    members: Rng,
    /// Decides what drivers share, and who is banned.
    choices: Rng,
    banned: Vec<MemberId>,
    keys_made: u64,
    contents: Vec<Bytes>,
    made: u64,
    writings: BTreeMap<u64, Writing>,
    next_act: u64,
    /// Acts of the drivers go up to this number.
    last_act: u64,
    names: u64,
    healed: bool,
}

impl Script {
    pub(crate) fn new(seed: u64) -> (World, Self) {
        let mut rng = Rng::new(seed);
        let mut options = Options::of(&mut rng);
        // From a stream of its own, so the others are as they would be without it.
        options.whole_liveries = options.old_server.is_none() && Rng::new(!seed).percent(35);
        let mut holds = Rng::new(seed.rotate_left(32) ^ 0x401d);
        options.holds = options.old_server.is_none() && holds.percent(25);
        let mut members = Rng::new(seed.rotate_left(16) ^ 0x3e3b);
        options.pairs = options.old_server.is_none() && members.percent(15);
        options.regroups = options.old_server.is_none() && members.percent(15);
        let mut choices = Rng::new(seed.rotate_left(48) ^ 0xc401);
        options.chooses = options.old_server.is_none() && choices.percent(15);
        let world = World::new(rng.next());
        let names = rng.range(1, LIVERIES.len() as u64);
        let script = Self {
            options,
            rng,
            holds,
            members,
            choices,
            banned: Vec::new(),
            keys_made: 0,
            contents: Vec::new(),
            made: 0,
            writings: BTreeMap::new(),
            next_act: 0,
            last_act: 0,
            names,
            healed: false,
        };
        (world, script)
    }

    /// Runs a seed to its end.
    pub(crate) fn run(&mut self, world: &mut World) {
        self.set_up(world);
        let end = world.now + self.options.seconds * SECOND;
        while self.step(world, end) {}
        self.heal(world);
        let end = world.now + 5 * SECOND;
        while self.step(world, end) {}
        // Each time that a mute peer is waited for takes a minute, and it is asked again when it got
        // something itself.
        let bound = if self.options.liars > 0 { 300 } else { 60 };
        world.run_until_rest(130 * SECOND, bound * MINUTE);
        world.judge_rest(self.options.old_server.is_some());
        if self.options.long_rest {
            let busy_at = world.busy_at;
            world.run_for(12 * MINUTE);
            assert_eq!(world.busy_at, busy_at, "it stays at rest, yet: {}", world.busy_with);
        }
    }

    fn step(&mut self, world: &mut World, end: u64) -> bool {
        let more = world.step(end);
        while let Some(act) = world.acts.pop_front() {
            self.act(world, act);
        }
        more
    }

    #[expect(clippy::unused_self, reason = "reads as the script planning")]
    fn plan(&self, world: &mut World, delay: u64, act: u64) {
        world.after(delay, Ev::Act(act));
    }

    fn later(&mut self, world: &mut World, delay: u64) -> u64 {
        self.next_act += 1;
        let act = self.next_act;
        self.plan(world, delay, act);
        act
    }

    fn act(&mut self, world: &mut World, act: u64) {
        if let Some(writing) = self.writings.remove(&act) {
            let content = Content::of(&writing.data);
            if world.pcs[writing.pc].disk.fits(&writing.path) {
                self.write_file(world, writing.pc, &writing.path, writing.data, false);
                world.treasured.insert(content);
            }
        } else if self.healed {
        } else if (1..=100).contains(&act) {
            world.start(act as usize - 1);
        } else if act <= self.last_act {
            self.some_act(world);
        } else {
            // Faults do not last for ever.
            for pc in 0..world.pcs.len() {
                if self.rng.percent(50) {
                    self.mend(world, pc);
                }
            }
            if matches!(world.server, SimServer::Down) {
                world.start_server();
            }
        }
    }

    fn mend(&mut self, world: &mut World, pc: usize) {
        world.pcs[pc].disk.full = false;
        world.pcs[pc].disk.locked.clear();
        world.pcs[pc].offline = false;
        if let Some(link) = world.pcs[pc].link {
            world.heal_link(link);
        }
        world.start(pc);
    }

    /// Repairs everything, and lets nobody do anything more.
    fn heal(&mut self, world: &mut World) {
        world.say(|| "all is healed".into());
        self.healed = true;
        if matches!(world.server, SimServer::Down) {
            world.start_server();
        }
        for pc in 0..world.pcs.len() {
            self.mend(world, pc);
        }
        for link in 0..world.links.len() {
            world.heal_link(link);
        }
        world.feed_server(server::Input::AllowList(None));
        if self.options.holds {
            release_all(world);
        }
        if self.options.chooses {
            self.unite(world);
        }
    }
}
