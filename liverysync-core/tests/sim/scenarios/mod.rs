//! Scenarios with a name, by subject: what a league must do, and what it once did wrong.

mod administration;
mod arrival;
mod bans;
mod blocked;
mod conflicts;
mod damage;
mod dry_run;
mod holds;
mod identity;
mod ignored;
mod liars;
mod lint;
mod names;
mod owners;
mod protocol_1;
mod settings;
mod sharing;
mod spelling;
mod store;
mod updates;
mod whole_liveries;

use std::collections::BTreeMap;

use bytes::Bytes;
use liverysync_core::{
    client::{self, ClientConfig, ClientMachine, LiveryGlobs},
    hash::Content,
    league::{Act, ActError, ActReport, MemberKey, Setting},
    server,
    time::UnixTime,
    union::Union,
};

use crate::{
    disk::Disk,
    rig::{Brain, MINUTE, NewPc, SECOND, SimServer, World},
};

const PATH: &str = "T/decals.png";

const PLENTY: u64 = 60 * MINUTE;

pub(crate) fn league() -> World {
    let mut world = World::new(1);
    world.start_server();
    world
}

/// Returns the key of a PC of this name.
pub(crate) fn key_of(name: &str) -> MemberKey {
    MemberKey::from_bytes(*Content::of(name.as_bytes()).hash.as_bytes())
}

pub(crate) fn config(name: &str) -> ClientConfig {
    let mut config = ClientConfig::default();
    config.name = name.to_owned();
    config.keys.member = Some(key_of(name));
    config.share = Some(LiveryGlobs::all());
    config
}

pub(crate) fn conflict(path: &str, data: &[u8]) -> String {
    let (stem, extension) = path.rsplit_once('.').unwrap();
    format!("{stem}__CONFLICT__{}.{extension}", Content::of(data).hash.short())
}

impl World {
    pub(crate) fn join_as(&mut self, name: &str, brain: Brain, files: &[(&str, &[u8])]) -> usize {
        let pc = self.add_pc(name, brain, Disk::new(false));
        for (path, data) in files {
            self.drop_at(pc, path, data, 60 * SECOND);
        }
        self.start(pc);
        pc
    }

    /// Adds a driver with a client of protocol 2.
    pub(crate) fn join(&mut self, name: &str, files: &[(&str, &[u8])]) -> usize {
        self.join_as(name, Brain::New(Box::new(NewPc::new(config(name)))), files)
    }

    /// Writes a file that is so many nanoseconds old, and tells nobody.
    pub(crate) fn drop_at(&mut self, pc: usize, path: &str, data: &[u8], age: u64) {
        let data = Bytes::copy_from_slice(data);
        let content = Content::of(&data);
        let old = self.pcs[pc].disk.get(path).map(|node| node.content.hash);
        self.given_up.extend(old.filter(|old| *old != content.hash));
        self.legit.insert(content.hash);
        self.treasured.insert(content);
        let mtime = UnixTime::from_nanos(self.date().as_nanos() - age as i64);
        assert!(self.pcs[pc].disk.fits(path));
        self.pcs[pc].disk.put(path, data, content, mtime);
    }

    pub(crate) fn drop_now(&mut self, pc: usize, path: &str, data: &[u8]) {
        self.drop_at(pc, path, data, 0);
        self.feed(pc, client::Input::FolderChanged);
    }

    pub(crate) fn rest(&mut self) {
        self.run_until_rest(20 * SECOND, PLENTY);
        self.judge_rest(matches!(self.server, SimServer::Old(_)));
    }

    pub(crate) fn text(&self, pc: usize, path: &str) -> Option<Vec<u8>> {
        self.pcs[pc].disk.get(path).map(|node| node.data.to_vec())
    }

    #[track_caller]
    pub(crate) fn check_files(&self, pc: usize, files: &[(&str, &[u8])]) {
        let held: BTreeMap<_, _> =
            self.pcs[pc].disk.tree.values().map(|node| (&*node.path, &node.data[..])).collect();
        let wanted: BTreeMap<_, _> = files.iter().copied().collect();
        assert_eq!(held, wanted, "{}", self.pcs[pc].name);
    }

    pub(crate) fn events(&self, pc: usize) -> &[client::Event] {
        match &self.pcs[pc].brain {
            Brain::New(new_pc) => &new_pc.events,
            _ => panic!("PC {pc} does not speak protocol 2"),
        }
    }

    pub(crate) fn received(&self, pc: usize) -> Vec<String> {
        let received = self.events(pc).iter().filter_map(|event| match event {
            client::Event::Receiving { path, .. } => Some(path.as_str().to_owned()),
            _ => None,
        });
        received.collect()
    }

    fn sessions_begun(&self) -> usize {
        let began = |event: &&server::Event| matches!(event, server::Event::SessionBegan { .. });
        self.server_events.iter().filter(began).count()
    }

    /// Makes a league whose database outlives its server, and which keeps everything.
    pub(crate) fn remembering() -> Self {
        let mut world = Self::new(1);
        world.remembers = true;
        world.server_config.archive = true;
        world.start_server();
        world
    }

    /// Makes the same league, where a conflicting livery is kept whole.
    fn of_whole_liveries() -> Self {
        let mut world = Self::remembering();
        world.set(Setting::ConflictScope, "livery");
        world
    }

    /// Has the administrator change a setting of the league.
    pub(crate) fn set(&mut self, setting: Setting, value: &str) {
        let act = Act::Set { setting, value: value.to_owned() };
        assert_eq!(self.administer(act), Ok(ActReport::default()));
    }

    fn resolve(&mut self, path: &str, keep: &[u8]) -> Result<ActReport, ActError> {
        let keep = Content::of(keep).hash.short();
        self.administer(Act::Resolve { path: path.into(), keep })
    }

    pub(crate) fn restart_server(&mut self) {
        self.stop_server();
        self.start_server();
    }

    fn is_in_sync(&self, pc: usize) -> bool {
        match &self.pcs[pc].brain {
            Brain::New(new_pc) => new_pc.machine.as_ref().is_some_and(ClientMachine::is_in_sync),
            _ => false,
        }
    }

    /// Returns the conflict copies that a PC counted when it was last in sync.
    fn last_conflict_copies(&self, pc: usize) -> Vec<String> {
        let Brain::New(new_pc) = &self.pcs[pc].brain else { panic!("no client of protocol 2") };
        let last = new_pc.events.iter().rev().find_map(|event| match event {
            client::Event::InSync { conflicts, .. } => Some(conflicts),
            _ => None,
        });
        last.unwrap().iter().map(|path| path.as_str().to_owned()).collect()
    }

    /// Waits until all are in sync, and then switches a driver's PC off.
    pub(crate) fn leave(&mut self, pc: usize) {
        self.rest();
        self.crash(pc);
    }

    /// Waits until those who are there rest.
    pub(crate) fn rest_of_us(&mut self) {
        self.run_until_rest(20 * SECOND, 60 * MINUTE);
        self.judge_database();
    }

    pub(crate) fn union(&self) -> &Union {
        match &self.server {
            SimServer::New(server) => server.machine.union(),
            _ => panic!("no server of protocol 2"),
        }
    }

    fn union_names(&self) -> Vec<String> {
        self.union().iter().map(|entry| entry.path.as_str().to_owned()).collect()
    }

    /// Returns each name in conflict with the first of its conflict names.
    pub(crate) fn conflicts(&self) -> Vec<(String, String)> {
        let conflicts = self.union().conflicts().into_iter();
        let named = conflicts.map(|conflict| {
            (conflict.path.as_str().to_owned(), conflict.copies[0].0.as_str().to_owned())
        });
        named.collect()
    }

    pub(crate) fn all_hold(&self, pcs: &[usize], files: &[(&str, &[u8])]) {
        pcs.iter().for_each(|pc| self.check_files(*pc, files));
    }

    /// Has a driver change their own livery.
    pub(crate) fn change_own(&mut self, pc: usize, act: Act) -> Result<ActReport, ActError> {
        self.replies.clear();
        self.ask(pc, act);
        self.replies.pop().expect("an owner has an answer").into()
    }

    pub(crate) fn administer(&mut self, act: Act) -> Result<ActReport, ActError> {
        self.acted.clear();
        self.feed_server(server::Input::Act(7, act));
        let (number, outcome) = self.acted.pop().expect("an act has an outcome");
        assert_eq!(number, 7);
        outcome
    }
}
