//! The script of a seeded run: who takes part, what the drivers do, and what goes wrong.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use liverysync_core::{
    client::{self, ClientConfig},
    conflict::{Naming, Policy, Scope, in_claimed_livery},
    hash::Content,
    league::{Act, Updates},
    path::fold,
    server,
    time::UnixTime,
    transfer::CHUNK_BYTES,
};

use crate::{
    disk::Disk,
    liar::{LIES, Liar},
    net::Dir,
    old_pc::OldPc,
    rig::{Brain, Ev, Hub, Line, MILLISECOND, MINUTE, Ours, SECOND, World},
    rng::Rng,
    scenarios::key_of,
};

/// The decisions of the seed before the first step.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) ours: u64,
    pub(crate) old: u64,
    pub(crate) liars: u64,
    /// An old server: `Some(true)` is the later generation.
    pub(crate) old_hub: Option<bool>,
    pub(crate) policy: Policy,
    /// Chance in percent that a PC's disk does not tell cases apart.
    pub(crate) insensitive: u64,
    pub(crate) big_files: bool,
    pub(crate) variants: bool,
    pub(crate) collisions: bool,
    pub(crate) slow_links: bool,
    pub(crate) cuts: bool,
    pub(crate) partitions: bool,
    pub(crate) crashes: bool,
    pub(crate) offline: bool,
    pub(crate) disk_faults: bool,
    pub(crate) server_restarts: bool,
    /// True if the server has a data folder.
    pub(crate) remembers: bool,
    pub(crate) archive: bool,
    pub(crate) owners_only: bool,
    pub(crate) whole_liveries: bool,
    pub(crate) allow_lists: bool,
    /// True if an admin retires, restores, renames and resolves.
    pub(crate) administers: bool,
    pub(crate) files_at_start: u64,
    pub(crate) acts: u64,
    pub(crate) seconds: u64,
    pub(crate) long_rest: bool,
}

impl Options {
    pub(crate) fn of(rng: &mut Rng) -> Self {
        let old_hub = rng.percent(12).then(|| rng.percent(60));
        let calm = rng.percent(15);
        let fault = |rng: &mut Rng, chance| !calm && rng.percent(chance);
        let mut options = Self {
            ours: rng.range(2, 5),
            // The first server asks its clients for rivals by names that they do not have, and they say
            // nothing: no rest is to be had there.
            old: if old_hub != Some(false) && rng.percent(40) { rng.range(1, 2) } else { 0 },
            liars: if old_hub.is_none() && rng.percent(30) { rng.range(1, 2) } else { 0 },
            old_hub,
            policy: *rng.pick(&[
                Policy::Established,
                Policy::Established,
                Policy::LowestHash,
                Policy::NewestMtime,
            ]),
            insensitive: *rng.pick(&[0, 50, 100]),
            big_files: rng.percent(12),
            variants: old_hub.is_none() && rng.percent(50),
            collisions: false,
            slow_links: rng.percent(25),
            cuts: old_hub != Some(false) && fault(rng, 50),
            partitions: old_hub != Some(false) && fault(rng, 25),
            crashes: old_hub != Some(false) && fault(rng, 40),
            offline: old_hub != Some(false) && fault(rng, 40),
            disk_faults: fault(rng, 40),
            server_restarts: fault(rng, 30),
            remembers: rng.percent(70),
            archive: rng.percent(50),
            owners_only: rng.percent(20),
            whole_liveries: false,
            allow_lists: old_hub.is_none() && rng.percent(15),
            administers: old_hub.is_none() && rng.percent(30),
            files_at_start: *rng.pick(&[0, 3, 8, 20]),
            acts: rng.range(0, 40),
            seconds: *rng.pick(&[10, 60, 200]),
            long_rest: rng.percent(20),
        };
        // An old client dies of a file where it needs a folder, and does not list all that it has.
        options.collisions = options.old == 0 && old_hub.is_none() && rng.percent(35);
        options
    }
}

/// By how many nanoseconds a PC's clock may be wrong.
const SKEWS: [i64; 4] = [0, 0, -3_600_000_000_000, 90_000_000_000];

const LIVERIES: [&str; 6] =
    ["Team Alpha", "#2_TeamIris_992", "Équipe d'été", "レーシング #7", "Bravo & Co", "x"];
const FILES: [&str; 9] = [
    "decals.png",
    "sponsors.png",
    "decals.json",
    "sponsors.json",
    "decals_0.dds",
    "sub folder/read me.txt",
    "decals Copy.png",
    "pic.jpg",
    "notes.exe",
];
const ODD: [&str; 8] = [
    "TEAM ALPHA/decals.png",
    "Team Alpha/Decals.PNG",
    "E\u{301}quipe d'e\u{301}te\u{301}/decals.png",
    "équipe d'été/sponsors.png",
    "loose.png",
    "Loose.PNG",
    "X/DECALS.json",
    "x/Sub Folder/Read Me.txt",
];
const COLLIDING: [&str; 4] = [
    "x/decals.png/inner.png",
    "loose.png/a.png",
    "Team Alpha/pic.jpg/b.png",
    "x/SUB folder/read me.txt/c.png",
];

/// A file that is written in two steps.
struct Writing {
    pc: usize,
    path: String,
    data: Bytes,
}

pub(crate) struct Script {
    pub(crate) options: Options,
    rng: Rng,
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
        options.whole_liveries = options.old_hub.is_none() && Rng::new(!seed).percent(35);
        let world = World::new(rng.next());
        let names = rng.range(1, LIVERIES.len() as u64);
        let script = Self {
            options,
            rng,
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
        // Each time that a mute peer is waited for takes a minute, and it is asked anew when it got
        // something itself.
        let bound = if self.options.liars > 0 { 300 } else { 60 };
        world.run_until_rest(130 * SECOND, bound * MINUTE);
        world.judge_rest(self.options.old_hub.is_some());
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

    fn set_up(&mut self, world: &mut World) {
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
        match options.old_hub {
            None => world.start_hub(),
            Some(later) => world.start_old_hub(later),
        }
        for number in 0..options.ours {
            let disk = Disk::new(self.rng.percent(options.insensitive));
            let name = format!("ours{number}");
            let mut config = ClientConfig::default();
            config.member_key = self.rng.percent(80).then(|| key_of(&name));
            config.name = name;
            let brain = Brain::Ours(Box::new(Ours::new(config)));
            world.add_pc(&format!("ours{number}"), brain, disk);
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

    fn some_path(&mut self) -> String {
        if self.options.collisions && self.rng.percent(8) {
            return (*self.rng.pick(&COLLIDING)).to_owned();
        }
        if self.options.variants && self.rng.percent(20) {
            return (*self.rng.pick(&ODD)).to_owned();
        }
        let livery = LIVERIES[self.rng.below(self.names) as usize];
        // What ours does not take, a server of protocol 1 offers for ever.
        let files = if self.options.old_hub.is_some() { &FILES[..4] } else { &FILES[..] };
        format!("{livery}/{}", self.rng.pick(files))
    }

    fn new_content(&mut self, world: &mut World) -> Bytes {
        self.made += 1;
        let chunk = CHUNK_BYTES as u64;
        let big = self.options.big_files && self.rng.percent(20);
        let size = if big {
            *self.rng.pick(&[chunk, chunk + 1, chunk - 1, 3 * chunk + 7])
        } else {
            *self.rng.pick(&[0, 1, 9, 300, 5_000])
        };
        let number = self.made.to_le_bytes();
        let data: Vec<u8> = number.into_iter().cycle().take(size as usize).collect();
        let data = Bytes::from(data);
        world.legit.insert(Content::of(&data).hash);
        self.contents.push(data.clone());
        data
    }

    fn some_content(&mut self, world: &mut World) -> Bytes {
        if self.contents.is_empty() || self.rng.percent(70) {
            self.new_content(world)
        } else {
            self.rng.pick(&self.contents).clone()
        }
    }

    /// A driver puts a file into their folder.
    fn drop_file(&mut self, world: &mut World, pc: usize, path: &str, data: Bytes, at_start: bool) {
        if matches!(world.pcs[pc].brain, Brain::Liar(_)) || !world.pcs[pc].disk.fits(path) {
            return;
        }
        if !at_start && data.len() > 1 && self.rng.percent(25) {
            let half = data.slice(..data.len() / 2);
            world.legit.insert(Content::of(&half).hash);
            self.write_file(world, pc, path, half, at_start);
            let delay = self.rng.range(50, 2_000) * MILLISECOND;
            let act = self.later(world, delay);
            let path = path.to_owned();
            self.writings.insert(act, Writing { pc, path, data });
            return;
        }
        let content = Content::of(&data);
        self.write_file(world, pc, path, data, at_start);
        world.treasured.insert(content);
    }

    fn write_file(
        &mut self,
        world: &mut World,
        pc: usize,
        path: &str,
        data: Bytes,
        at_start: bool,
    ) {
        if !world.pcs[pc].disk.fits(path) {
            return;
        }
        world.say(|| {
            format!("{} writes {path:?} {:?}", world.pcs[pc].name, Content::of(&data).hash)
        });
        let now = world.date().as_nanos() + world.pcs[pc].skew;
        let fine = self.rng.below(1_000_000) as i64;
        let age = match self.rng.below(20) {
            0 => -3_600_000_000_000,
            1..=5 => 86_400_000_000_000,
            _ if at_start => 10_000_000_000,
            _ => 0,
        };
        let mtime = UnixTime::from_nanos(now - age + fine);
        let content = Content::of(&data);
        let old = world.pcs[pc].disk.get(path).map(|node| node.content);
        if let Some(old) = old.filter(|old| *old != content) {
            world.given_up.insert(old.hash);
        }
        world.pcs[pc].disk.put(path, data, content, mtime);
        self.tell_change(world, pc);
    }

    fn delete_file(&mut self, world: &mut World, pc: usize, path: &str) {
        world.say(|| format!("{} deletes {path:?}", world.pcs[pc].name));
        if let Some(node) = world.pcs[pc].disk.remove(path) {
            world.given_up.insert(node.content.hash);
            self.tell_change(world, pc);
        }
    }

    fn tell_change(&mut self, world: &mut World, pc: usize) {
        world.mark_busy(|| format!("the driver of PC {pc}"));
        match self.rng.below(100) {
            0..70 => world.feed(pc, client::Input::FolderChanged),
            // Nobody saw the change, but the host waits for it to be everywhere.
            70..85 => world.feed(pc, client::Input::Sync),
            _ => {}
        }
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
            // What was broken for a while is mended.
            for pc in 0..world.pcs.len() {
                if self.rng.percent(50) {
                    self.mend(world, pc);
                }
            }
            if matches!(world.hub, Hub::Down) {
                world.start_hub();
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

    fn some_act(&mut self, world: &mut World) {
        let honest = (self.options.ours + self.options.old) as usize;
        let pc = self.rng.below(honest as u64) as usize;
        let any = self.rng.below(world.pcs.len() as u64) as usize;
        let paths: Vec<_> =
            world.pcs[pc].disk.tree.values().map(|node| node.path.clone()).collect();
        let later = self.rng.range(1, self.options.seconds.max(2)) * SECOND;
        let options = self.options.clone();
        match self.rng.below(28) {
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
            13 if options.old_hub.is_none() => {
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
            22 if options.server_restarts && options.old_hub.is_none() => {
                world.stop_hub();
                if self.rng.percent(50) {
                    world.start_hub();
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
                world.feed_hub(server::Input::AllowList(list));
            }
            27 => {
                // Somebody sets his clock.
                world.pcs[any].skew = *self.rng.pick(&SKEWS);
            }
            _ => {}
        }
    }

    fn administer(&mut self, world: &mut World) {
        let Hub::Ours(hub) = &world.hub else { return };
        let union = hub.machine.union();
        let (liveries, conflicts) = (union.liveries(), union.conflicts());
        let here: Vec<_> = liveries.iter().filter(|livery| !livery.retired).collect();
        let gone: Vec<_> = liveries.iter().filter(|livery| livery.retired).collect();
        let act = match self.rng.below(4) {
            0 if !here.is_empty() => {
                let livery = self.rng.pick(&here).livery.clone();
                let history = union.history(&livery).into_iter();
                let contents = history.flat_map(|version| version.changes);
                // A backup is all that is to be left of it.
                world.put_away.extend(contents.filter_map(|change| change.content));
                Act::Retire { liveries: vec![livery], confirmed: true }
            }
            1 if !gone.is_empty() => {
                Act::Restore { livery: self.rng.pick(&gone).livery.clone(), version: None }
            }
            2 if !here.is_empty() => {
                let livery = self.rng.pick(&here).livery.clone();
                // The name of a loose file says what it is.
                let end = if livery.contains('.') { ".png" } else { "" };
                Act::Rename { livery, new: format!("renamed {}{end}", self.rng.below(4)) }
            }
            3 if !conflicts.is_empty() => {
                let conflict = self.rng.pick(&conflicts);
                let rivals = conflict.copies.iter().map(|(_, content)| Some(*content));
                let contents: Vec<_> = rivals.chain([conflict.established]).collect();
                let none = || Act::KEEP_NONE.to_owned();
                let keep = self.rng.pick(&contents).map_or_else(none, |kept| kept.hash.to_string());
                // What is turned down is given up.
                world.given_up.extend(contents.iter().flatten().map(|content| content.hash));
                if self.options.whole_liveries {
                    // All of the liveries that claim the name go, but for one.
                    let claims = union.iter().filter(|entry| {
                        let claimed = in_claimed_livery(&entry.path, &Naming::default());
                        let claimed = claimed.unwrap_or_else(|| entry.path.clone());
                        claimed.key().livery() == conflict.path.key().livery()
                    });
                    world.put_away.extend(claims.map(|entry| entry.content));
                }
                Act::Resolve { path: conflict.path.to_string(), keep }
            }
            _ => return,
        };
        world.say(|| format!("the administrator: {act:?}"));
        world.mark_busy(|| "the administrator".into());
        world.feed_hub(server::Input::Act(1, act));
    }

    /// Nothing is broken any more, and nobody does anything.
    fn heal(&mut self, world: &mut World) {
        world.say(|| "all is healed".into());
        self.healed = true;
        if matches!(world.hub, Hub::Down) {
            world.start_hub();
        }
        for pc in 0..world.pcs.len() {
            self.mend(world, pc);
        }
        for link in 0..world.links.len() {
            world.heal_link(link);
        }
        world.feed_hub(server::Input::AllowList(None));
    }
}
