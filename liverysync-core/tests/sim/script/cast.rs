//! The cast of a seeded run: the server, the PCs with their first files, and the liars.

use std::collections::BTreeSet;

use liverysync_core::{
    client::{ClientConfig, LiveryGlobs},
    conflict::Scope,
    league::Updates,
    path::fold,
};

use super::Script;
use crate::{
    disk::Disk,
    liar::{LIES, Liar},
    old_pc::OldPc,
    rig::{Brain, Line, MILLISECOND, NewPc, SECOND, World},
    rng::Rng,
    scenarios::key_of,
};

/// By how many nanoseconds a PC's clock may be wrong.
pub(super) const SKEWS: [i64; 4] = [0, 0, -3_600_000_000_000, 90_000_000_000];

impl Script {
    pub(super) fn set_up(&mut self, world: &mut World) {
        let options = self.options.clone();
        world.server_config.settings.policy = options.policy;
        world.server_config.archive = options.archive;
        if options.owners_only {
            world.server_config.settings.updates = Updates::Owner;
        }
        if options.whole_liveries {
            world.server_config.settings.naming.scope = Scope::Livery;
        }
        world.remembers = options.remembers;
        if self.rng.percent(30) {
            world.server_config.session_files_max = self.rng.range(1, 4) as usize;
        }
        if self.rng.percent(40) {
            world.server_config.store_bytes_max = [0, 4_000, 400_000][self.rng.below(3) as usize];
            world.server_config.spool_bytes_max = [0, 10_000, 1 << 30][self.rng.below(3) as usize];
        }
        match options.old_server {
            None => world.start_server(),
            Some(later) => world.start_old_server(later),
        }
        for number in 0..options.new {
            let disk = Disk::new(self.rng.percent(options.insensitive));
            let name = format!("ours{number}");
            let mut config = ClientConfig::default();
            config.keys.member = self.rng.percent(80).then(|| key_of(&name));
            config.name = name;
            config.share = Some(LiveryGlobs::all());
            let brain = Brain::New(Box::new(NewPc::new(config)));
            world.add_pc(&format!("ours{number}"), brain, disk);
        }
        if options.pairs {
            self.pair(world);
        }
        for number in 0..options.old {
            let disk = Disk::new(self.rng.percent(options.insensitive));
            let careful = self.rng.percent(50);
            let brain = Brain::Old(Box::new(OldPc::new(careful)));
            world.add_pc(&format!("old{number}"), brain, disk);
        }
        let honest = world.pcs.len();
        for pc in 0..honest {
            let empty = self.rng.percent(20);
            let files = if empty { 0 } else { self.rng.below(options.files_at_start + 1) };
            for _ in 0..files {
                let path = self.some_path();
                let data = self.some_content(world);
                self.drop_file(world, pc, &path, data, true);
            }
        }
        for number in 0..options.liars {
            let lie = *self.rng.pick(&LIES);
            let mut liar = Liar::new(self.rng.percent(50), lie);
            for _ in 0..self.rng.range(1, 6) {
                let victim = self.rng.below(honest as u64) as usize;
                let nodes: Vec<_> = world.pcs[victim].disk.tree.values().cloned().collect();
                let theirs = liar.claims.keys().map(|path| fold(path)).collect::<BTreeSet<_>>();
                let (path, data) = if !nodes.is_empty() && self.rng.percent(70) {
                    let node = self.rng.pick(&nodes).clone();
                    (node.path, node.data)
                } else {
                    (self.some_path(), self.new_content(world))
                };
                if !theirs.contains(&fold(&path)) {
                    liar.claim(&path, data);
                }
            }
            world.add_pc(&format!("liar{number}"), Brain::Liar(Box::new(liar)), Disk::new(false));
        }
        for pc in 0..world.pcs.len() {
            if options.slow_links {
                let delay = |rng: &mut Rng| rng.range(1, 400) * MILLISECOND;
                let rate = |rng: &mut Rng| *rng.pick(&[40_000, 300_000, 10_000_000]);
                world.pcs[pc].line = Line {
                    delay_up: delay(&mut self.rng),
                    delay_down: delay(&mut self.rng),
                    up: rate(&mut self.rng),
                    down: rate(&mut self.rng),
                };
            }
            world.pcs[pc].disk_pace = *self.rng.pick(&[100_000, MILLISECOND, 40 * MILLISECOND]);
            world.pcs[pc].skew = *self.rng.pick(&SKEWS);
            let late = if self.rng.percent(70) { 2 } else { options.seconds };
            let at = self.rng.below(late * SECOND);
            self.plan(world, at, 1 + pc as u64);
        }
        self.next_act = 100;
        for _ in 0..options.acts {
            let at = self.rng.below(options.seconds * SECOND);
            self.next_act += 1;
            self.plan(world, at, self.next_act);
        }
        self.last_act = self.next_act;
    }
}
