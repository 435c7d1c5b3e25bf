//! Files that drivers write into their folders.

use bytes::Bytes;
use liverysync_core::{client, hash::Content, path::fold, time::UnixTime, transfer::CHUNK_BYTES};

use super::{Script, Writing};
use crate::rig::{Brain, MILLISECOND, World};

pub(super) const LIVERIES: [&str; 6] =
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

/// Returns a name in upper case, or in lower case if it has no other letters.
pub(super) fn other_case(name: &str) -> String {
    let upper = name.to_uppercase();
    if upper == name { name.to_lowercase() } else { upper }
}

impl Script {
    pub(super) fn some_path(&mut self) -> String {
        if self.options.collisions && self.rng.percent(8) {
            return (*self.rng.pick(&COLLIDING)).to_owned();
        }
        if self.options.variants && self.rng.percent(20) {
            return (*self.rng.pick(&ODD)).to_owned();
        }
        let livery = LIVERIES[self.rng.below(self.names) as usize];
        // A server of protocol 1 offers for ever the files that a client of protocol 2 does not take.
        let files = if self.options.old_server.is_some() { &FILES[..4] } else { &FILES[..] };
        format!("{livery}/{}", self.rng.pick(files))
    }

    pub(super) fn new_content(&mut self, world: &mut World) -> Bytes {
        self.made += 1;
        let chunk = CHUNK_BYTES as u64;
        let big = self.options.big_files && self.rng.percent(20);
        let size = if big {
            *self.rng.pick(&[chunk, chunk + 1, chunk - 1, 3 * chunk + 7])
        } else {
            *self.rng.pick(&[0, 1, 9, 300, 5_000])
        };
        let number = self.made.to_le_bytes();
        // Each has another length, so that no two of them are the same.
        let is_damaged = self.options.damage && self.rng.percent(15);
        let data: Vec<u8> = if is_damaged {
            vec![0; self.made as usize + 1]
        } else {
            number.into_iter().cycle().take(size as usize).collect()
        };
        let data = Bytes::from(data);
        world.legit.insert(Content::of(&data).hash);
        self.contents.push(data.clone());
        data
    }

    pub(super) fn some_content(&mut self, world: &mut World) -> Bytes {
        if self.contents.is_empty() || self.rng.percent(70) {
            self.new_content(world)
        } else {
            self.rng.pick(&self.contents).clone()
        }
    }

    /// Has a driver put a file into their folder.
    pub(super) fn drop_file(
        &mut self,
        world: &mut World,
        pc: usize,
        path: &str,
        data: Bytes,
        at_start: bool,
    ) {
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

    pub(super) fn write_file(
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
        if ODD.contains(&path) {
            world.spelled_by_hand.insert((pc, fold(path.split('/').next().unwrap())));
        }
        world.pcs[pc].disk.put(path, data, content, mtime);
        self.tell_change(world, pc);
    }

    pub(super) fn delete_file(&mut self, world: &mut World, pc: usize, path: &str) {
        world.say(|| format!("{} deletes {path:?}", world.pcs[pc].name));
        if let Some(node) = world.pcs[pc].disk.remove(path) {
            world.given_up.insert(node.content.hash);
            self.tell_change(world, pc);
        }
    }

    /// Has a driver rename a file, or one of its folders, to the other case.
    pub(super) fn change_case(&mut self, world: &mut World, pc: usize, path: &str) {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        let end = *self.rng.pick(&ends.collect::<Vec<_>>());
        let (above, name) = path[..end].rsplit_once('/').unwrap_or(("", &path[..end]));
        let slash = if above.is_empty() { "" } else { "/" };
        let new = format!("{above}{slash}{}", other_case(name));
        if matches!(world.pcs[pc].brain, Brain::Liar(_))
            || world.pcs[pc].disk.rename(&path[..end], &new).is_err()
        {
            return;
        }
        world.say(|| format!("{} renames {:?} to {new:?}", world.pcs[pc].name, &path[..end]));
        world.spelled_by_hand.insert((pc, fold(path.split('/').next().unwrap())));
        self.tell_change(world, pc);
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
}
