//! Acts of the drivers, and faults.

use std::collections::BTreeSet;

use liverysync_core::{path::fold, server};

use super::{Script, cast::SKEWS, files::LIVERIES};
use crate::{
    net::Dir,
    rig::{SECOND, World},
};

impl Script {
    pub(super) fn some_act(&mut self, world: &mut World) {
        let honest = (self.options.new + self.options.old) as usize;
        let pc = self.rng.below(honest as u64) as usize;
        let any = self.rng.below(world.pcs.len() as u64) as usize;
        let paths: Vec<_> =
            world.pcs[pc].disk.tree.values().map(|node| node.path.clone()).collect();
        let later = self.rng.range(1, self.options.seconds.max(2)) * SECOND;
        let options = self.options.clone();
        if options.holds {
            self.hold(world);
        }
        if options.regroups {
            self.regroup(world);
        }
        if options.chooses {
            self.choose(world);
        }
        match self.rng.below(30) {
            0..=5 => {
                let path = self.some_path();
                let data = self.some_content(world);
                self.drop_file(world, pc, &path, data, false);
            }
            6..=8 if !paths.is_empty() => {
                let path = self.rng.pick(&paths).clone();
                let data = self.some_content(world);
                self.drop_file(world, pc, &path, data, false);
            }
            9 | 10 if !paths.is_empty() => {
                let path = self.rng.pick(&paths).clone();
                self.delete_file(world, pc, &path);
            }
            11 if !paths.is_empty() => {
                let own: &String = self.rng.pick(&paths);
                let node = world.pcs[pc].disk.get(own).cloned();
                let path = self.some_path();
                if let Some(node) = node {
                    self.drop_file(world, pc, &path, node.data, false);
                }
            }
            12 => {
                // The game leaves a placeholder.
                let livery = LIVERIES[self.rng.below(self.names) as usize];
                let known = world.pcs[pc]
                    .disk
                    .tree
                    .values()
                    .any(|node| fold(&node.path).starts_with(&format!("{}/", fold(livery))));
                if !known {
                    let data = self.new_content(world);
                    self.write_file(world, pc, &format!("{livery}/decals.json"), data, false);
                }
            }
            13 if options.old_server.is_none() => {
                // The game makes a cache.
                let pictures: Vec<_> =
                    paths.iter().filter(|path| path.ends_with("/decals.png")).collect();
                if !pictures.is_empty() {
                    let path = self.rng.pick(&pictures).replace(".png", "_1.dds");
                    let data = self.new_content(world);
                    self.write_file(world, pc, &path, data, false);
                }
            }
            14 | 15 if options.cuts => {
                if let Some(link) = world.pcs[any].link {
                    world.break_link(link);
                }
            }
            16 if options.partitions => {
                if let Some(link) = world.pcs[any].link {
                    let both = self.rng.percent(50);
                    let dir = if self.rng.percent(50) { Dir::Up } else { Dir::Down };
                    for dir in [Dir::Up, Dir::Down].into_iter().filter(|d| both || *d == dir) {
                        world.partition(link, dir);
                    }
                    self.later(world, later);
                }
            }
            17 | 18 if options.crashes => {
                world.crash(any);
                self.later(world, later);
            }
            19 if options.offline => {
                world.pcs[pc].offline = true;
                if let Some(link) = world.pcs[pc].link {
                    world.break_link(link);
                }
                self.later(world, later);
            }
            20 if options.disk_faults => {
                world.pcs[pc].disk.full = true;
                self.later(world, later);
            }
            21 if options.disk_faults && !paths.is_empty() => {
                let path = self.rng.pick(&paths).clone();
                let disk = &mut world.pcs[pc].disk;
                let id = if disk.insensitive { path.to_lowercase() } else { path };
                disk.locked.insert(id);
                self.later(world, later);
            }
            22 if options.server_restarts && options.old_server.is_none() => {
                world.stop_server();
                if self.rng.percent(50) {
                    world.start_server();
                } else {
                    self.later(world, later.min(40 * SECOND));
                }
            }
            24..=26 if options.administers => self.administer(world),
            23 if options.allow_lists => {
                let list = self.rng.percent(70).then(|| {
                    let mut list = BTreeSet::new();
                    list.insert(fold(LIVERIES[self.rng.below(self.names) as usize]));
                    list
                });
                world.feed_server(server::Input::AllowList(list));
            }
            27 => {
                // A driver changes their clock.
                world.pcs[any].skew = *self.rng.pick(&SKEWS);
            }
            28 | 29 if options.variants && !paths.is_empty() => {
                let path = self.rng.pick(&paths).clone();
                self.change_case(world, pc, &path);
            }
            _ => {}
        }
    }
}
